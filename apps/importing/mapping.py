"""A format: a TOML file that says which columns become which fields. The README of `formats/` explains its words."""

import re
import tomllib
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from apps.importing.conversions import CONVERSIONS, Cell
from apps.importing.problems import ImportProblem, Refused
from apps.importing.targets import TARGETS, FieldSpec, Target

FORMATS = Path(__file__).parent / "formats"
READERS = ("csv", "json")
PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
# What can be given on the command line, and as what it is read.
OPTIONS: dict[str, FieldSpec] = {
    "currency": FieldSpec("currency"),
    "time_zone": FieldSpec("time_zone"),
    "cancellation_policy": FieldSpec("cancellation_policy"),
    "rate": FieldSpec("decimal", at_least=Decimal(0)),
    "tickets": FieldSpec("integer", at_least=Decimal(1), at_most=Decimal(1_000_000)),
    "city": FieldSpec("line", longest=120),
    "region": FieldSpec("line", longest=120),
    "country": FieldSpec("line", longest=120),
}
FIELD_KEYS = {
    "from", "template", "option", "convert", "default", "values", "at_least", "at_most", "out_of_range", "pattern",
    "decimal_comma",
}  # fmt: skip
MAPPING_KEYS = {
    "title", "target", "source", "reader", "encoding", "options", "host", "calendar", "refuse", "fields",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the source, or the first group of a pattern found in it."""

    name: str
    pattern: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class FieldRule:
    """How one field is filled: the option if given, else the first column with something in it, else the default."""

    name: str
    spec: FieldSpec
    columns: tuple[Column, ...]
    template: str
    option: str
    values: dict[str, str]
    clamps: bool
    decimal_comma: bool
    pattern: str
    # Defaults are written as the field itself is, however the source writes it.
    default_convert: str

    def cell(self) -> Cell:
        """What the conversion of this field is told; `row` and `repairs` are of the row at hand."""
        spec = self.spec
        return Cell(self.name, spec.at_least, spec.at_most, spec.longest, self.clamps, self.decimal_comma, self.pattern)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Rows to leave out: where the column holds one of `when`, or none of `unless`."""

    column: str
    when: frozenset[str]
    unless: frozenset[str]
    reason: str


@dataclass(frozen=True, slots=True)
class Mapping:
    """A format, checked. `host_id` and `host_name` are columns; without an id column `host_name` is the one host."""

    name: str
    title: str
    target: Target
    source: str
    reader: str
    encoding: str
    options: dict[str, str]
    host_id: str
    host_name: str
    calendar: str
    reason: str
    refusals: tuple[Refusal, ...]
    fields: tuple[FieldRule, ...]

    @property
    def columns(self) -> list[str]:
        """Every column that the mapping reads, once."""
        names = [column.name for rule in self.fields for column in rule.columns]
        names += [name for rule in self.fields for name in PLACEHOLDER.findall(rule.template)]
        names += [refusal.column for refusal in self.refusals]
        if self.host_id:
            names += [self.host_id, self.host_name]
        return list(dict.fromkeys(name for name in names if name))

    @property
    def required_columns(self) -> list[str]:
        """Columns without which a file is not of this format: those of fields that a row cannot do without."""
        names = [
            name
            for rule in self.fields
            if rule.spec.default is None and not rule.option
            for name in [column.name for column in rule.columns[:1]] + PLACEHOLDER.findall(rule.template)
        ]
        names += [refusal.column for refusal in self.refusals]
        return list(dict.fromkeys([*names, *([self.host_id] if self.host_id else [])]))


def shipped() -> list[str]:
    """The names of the formats that come with the project."""
    return sorted(path.stem for path in FORMATS.glob("*.toml"))


def load_mapping(name: str) -> Mapping:
    """The shipped format of that name, or the one in that `.toml` file. Raises ImportProblem."""
    path = Path(name) if name.endswith(".toml") else FORMATS / f"{name}.toml"
    if not name.endswith(".toml") and name not in shipped():
        raise ImportProblem(f"there is no format {name!r}; there are {', '.join(shipped())}, or give a .toml file")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ImportProblem(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise ImportProblem(f"{path}: not the TOML it should be: {error}") from error
    try:
        return _mapping(path.stem, table)
    except (ImportProblem, Refused) as error:
        raise ImportProblem(f"{path}: {error}") from error


def with_options(mapping: Mapping, given: MappingType[str, str]) -> dict[str, str]:
    """The format's options with those given in place of its defaults. Raises ImportProblem for a wrong one."""
    for name, value in given.items():
        if name not in mapping.options:
            known = ", ".join(f"--{option.replace('_', '-')}" for option in mapping.options) or "no options"
            raise ImportProblem(f"--{name.replace('_', '-')}: {mapping.name} takes {known}")
        _check_option(name, value)
    return {**mapping.options, **{name: value.strip() for name, value in given.items()}}


def _check_option(name: str, value: str) -> None:
    spec = OPTIONS[name]
    option = f"--{name.replace('_', '-')}"
    if not value.strip():
        if spec.convert != "line":
            raise ImportProblem(f"{option} is empty")
        return
    repairs: list[str] = []
    try:
        CONVERSIONS[spec.convert](
            value.strip(), Cell(option, spec.at_least, spec.at_most, spec.longest, repairs=repairs)
        )
    except Refused as error:
        raise ImportProblem(str(error)) from error
    if repairs:
        raise ImportProblem(repairs[0])


def _mapping(name: str, table: dict[str, Any]) -> Mapping:
    _only(table, MAPPING_KEYS, "the file")
    target = TARGETS.get(str(table.get("target")))
    if target is None:
        raise ImportProblem(f"target must be one of {', '.join(TARGETS)}")
    reader = table.get("reader", "csv")
    if reader not in READERS:
        raise ImportProblem(f"reader must be one of {', '.join(READERS)}")
    source = _text(table, "source", "the file")
    if not source or len(source) > 60:
        raise ImportProblem("source must be a name of 1 to 60 characters")
    options = {key: str(value) for key, value in _table(table, "options").items()}
    for key, value in options.items():
        if key not in OPTIONS:
            raise ImportProblem(f"options.{key}: there are {', '.join(OPTIONS)}")
        _check_option(key, value)
    host = _table(table, "host")
    _only(host, {"id", "name"}, "host")
    if target.needs_host and not (host.get("id") or host.get("name")):
        raise ImportProblem("host.id (a column) or host.name is missing")
    calendar = _table(table, "calendar")
    _only(calendar, {"name", "reason"}, "calendar")
    fields = _table(table, "fields")
    _only(fields, set(target.fields), "fields")
    rules = tuple(_rule(key, spec, fields, options) for key, spec in target.fields.items())
    return Mapping(
        name=name,
        title=str(table.get("title", name)),
        target=target,
        source=source,
        reader=reader,
        encoding=str(table.get("encoding", "utf-8")),
        options=options,
        host_id=str(host.get("id", "")),
        host_name=str(host.get("name", "")),
        calendar=str(calendar.get("name", name))[:150],
        reason=str(calendar.get("reason", ""))[:1000],
        refusals=tuple(_refusal(each) for each in table.get("refuse", [])),
        fields=rules,
    )


def _rule(name: str, spec: FieldSpec, fields: dict[str, Any], options: dict[str, str]) -> FieldRule:
    where = f"fields.{name}"
    if name not in fields and spec.default is None:
        raise ImportProblem(f"{where} is missing")
    table = _table(fields, name)
    _only(table, FIELD_KEYS, where)
    convert = str(table.get("convert", spec.convert))
    if convert not in CONVERSIONS:
        raise ImportProblem(f"{where}.convert must be one of {', '.join(CONVERSIONS)}")
    if table.get("out_of_range", "refuse") not in ("refuse", "clamp"):
        raise ImportProblem(f"{where}.out_of_range must be refuse or clamp")
    option = str(table.get("option", ""))
    if option and option not in options:
        raise ImportProblem(f"{where}.option: {option} is not among the options")
    columns = table.get("from", [])
    if spec.default is None and table.get("default") == "":
        raise ImportProblem(f"{where} cannot be empty; leave out the default to refuse rows without it")
    rule = FieldRule(
        name=name,
        spec=FieldSpec(
            convert=convert,
            default=str(table["default"]) if "default" in table else spec.default,
            at_least=_bound(table, "at_least", where) if "at_least" in table else spec.at_least,
            at_most=_bound(table, "at_most", where) if "at_most" in table else spec.at_most,
            longest=spec.longest,
        ),
        columns=tuple(_column(each, where) for each in (columns if isinstance(columns, list) else [columns])),
        template=str(table.get("template", "")),
        option=option,
        values={str(key): str(value) for key, value in _table(table, "values").items()},
        clamps=table.get("out_of_range") == "clamp",
        decimal_comma=bool(table.get("decimal_comma", False)),
        pattern=str(table.get("pattern", "")),
        default_convert=spec.convert,
    )
    if not (rule.columns or rule.template or option) and rule.spec.default is None:
        raise ImportProblem(f"{where} needs from, template, option or default")
    return rule


def _column(given: Any, where: str) -> Column:
    if isinstance(given, str):
        return Column(given)
    if not isinstance(given, dict) or not isinstance(given.get("column"), str):
        raise ImportProblem(f'{where}.from must name columns, or be tables like {{ column = "...", pattern = "..." }}')
    _only(given, {"column", "pattern"}, f"{where}.from")
    try:
        pattern = re.compile(str(given.get("pattern", "(.*)")))
    except re.error as error:
        raise ImportProblem(f"{where}.from: the pattern is wrong: {error}") from error
    if pattern.groups < 1:
        raise ImportProblem(f"{where}.from: the pattern needs a group")
    return Column(given["column"], pattern)


def _refusal(table: Any) -> Refusal:
    if not isinstance(table, dict) or not isinstance(table.get("column"), str):
        raise ImportProblem("refuse needs a column")
    _only(table, {"column", "when", "unless", "reason"}, "refuse")
    if ("when" in table) == ("unless" in table):
        raise ImportProblem("refuse needs either when or unless")
    return Refusal(
        column=table["column"],
        when=frozenset(map(str, table.get("when", []))),
        unless=frozenset(map(str, table.get("unless", []))),
        reason=str(table.get("reason", f"{table['column']} is {{value}}")),
    )


def _table(parent: dict[str, Any], key: str) -> dict[str, Any]:
    value = parent.get(key, {})
    if not isinstance(value, dict):
        raise ImportProblem(f"{key} must be a table")
    return value


def _text(parent: dict[str, Any], key: str, where: str) -> str:
    value = parent.get(key, "")
    if not isinstance(value, str):
        raise ImportProblem(f"{key} of {where} must be text")
    return value.strip()


def _bound(table: dict[str, Any], key: str, where: str) -> Decimal:
    try:
        return Decimal(str(table[key]))
    except InvalidOperation:
        raise ImportProblem(f"{where}.{key} must be a number") from None


def _only(table: dict[str, Any], known: set[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise ImportProblem(f"{where} knows no {key}; it knows {', '.join(sorted(known))}")
