"""What became of each row that did not simply go in."""

import csv
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from apps.importing.problems import ImportProblem

COLUMNS = ("line", "outcome", "reason")


@dataclass(slots=True)
class Summary:
    """Counts of rows. Every row that was read is new, changed, unchanged or refused; `repaired` ones are among them."""

    read: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: int = 0
    repaired: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def accepted(self) -> int:
        return self.new + self.changed + self.unchanged


class Report:
    """Refused rows go to `errors` and, with the repaired ones, into the report file, if there is to be one."""

    def __init__(self, *, path: Path | None, errors: Any) -> None:
        self.summary = Summary()
        self._errors = errors
        self._path = path
        self._file: IO[str] | None = None
        self._writer: Any = None

    def __enter__(self) -> "Report":
        """Raises ImportProblem when the report cannot be written."""
        if self._path is not None:
            try:
                self._file = self._path.open("w", encoding="utf-8", newline="")
            except OSError as error:
                raise ImportProblem(f"{self._path}: {error.strerror or error}") from error
            self._writer = csv.writer(self._file)
            self._writer.writerow(COLUMNS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def refuse(self, line: int, reason: str) -> None:
        self.summary.refused += 1
        self.summary.reasons[reason] += 1
        self._errors.write(f"line {line}: refused: {reason}")
        self._write(line, "refused", reason)

    def repair(self, line: int, reasons: list[str]) -> None:
        self.summary.repaired += 1
        self._write(line, "repaired", "; ".join(reasons))

    def _write(self, line: int, outcome: str, reason: str) -> None:
        if self._writer is not None:
            self._writer.writerow((line, outcome, reason))
