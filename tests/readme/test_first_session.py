"""The README's first session works as it stands there, in that order, on the demo's data."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from tests.readme.reading import ADDRESS, ROOT, Reader, blocks
from tests.serving import Site

README = (ROOT / "README.md").read_text()
OUTCOMES = {
    "See": ("booking.status", "CONFIRMED"),
    "Leave": ("endBooking.booking.status", "COMPLETED"),
    "Receipt": ("booking.payments.0.status", "SUCCEEDED"),
}


def test_the_first_session_works_as_written(site: Site, tmp_path: Path, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    call_command("seed_demo", verbosity=0)
    reader = Reader(site, outcomes=OUTCOMES)
    reader.follow(README)
    assert reader.passed == []
    assert reader.followed == [
        "FindConcerts", "SignIn", "HoldTickets", "Pay", "See", "FindStays", "HoldNights", "FindParking", "Park",
        "SaveCard", "Leave", "Receipt", "SignInAsHost", "Offer", "Publish", "Hosting",
    ]  # fmt: skip


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_example_for_the_shell_works(site: Site, tmp_path: Path) -> None:
    (example,) = [text for _, text in blocks(README, "sh") if "curl" in text]
    assert ADDRESS in example
    printed = Reader(site, outcomes={}).run_in_shell(example, folder=tmp_path)
    assert json.loads(printed)["data"] == {"listings": {"totalCount": 0, "edges": []}}


def test_it_names_every_format_of_the_importer() -> None:
    shipped = {path.stem for path in (ROOT / "apps/importing/formats").glob("*.toml")}
    section = README.partition("## Import a city")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([\w-]+)` \|", section, re.MULTILINE)) == shipped
