"""`manage.py import_listings FILE --format FORMAT`: the public face of `apps.importing`."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.utils import timezone

from apps.importing.actions import import_file
from apps.importing.mapping import OPTIONS, load_mapping, shipped, with_options
from apps.importing.problems import ImportProblem
from apps.importing.progress import Progress
from apps.importing.report import Report, Summary

HELP = {
    "currency": "ISO 4217 code of the prices",
    "time_zone": "IANA zone of the listings",
    "cancellation_policy": "FLEXIBLE, MODERATE, STRICT or NON_REFUNDABLE",
    "rate": "price of one hour or ticket, in major units, where the source has none",
    "tickets": "tickets of each event, where the source has none",
    "city": "city of all listings",
    "region": "region of all listings",
    "country": "country of all listings",
}


class Command(BaseCommand):
    help = "Import listings, calendars or reviews. The same file again changes nothing; refused rows are reported."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="a CSV or JSON file, packed with gzip or plain")
        parser.add_argument(
            "--format", required=True, help=f"{', '.join(shipped())}, or the path of a .toml file that describes one"
        )
        for name in OPTIONS:
            parser.add_argument(f"--{name.replace('_', '-')}", dest=name, help=f"{HELP[name]} (default: the format's)")
        parser.add_argument("--report", metavar="CSV", help="write every refused and repaired row there")
        # Wrong options are told in one line, like everything else, instead of argparse's usage and exit code 2.
        parser.called_from_command_line = False

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            super().run_from_argv(argv)
        except CommandError as error:
            self._fail(str(error))

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except CommandError as error:
            # Whoever calls it from code, or asks for the trace, is given the exception.
            is_typed = self._called_from_command_line  # type: ignore[attr-defined]  # the stubs do not know it
            if not is_typed or options["traceback"]:
                raise
            self._fail(str(error))

    def _fail(self, message: str) -> NoReturn:
        self.stderr.write(message.removeprefix("Error: "))
        sys.exit(1)

    def handle(self, *_args: Any, **options: Any) -> None:
        path = Path(options["file"])
        started = time.monotonic()
        try:
            mapping = load_mapping(options["format"])
            values = with_options(mapping, {name: options[name] for name in OPTIONS if options[name] is not None})
            size = path.stat().st_size if path.is_file() else 0
            progress = Progress(sys.stderr, size=size)
            report = Report(path=_path(options["report"]), errors=Lines(self.stderr, progress))
            self.stdout.write(f"{mapping.title}: {', '.join(_told(values)) or 'no options'}")
            with report:
                try:
                    import_file(
                        path, mapping=mapping, options=values, report=report, show=progress.show, now=timezone.now()
                    )
                finally:
                    progress.clear()
        except ImportProblem as problem:
            raise CommandError(str(problem)) from problem
        except DatabaseError as error:
            raise CommandError(f"the database refused: {' '.join(str(error).split())}") from error
        for line in summary_lines(report.summary, seconds=time.monotonic() - started):
            self.stdout.write(line)


class Lines:
    """A stream for single lines that makes room for them beside the bar."""

    def __init__(self, stream: Any, progress: Progress) -> None:
        self._stream = stream
        self._progress = progress

    def write(self, text: str) -> None:
        self._progress.clear()
        self._stream.write(text)


def summary_lines(summary: Summary, *, seconds: float) -> list[str]:
    """What is said at the end."""
    lines = [
        f"{summary.read} rows in {seconds:.1f} s: {summary.accepted} accepted ({summary.new} new, {summary.changed} "
        f"changed, {summary.unchanged} unchanged), {summary.refused} refused, {summary.repaired} repaired"
    ]
    lines += [f"  refused {count}: {reason}" for reason, count in summary.reasons.most_common(10)]
    return lines


def _path(given: str | None) -> Path | None:
    return Path(given) if given else None


def _told(options: dict[str, str]) -> Sequence[str]:
    return [f"{name.replace('_', '-')} {value}" for name, value in options.items() if value]
