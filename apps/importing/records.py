"""From a row to a record: every field of the target filled, checked and mended, or the row refused with a reason."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from apps.importing.conversions import CONVERSIONS
from apps.importing.mapping import PLACEHOLDER, FieldRule, Mapping, Refusal
from apps.importing.problems import ImportProblem, Refused
from apps.importing.pseudonyms import names_in, person_key, person_name, scrubbed
from apps.importing.reading import Row

TEXTS = {"line", "text", "html"}
# Where people write freely: names of the row's person and ways to reach somebody are replaced there.
FREE_TEXTS = ("title", "description", "comment")
PLACES = ("address", "city", "region", "country", "time_zone", "street", "venue")


@dataclass(slots=True)
class Record:
    """A row that can go in. `person` is the source's id of its host or author, "" where there is one for all."""

    line: int
    values: dict[str, Any]
    person: str
    repairs: list[str] = field(default_factory=list)


class RecordMaker:
    """Turns rows of one file into records. Raises ImportProblem when the file lacks columns of the format."""

    def __init__(self, mapping: Mapping, *, columns: list[str], options: dict[str, str]) -> None:
        self._places = {name: place for place, name in reversed(list(enumerate(columns)))}
        missing = [name for name in mapping.required_columns if name not in self._places]
        if missing:
            raise ImportProblem(f"does not look like {mapping.name}: no column {', '.join(missing)}")
        self._mapping = mapping
        self._options = options
        self._sources = [(rule, self._source(rule)) for rule in mapping.fields]
        self._steps = [(rule, source, CONVERSIONS[rule.spec.convert], rule.cell()) for rule, source in self._sources]
        self._refusals = [(refusal, self._places[refusal.column]) for refusal in mapping.refusals]
        self._checks = CHECKS.get(mapping.target.name, ())
        self.names: frozenset[str] = frozenset()
        # A review speaks of others, a listing of its own host.
        self._all_names = mapping.target.name == "review"

    def record(self, row: Row) -> Record:
        """Raises Refused with the reason."""
        if row.cells is None:
            raise Refused(row.fault)
        for refusal, place in self._refusals:
            self._refuse(refusal, row.cells[place].strip())
        values: dict[str, Any] = {}
        repairs: list[str] = []
        for rule, source, convert, cell in self._steps:
            given = source(row.cells)
            if rule.values:
                given = rule.values.get(given, given)
            if not given:
                if rule.spec.default is None:
                    raise Refused(f"{rule.name} is blank")
                given = rule.spec.default
                convert = CONVERSIONS[rule.default_convert]
            if given:
                cell.row, cell.repairs = values, repairs
                values[rule.name] = convert(given, cell)
                if rule.spec.default is None and values[rule.name] == "":
                    raise Refused(f"{rule.name} is blank")
            else:
                values[rule.name] = "" if rule.spec.convert in TEXTS else None
        for check in self._checks:
            check(values, repairs)
        person = self._cell(row.cells, self._mapping.host_id)
        if self._mapping.host_id and not person:
            raise Refused(f"{self._mapping.host_id} is blank")
        self._scrub(row.cells, values, person)
        return Record(row.line, values, person, list(dict.fromkeys(repairs)))

    def person_name(self, row: Row) -> str:
        """The real name in the row, for finding it in texts; it is kept nowhere."""
        return self._cell(row.cells or [], self._mapping.host_name) if self._mapping.host_id else ""

    def free_texts(self, row: Row) -> list[str]:
        """What people wrote in the row, as it came."""
        return self._given(row, FREE_TEXTS)

    def places(self, row: Row) -> list[str]:
        """Names of places in the row: they stay, whoever else is called so."""
        return self._given(row, PLACES)

    def _given(self, row: Row, names: tuple[str, ...]) -> list[str]:
        cells = row.cells
        return [source(cells) for rule, source in self._sources if rule.name in names] if cells else []

    def _scrub(self, cells: list[str], values: dict[str, Any], person: str) -> None:
        if not self._mapping.host_id:
            return
        own = self.names.intersection(names_in(self._cell(cells, self._mapping.host_name)))
        names = self.names if self._all_names else own
        own_name = person_name(person_key(self._mapping.source, person))[0] if own else ""
        for name in FREE_TEXTS:
            if values.get(name):
                clean = scrubbed(values[name], names, own=own, own_name=own_name)
                limit = self._mapping.target.fields[name].longest
                values[name] = clean if limit is None or len(clean) <= limit else clean[:limit]

    def _cell(self, cells: list[str], name: str) -> str:
        place = self._places.get(name)
        return cells[place].strip() if place is not None and cells else ""

    @staticmethod
    def _refuse(refusal: Refusal, value: str) -> None:
        if value in refusal.when or (refusal.unless and value not in refusal.unless):
            raise Refused(refusal.reason.replace("{value}", value or "blank"))

    def _source(self, rule: FieldRule) -> Callable[[list[str]], str]:
        """How to get the text of a field out of the cells of a row."""
        fixed = self._options.get(rule.option, "") if rule.option else ""
        if fixed:
            return lambda _cells: fixed
        if rule.template:
            return self._composed(rule.template)
        columns = [
            (self._places[column.name], column.pattern) for column in rule.columns if column.name in self._places
        ]

        def first(cells: list[str]) -> str:
            for place, pattern in columns:
                value = cells[place].strip()
                if value and pattern is not None:
                    match = pattern.search(value)
                    value = (match.group(1) or "").strip() if match else ""
                if value:
                    return value
            return ""

        return first

    def _composed(self, template: str) -> Callable[[list[str]], str]:
        places = {name: self._places.get(name) for name in PLACEHOLDER.findall(template)}

        def compose(cells: list[str]) -> str:
            found = {name: cells[place].strip() if place is not None else "" for name, place in places.items()}
            if not any(found.values()):
                return ""
            return PLACEHOLDER.sub(lambda match: found[match.group(1)], template).strip()

        return compose


def check_coordinates(values: dict[str, Any], repairs: list[str]) -> None:
    """Half a pair of coordinates is none."""
    if (values["latitude"] is None) != (values["longitude"] is None):
        values["latitude"] = values["longitude"] = None
        repairs.append("half a pair of coordinates left out")


def check_nights(values: dict[str, Any], repairs: list[str]) -> None:
    """A longest stay below the shortest contradicts itself; the shortest is the host's stronger wish."""
    if values["min_nights"] > values["max_nights"]:
        values["max_nights"] = values["min_nights"]
        repairs.append(f"max_nights raised to min_nights, {values['min_nights']}")


def check_hours(values: dict[str, Any], _repairs: list[str]) -> None:
    if values["check_out_time"] > values["check_in_time"]:
        raise Refused("check_out_time is after check_in_time")


def check_event(values: dict[str, Any], _repairs: list[str]) -> None:
    if values["ends_at"] <= values["starts_at"]:
        raise Refused("ends_at is not after starts_at")


CHECKS: dict[str, tuple[Callable[[dict[str, Any], list[str]], None], ...]] = {
    "property": (check_coordinates, check_nights, check_hours),
    "parking_spot": (),
    "event": (check_coordinates, check_event),
}
