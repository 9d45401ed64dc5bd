"""What whoever types the command sees."""

import gzip
import os
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from apps.importing.management.commands.import_listings import Command
from apps.listings.models import Listing
from tests.importing.files import SUMMARY, write_csv

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).parents[2]


def test_the_summary_and_the_refused_lines(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "stays.csv", SUMMARY, {**SUMMARY, "id": "2", "name": ""})
    out, err = StringIO(), StringIO()

    call_command("import_listings", str(path), "--format", "airbnb-summary", "--city", "Porto", stdout=out, stderr=err)

    assert "currency USD, time-zone America/New_York" in out.getvalue()
    assert "2 rows in" in out.getvalue()
    assert "1 accepted (1 new, 0 changed, 0 unchanged), 1 refused, 0 repaired" in out.getvalue()
    assert err.getvalue() == "line 3: refused: title is blank\n"
    assert Listing.objects.get().city == "Porto"


def test_every_row_refused_is_still_a_file_that_was_read(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "stays.csv", {**SUMMARY, "price": "0"})
    call_command("import_listings", str(path), "--format", "airbnb-summary", stdout=StringIO(), stderr=StringIO())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--format", "airbnb"], "there is no format 'airbnb'"),
        (["--format", "nyc-meters"], "does not look like nyc-meters"),
        (["--format", "airbnb-summary", "--currency", "XXQ"], "no ISO 4217 currency"),
        (["--format", "airbnb-summary", "--time-zone", "Mars/X"], "no IANA time zone"),
        (["--format", "airbnb-summary", "--rate", "2"], "--rate: airbnb-summary takes"),
        (["--format", "airbnb-summary", "--report", "/nowhere/report.csv"], "No such file"),
        (["--format", "airbnb-summary", "--colour", "red"], "unrecognized arguments"),
        ([], "--format"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, arguments: list[str], told: str) -> None:
    path = write_csv(tmp_path / "stays.csv", SUMMARY)
    with pytest.raises(CommandError, match=told) as caught:
        call_command("import_listings", str(path), *arguments, stdout=StringIO(), stderr=StringIO())
    assert "\n" not in str(caught.value)
    assert not Listing.objects.exists()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("none.csv", ["--format", "airbnb-summary"]), ("stays.csv", ["--colour", "red"]), ("stays.csv", [])],
)
def test_the_process_ends_with_1_and_one_line(
    tmp_path: Path, name: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write_csv(tmp_path / "stays.csv", SUMMARY)
    with pytest.raises(SystemExit) as ended:
        Command().run_from_argv(["manage.py", "import_listings", str(tmp_path / name), *arguments])
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "Error" not in line


def test_a_file_that_breaks_off_keeps_what_came_before_and_says_so(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "whole.csv", *({**SUMMARY, "id": str(number)} for number in range(3000)))
    packed = gzip.compress(path.read_bytes(), compresslevel=1)
    path.write_bytes(packed[: len(packed) - 400])
    with pytest.raises(CommandError, match=r"line \d+: the file breaks off: .*; \d+ rows before it are in"):
        call_command("import_listings", str(path), "--format", "airbnb-summary", stdout=StringIO(), stderr=StringIO())
    assert 0 < Listing.objects.count() < 3000


def test_an_import_that_is_killed_is_finished_by_the_next(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "stays.csv", *({**SUMMARY, "id": str(number)} for number in range(8_000)))
    settings = connection.settings_dict
    url = (
        f"postgresql://{settings['USER']}:{settings['PASSWORD']}@{settings['HOST']}:{settings['PORT']}"
        f"/{settings['NAME']}"
    )
    child = subprocess.Popen(
        [sys.executable, "manage.py", "import_listings", str(path), "--format", "airbnb-summary"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while child.poll() is None and not Listing.objects.exists():
            time.sleep(0.02)
    finally:
        child.kill()
        child.wait()
    half_way = Listing.objects.count()
    assert half_way > 0
    assert half_way % 2000 == 0

    out = StringIO()
    call_command("import_listings", str(path), "--format", "airbnb-summary", stdout=out, stderr=StringIO())

    assert f"({8_000 - half_way} new, 0 changed, {half_way} unchanged)" in out.getvalue()
    assert Listing.objects.count() == 8_000
