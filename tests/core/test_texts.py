import pytest

from apps.core.errors import Invalid, Required
from apps.core.texts import clean_text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("  Two rooms \n", "Two rooms"),
        ("one\r\ntwo\tthree\nfour", "one\ntwo\tthree\nfour"),
        ("<b>'; DROP TABLE x; --", "<b>'; DROP TABLE x; --"),
        ("👩‍👩‍👧 Ünïcode", "👩‍👩‍👧 Ünïcode"),
        ("   ", ""),
        (None, ""),
    ],
)
def test_a_text_comes_back_trimmed_and_otherwise_as_it_went_in(value: str | None, expected: str) -> None:
    assert clean_text(value, field="title", max_length=200) == expected


@pytest.mark.parametrize("value", ["a\0b", "\0", "a\x1bb", "a\rb", "a\x7fb", "a\x85b", "\ud800", "a\x0b"])
def test_control_characters_are_invalid(value: str) -> None:
    with pytest.raises(Invalid) as caught:
        clean_text(value, field=("location", "city"), max_length=200)
    assert caught.value.field == ("location", "city")


@pytest.mark.parametrize("value", ["", " \t\n ", None, "\u00a0\u2003"])
def test_a_required_text_must_not_be_blank(value: str | None) -> None:
    with pytest.raises(Required) as caught:
        clean_text(value, field="title", max_length=200, required=True)
    assert caught.value.field == ("title",)


def test_the_length_is_that_of_the_trimmed_text() -> None:
    assert len(clean_text(" " + "x" * 200 + " ", field="title", max_length=200)) == 200
    with pytest.raises(Invalid):
        clean_text("x" * 201, field="title", max_length=200)
