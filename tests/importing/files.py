"""Small files in the shape of the shipped formats, and importing them."""

import csv
import gzip
import io
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apps.importing.actions import import_file
from apps.importing.mapping import load_mapping, with_options
from apps.importing.report import Report, Summary

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

SUMMARY = {
    "id": "1001",
    "name": "Room with a view",
    "host_id": "77",
    "host_name": "Xaverine",
    "neighbourhood_group": "North",
    "neighbourhood": "Hilltop",
    "latitude": "40.5",
    "longitude": "-73.5",
    "room_type": "Private room",
    "price": "120",
    "minimum_nights": "2",
}
FULL = {
    "id": "1001",
    "name": "Room with a view",
    "description": "Two windows.",
    "host_id": "77",
    "host_name": "Xaverine",
    "neighbourhood_cleansed": "Hilltop",
    "neighbourhood_group_cleansed": "",
    "latitude": "42.3",
    "longitude": "-71.0",
    "property_type": "Entire rental unit",
    "room_type": "Entire home/apt",
    "accommodates": "4",
    "bathrooms": "",
    "bathrooms_text": "1.5 baths",
    "bedrooms": "",
    "beds": "3",
    "amenities": '["Wifi", "Kitchen"]',
    "price": "$1,234.00",
    "minimum_nights": "2",
    "maximum_nights": "30",
}
METER = {
    "ObjectID": "5",
    "Meter Number": "900",
    "Status": "Active",
    "Meter_Hours": "2 HR Pas Mon-Sat 0900-1900",
    "Borough": "North",
    "On_Street": "MAIN STREET",
    "Side_of_Street": "E",
    "From_Street": "1 AVENUE",
    "To_Street": "2 AVENUE",
    "Latitude": "40.6",
    "Longitude": "-73.9",
}
EVENT = {
    "id": "parks:1",
    "title": "Open day",
    "category": "nature",
    "borough": "North",
    "venue": "The Green",
    "start": "2026-12-01T08:00:00",
    "end": "2026-12-01T14:00:00",
    "isFree": True,
    "lat": 40.7,
    "lon": -73.9,
}


class Lines:
    def __init__(self) -> None:
        self.told: list[str] = []

    def write(self, text: str) -> None:
        self.told.append(text)


@dataclass
class Imported:
    """What an import said: its counts and the lines that were refused."""

    summary: Summary
    refused: list[str]


def csv_text(*rows: dict[str, str], line_end: str = "\n") -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator=line_end)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def write_csv(path: Path, *rows: dict[str, str]) -> Path:
    """A packed file where the name says so."""
    content = csv_text(*rows).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def run(path: Path, form: str, report: Path | None = None, **options: Any) -> Imported:
    """Import the file as the command does."""
    mapping = load_mapping(form)
    lines = Lines()
    with Report(path=report, errors=lines) as told:
        summary = import_file(
            path,
            mapping=mapping,
            options=with_options(mapping, options),
            report=told,
            show=lambda _position, _rows: None,
            now=NOW,
        )
    return Imported(summary, lines.told)
