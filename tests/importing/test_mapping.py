"""Formats: the shipped ones, and what a wrong one is told."""

from pathlib import Path

import pytest

from apps.importing.mapping import load_mapping, shipped, with_options
from apps.importing.problems import ImportProblem

SMALLEST = """
target = "property"
source = "elsewhere"
[host]
name = "Elsewhere"
[options]
currency = "EUR"
time_zone = "Europe/Lisbon"
[fields.external_id]
from = "key"
[fields.title]
from = "label"
[fields.currency]
option = "currency"
[fields.time_zone]
option = "time_zone"
[fields.price]
from = "cost"
[fields.max_guests]
default = "2"
"""


def mapping_file(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_shipped_formats_are_sound() -> None:
    assert shipped() == [
        "airbnb-calendar",
        "airbnb-full",
        "airbnb-reviews",
        "airbnb-summary",
        "nyc-events",
        "nyc-meters",
    ]
    for name in shipped():
        assert load_mapping(name).name == name


def test_a_file_of_ones_own_is_a_format(tmp_path: Path) -> None:
    mapping = load_mapping(mapping_file(tmp_path, SMALLEST))
    assert (mapping.name, mapping.target.name, mapping.source) == ("mine", "property", "elsewhere")
    assert mapping.required_columns == ["key", "label", "cost"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('target = "property"', 'target = "castle"'), "target must be one of"),
        (('source = "elsewhere"', ""), "source must be"),
        (('[host]\nname = "Elsewhere"', ""), "host.id"),
        (('[fields.title]\nfrom = "label"', ""), "fields.title is missing"),
        (('from = "label"', 'from = "label"\nconvert = "magic"'), "convert must be one of"),
        (('from = "label"', 'form = "label"'), "knows no form"),
        (('from = "label"', 'default = ""'), "cannot be empty"),
        (('from = "label"', 'from = { column = "label", pattern = "(" }'), "pattern is wrong"),
        (('from = "label"', 'from = { column = "label", pattern = "x" }'), "needs a group"),
        (('from = "cost"', 'from = "cost"\nat_least = "much"'), "must be a number"),
        (('currency = "EUR"', 'currency = "XXX"'), "no ISO 4217"),
        (('currency = "EUR"', 'colour = "red"'), "options.colour"),
        (('option = "currency"', 'option = "city"'), "city is not among the options"),
        (("[fields.price]", "[fields.prize]"), "knows no prize"),
        (('target = "property"', "target = "), "not the TOML"),
    ],
)
def test_a_wrong_mapping_is_told_what_is_wrong(tmp_path: Path, change: tuple[str, str], told: str) -> None:
    with pytest.raises(ImportProblem, match=told):
        load_mapping(mapping_file(tmp_path, SMALLEST.replace(*change, 1)))


def test_an_unknown_format_is_told_which_there_are(tmp_path: Path) -> None:
    with pytest.raises(ImportProblem, match="there are airbnb-calendar, airbnb-full"):
        load_mapping("airbnb")
    with pytest.raises(ImportProblem, match="No such file"):
        load_mapping(str(tmp_path / "none.toml"))
    with pytest.raises(ImportProblem, match="there is no format"):
        load_mapping("../../../etc/passwd")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"currency": "DOLLARS"}, "--currency is no ISO 4217 currency"),
        ({"time_zone": "New York"}, "--time-zone is no IANA time zone"),
        ({"rate": "2"}, "--rate: airbnb-summary takes --currency"),
        ({"currency": " "}, "--currency is empty"),
    ],
)
def test_a_wrong_option_is_told(given: dict[str, str], told: str) -> None:
    with pytest.raises(ImportProblem, match=told):
        with_options(load_mapping("airbnb-summary"), given)


@pytest.mark.parametrize("tickets", ["0", "1000001", "many"])
def test_tickets_have_their_bounds(tickets: str) -> None:
    with pytest.raises(ImportProblem, match="--tickets"):
        with_options(load_mapping("nyc-events"), {"tickets": tickets})
