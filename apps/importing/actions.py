"""Bringing a file in: read, check, report, and write in chunks. Each chunk goes in whole, so an import that was killed
is finished by starting it again."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from apps.importing.calendars import Calendar, load_calendars
from apps.importing.listings import Outcome, load_listings
from apps.importing.mapping import Mapping
from apps.importing.people import People
from apps.importing.problems import ImportProblem, Refused
from apps.importing.pseudonyms import NameBook
from apps.importing.reading import Broken, Reader
from apps.importing.records import Record, RecordMaker
from apps.importing.report import Report, Summary
from apps.importing.reviews import load_reviews
from apps.users.models import UserRole

CHUNK = 2_000
# A calendar has some 365 days.
CALENDAR_CHUNK = 100

Show = Callable[[int, int], None]


class Incomplete(ImportProblem):
    """The file breaks off; what came before is in."""


class Loader(ABC):
    """Gathers records until there are enough for one transaction."""

    def __init__(self, *, mapping: Mapping, report: Report, now: datetime) -> None:
        self.mapping = mapping
        self.report = report
        self.now = now

    @abstractmethod
    def add(self, record: Record) -> None:
        """Take a record. Raises Refused."""

    @abstractmethod
    def flush(self) -> None:
        """Write what was gathered."""

    def count(self, outcome: Outcome) -> None:
        summary = self.report.summary
        summary.new += outcome.new
        summary.changed += outcome.changed
        summary.unchanged += outcome.unchanged
        for line, reason in outcome.refused:
            self.report.refuse(line, reason)
        for line, reason in outcome.repaired:
            self.report.repair(line, [reason])


class RecordLoader(Loader):
    """Listings and reviews: each record by itself, known by its external id."""

    def __init__(self, *, mapping: Mapping, report: Report, now: datetime) -> None:
        super().__init__(mapping=mapping, report=report, now=now)
        is_review = mapping.target.kind is None
        self._load = load_reviews if is_review else load_listings
        self._people = People(
            source=mapping.source,
            role=UserRole.GUEST if is_review else UserRole.HOST,
            now=now,
            single_name="" if mapping.host_id else mapping.host_name,
        )
        self._chunk: list[Record] = []
        self._seen: dict[str, int] = {}

    def add(self, record: Record) -> None:
        key = record.values["external_id"]
        if key in self._seen:
            raise Refused(f"the id {key} is on line {self._seen[key]} already")
        self._seen[key] = record.line
        self._chunk.append(record)
        if len(self._chunk) >= CHUNK:
            self.flush()

    def flush(self) -> None:
        if not self._chunk:
            return
        chunk, self._chunk = self._chunk, []
        self.count(self._load(chunk, mapping=self.mapping, people=self._people, now=self.now))


class CalendarLoader(Loader):
    """Days: those of one listing that follow each other in the file are one calendar."""

    def __init__(self, *, mapping: Mapping, report: Report, now: datetime) -> None:
        super().__init__(mapping=mapping, report=report, now=now)
        self._chunk: dict[str, Calendar] = {}
        self._last = ""

    def add(self, record: Record) -> None:
        listing = record.values["listing"]
        if listing != self._last and len(self._chunk) >= CALENDAR_CHUNK:
            self.flush()
        self._last = listing
        self._chunk.setdefault(listing, Calendar(listing)).add(record)

    def flush(self) -> None:
        if not self._chunk:
            return
        chunk, self._chunk = list(self._chunk.values()), {}
        self.count(load_calendars(chunk, mapping=self.mapping, now=self.now))


def import_file(
    path: Path, *, mapping: Mapping, options: dict[str, str], report: Report, show: Show, now: datetime
) -> Summary:
    """Bring in every row of the file that can go in; `report` hears of the others, `show` of bytes and rows read.

    Importing the same file again writes nothing; a changed file writes what changed. Raises ImportProblem when nothing
    can be read, Incomplete when the file breaks off after some rows.
    """
    names = _names_in_file(path, mapping=mapping, options=options)
    loader = _loader(mapping)(mapping=mapping, report=report, now=now)
    summary = report.summary
    with _reader(path, mapping) as reader:
        maker = _maker(path, reader, mapping, options)
        maker.names = names
        broken: Broken | None = None
        try:
            for row in reader:
                summary.read += 1
                try:
                    record = maker.record(row)
                    loader.add(record)
                except Refused as refusal:
                    report.refuse(row.line, str(refusal))
                else:
                    if record.repairs:
                        report.repair(row.line, record.repairs)
                show(reader.position, summary.read)
        except Broken as error:
            broken = error
        loader.flush()
    if broken is not None:
        raise Incomplete(f"{path}: {broken}; {summary.accepted} rows before it are in") from broken
    if summary.read == 0:
        raise ImportProblem(f"{path}: there are no rows")
    return summary


def _loader(mapping: Mapping) -> type[Loader]:
    return CalendarLoader if mapping.target.name == "blocks" else RecordLoader


def _reader(path: Path, mapping: Mapping) -> Reader:
    return Reader(path, form=mapping.reader, encoding=mapping.encoding, wanted=mapping.columns)


def _maker(path: Path, reader: Reader, mapping: Mapping, options: dict[str, str]) -> RecordMaker:
    try:
        return RecordMaker(mapping, columns=reader.columns, options=options)
    except ImportProblem as problem:
        raise ImportProblem(f"{path}: {problem}") from problem


def _names_in_file(path: Path, *, mapping: Mapping, options: dict[str, str]) -> frozenset[str]:
    """The names of people in the file, which its free texts may mention: a reading of its own, before the other."""
    if not mapping.host_id:
        return frozenset()
    book = NameBook()
    with _reader(path, mapping) as reader:
        maker = _maker(path, reader, mapping, options)
        book.keep(options.values())
        try:
            for row in reader:
                if row.cells is not None:
                    book.read(name=maker.person_name(row), texts=maker.free_texts(row))
                    book.keep(maker.places(row))
        except Broken:
            pass  # The second reading says so.
    return book.names()
