"""Files as rows: line numbers, packing, broken ends."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from apps.importing.problems import ImportProblem
from apps.importing.reading import Broken, Reader, Row


def rows_of(path: Path, form: str = "csv", wanted: tuple[str, ...] = ()) -> list[Row]:
    with Reader(path, form=form, encoding="utf-8", wanted=list(wanted)) as reader:
        return list(reader)


def written(tmp_path: Path, content: bytes | str, name: str = "file.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_line_is_a_physical_one_and_a_record_may_have_several(tmp_path: Path) -> None:
    path = written(tmp_path, 'id,name\n1,"a\nb\r\nc\rd"\n2,e\n')
    assert rows_of(path) == [Row(2, ["1", "a\nb\r\nc\rd"]), Row(5, ["2", "e"])]


def test_a_lone_cr_inside_quotes_starts_no_line(tmp_path: Path) -> None:
    path = written(tmp_path, 'id,name\r\n1,"a\rb"\r\n2,c\r\n')
    assert [(row.line, row.cells) for row in rows_of(path)] == [(2, ["1", "a\rb"]), (3, ["2", "c"])]


def test_what_is_packed_is_told_by_content_and_not_by_name(tmp_path: Path) -> None:
    path = written(tmp_path, gzip.compress(b"\xef\xbb\xbfid,name\n1,a\n"), "file.csv")
    with Reader(path, form="csv", encoding="utf-8", wanted=[]) as reader:
        assert reader.columns == ["id", "name"]
        assert list(reader) == [Row(2, ["1", "a"])]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"id,name\n1,a,b\n2,c\n", "has 3 columns where the header has 2"),
        (b"id,name\n1\n2,c\n", "has 1 columns where the header has 2"),
        (b"id,name\n1,\xff\xfe\n2,c\n", "holds bytes that are not of the file's encoding"),
        (b"id,name\n1,a\rb\n2,c\n", "is no CSV"),
        (b'id,name\n1,"a"b\n2,c\n', "is no CSV"),
    ],
)
def test_a_bad_row_is_told_and_the_next_is_read(tmp_path: Path, content: bytes, fault: str) -> None:
    bad, good = rows_of(written(tmp_path, content))
    assert (bad.line, bad.cells) == (2, None)
    assert fault in bad.fault
    assert good == Row(3, ["2", "c"])


def test_an_open_quote_swallows_no_rows_in_silence(tmp_path: Path) -> None:
    (bad,) = rows_of(written(tmp_path, 'id,name\n1,"a\n2,b\n'))
    assert (bad.line, bad.cells) == (2, None)


def test_a_packed_file_that_breaks_off_gives_what_came_before(tmp_path: Path) -> None:
    whole = gzip.compress(b"id,name\n" + b"".join(b"%d,%d\n" % (n, n * 7919) for n in range(40_000)))
    path = written(tmp_path, whole[: len(whole) // 2], "file.csv.gz")
    got: list[Any] = []
    with (
        Reader(path, form="csv", encoding="utf-8", wanted=[]) as reader,
        pytest.raises(Broken, match="breaks off"),
    ):
        got.extend(reader)
    # extend() keeps what it was given before the failure.
    assert 100 < len(got) < 40_000
    assert got[0] == Row(2, ["0", "0"])


@pytest.mark.parametrize("content", [b"", b"\n", b"only one column\n1\n", b"\x1f\x8bnot gzip"])
def test_what_is_no_csv_is_refused_whole(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ImportProblem):
        rows_of(written(tmp_path, content))


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportProblem, match="No such file"):
        rows_of(tmp_path / "none.csv")
    with pytest.raises(ImportProblem):
        rows_of(tmp_path)


def test_json_keeps_numbers_as_text_and_looks_into_objects(tmp_path: Path) -> None:
    content = '[\n{"id": 12345678901234567890, "place": {"lat": 1.10}},\n\n{"id": null, "place": []}\n]'
    rows = rows_of(written(tmp_path, content, "a.json"), "json", ("id", "place.lat", "none"))
    assert rows == [Row(2, ["12345678901234567890", "1.10", ""]), Row(4, ["", "", ""])]


def test_json_comes_one_record_a_line_too(tmp_path: Path) -> None:
    rows = rows_of(written(tmp_path, '{"a": true}\n{"a": ["x"]}\n7\n', "a.json"), "json", ("a",))
    assert [row.cells for row in rows] == [["true"], ['["x"]'], None]
    assert rows[2] == Row(3, None, "is no JSON object")


def test_a_record_across_two_pieces_of_a_json_file_is_whole(tmp_path: Path) -> None:
    records = [{"a": "x" * 1000 + str(number)} for number in range(300)]
    rows = rows_of(written(tmp_path, json.dumps(records, indent=1), "a.json"), "json", ("a",))
    assert [row.cells for row in rows] == [[record["a"]] for record in records]
    assert [row.line for row in rows[:2]] == [2, 5]


@pytest.mark.parametrize("content", ['[{"a": 1}, {"a": ', '[{"a": 1}, oops]', '[{"a": 1}'])
def test_json_that_breaks_off_says_so_after_what_was_whole(tmp_path: Path, content: str) -> None:
    path = written(tmp_path, content, "a.json")
    got: list[Any] = []
    with Reader(path, form="json", encoding="utf-8", wanted=["a"]) as reader, pytest.raises(Broken, match="line 1"):
        got.extend(reader)
    assert got == [Row(1, ["1"])]


def test_what_is_no_json_is_refused_whole(tmp_path: Path) -> None:
    with pytest.raises(ImportProblem, match="no JSON"):
        rows_of(written(tmp_path, "id,name\n1,2\n"), "json", ("a",))
