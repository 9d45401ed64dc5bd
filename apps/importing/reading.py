"""Files as rows: CSV or JSON, packed with gzip or plain, never whole in memory."""

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from apps.importing.problems import ImportProblem

GZIP = b"\x1f\x8b"
LONGEST_CELL = 1 << 20
LONGEST_RECORD = 1 << 22
PIECE = 1 << 16
# How a byte that is not of the encoding comes through.
STRANGE = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class Row:
    """`line` is the physical line, counted from 1, on which the record begins. `cells` go with the reader's columns;
    None stands for a record that could not be read, of which `fault` says why."""

    line: int
    cells: list[str] | None
    fault: str = ""


class Broken(Exception):
    """The file ends or breaks at this line; what came before it is sound."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")


class Reader:
    """The rows of a file. `columns` is known once it is open; `position` of `size` bytes have been read.

    Raises ImportProblem when it cannot be opened or is not of this form, Broken when it breaks off in the middle.
    """

    def __init__(self, path: Path, *, form: str, encoding: str, wanted: list[str]) -> None:
        try:
            self._raw = path.open("rb")
            self.size = path.stat().st_size
        except OSError as error:
            raise ImportProblem(f"{path}: {error.strerror or error}") from error
        try:
            magic = self._raw.read(2)
            self._raw.seek(0)
            packed: gzip.GzipFile | io.BufferedReader = gzip.GzipFile(fileobj=self._raw) if magic == GZIP else self._raw
            # Bytes that are not of the encoding come through as surrogates, so that they cost one row and not the file.
            # Only LF ends a physical line, as for every tool that numbers lines; a lone CR is content.
            self._text = io.TextIOWrapper(
                packed,
                encoding="utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding,
                errors="surrogateescape",
                newline="\n",
            )
            opened = self._open_csv() if form == "csv" else self._open_json(wanted)
            self.columns, self._rows = opened
        except (OSError, EOFError, zlib.error, UnicodeError, LookupError, Broken) as error:
            self._raw.close()
            raise ImportProblem(f"{path}: cannot be read: {error}") from error
        except ImportProblem as problem:
            self._raw.close()
            raise ImportProblem(f"{path}: {problem}") from problem

    @property
    def position(self) -> int:
        """Bytes of the file read so far."""
        return self._raw.tell()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            if row.cells is not None and not all(map(_is_whole, row.cells)):
                yield Row(row.line, None, "holds bytes that are not of the file's encoding")
            else:
                yield row

    def _open_csv(self) -> tuple[list[str], Iterator[Row]]:
        lines = csv.reader(self._text, strict=True)
        csv.field_size_limit(LONGEST_CELL)
        try:
            header = next(lines, [])
        except csv.Error as error:
            raise ImportProblem(f"is no CSV: {error}") from error
        columns = [name.strip() for name in header]
        if len(columns) < 2:
            raise ImportProblem("is no CSV with a header line")
        return columns, self._csv_rows(lines, len(columns))

    @staticmethod
    def _csv_rows(lines: Any, width: int) -> Iterator[Row]:
        while True:
            start = lines.line_num + 1
            try:
                cells = next(lines)
            except StopIteration:
                return
            except csv.Error as error:
                # The reader goes on with the next physical line.
                yield Row(start, None, f"is no CSV: {error}")
                continue
            except (OSError, EOFError, zlib.error) as error:
                raise Broken(start, f"the file breaks off: {error}") from error
            if not cells:
                continue
            if len(cells) != width:
                yield Row(start, None, f"has {len(cells)} columns where the header has {width}")
            else:
                yield Row(start, cells)

    def _open_json(self, wanted: list[str]) -> tuple[list[str], Iterator[Row]]:
        pieces = JsonPieces(self._text)
        opening = pieces.next_character()
        if opening == "[":
            pieces.skip(1)
        elif opening != "{":
            raise ImportProblem("is no JSON array of records, and not one record a line")
        return wanted, self._json_rows(pieces, wanted, in_array=opening == "[")

    @staticmethod
    def _json_rows(pieces: "JsonPieces", wanted: list[str], *, in_array: bool) -> Iterator[Row]:
        while True:
            character = pieces.next_character()
            if character == "," and in_array:
                pieces.skip(1)
                continue
            if character == "" and in_array:
                raise Broken(pieces.line, "the file breaks off inside the JSON array")
            if character == "" or (character == "]" and in_array):
                return
            line = pieces.line
            record = pieces.next_value()
            if isinstance(record, dict):
                yield Row(line, [_cell(record, name) for name in wanted])
            else:
                yield Row(line, None, "is no JSON object")


class JsonPieces:
    """JSON values one after another out of a stream, with their lines."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        # Numbers stay text: an id may be beyond 2^53 and a price is no float.
        self._decoder = json.JSONDecoder(parse_float=str, parse_int=str)
        self._buffer = ""
        self._at = 0
        self.line = 1

    def next_character(self) -> str:
        """The next one that is not white space, left in place; "" at the end."""
        while True:
            while self._at < len(self._buffer):
                character = self._buffer[self._at]
                if character not in " \t\r\n":
                    return character
                self.skip(1)
            if not self._more():
                return ""

    def skip(self, length: int) -> None:
        self.line += self._buffer.count("\n", self._at, self._at + length)
        self._at += length

    def next_value(self) -> Any:
        """Raises Broken where no JSON value can be read."""
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
            except (json.JSONDecodeError, RecursionError) as error:
                if len(self._buffer) - self._at > LONGEST_RECORD or not self._more():
                    raise Broken(self.line, f"the JSON breaks here: {error}") from error
                continue
            self.skip(end - self._at)
            return value

    def _more(self) -> bool:
        try:
            piece = self._stream.read(PIECE)
        except (OSError, EOFError, zlib.error) as error:
            raise Broken(self.line, f"the file breaks off: {error}") from error
        self._buffer = self._buffer[self._at :] + piece
        self._at = 0
        return bool(piece)


def _is_whole(cell: str) -> bool:
    return cell.isascii() or STRANGE.search(cell) is None


def _cell(record: dict[str, Any], name: str) -> str:
    """A value of the record as text; "a.b" looks into the object `a` unless there is a field of that very name."""
    value: Any = record.get(name)
    if value is None and "." in name and name not in record:
        value = record
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
