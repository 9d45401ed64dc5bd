"""A wrong setting ends every process with one line that names it."""

import os
import subprocess
import sys

import pytest

from tests.serving import ROOT


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"SECRET_KEY": "short"}, "holdfast: SECRET_KEY must have at least 32 characters."),
        ({"HOLD_SECONDS": "abc"}, "holdfast: HOLD_SECONDS must be a whole number of at least 1, not 'abc'."),
        ({"DATABASE_URL": ""}, "holdfast: DATABASE_URL is not set; see .env.example."),
        ({"LOG_FORMAT": "xml"}, "holdfast: LOG_FORMAT must be one of line, json, not 'xml'."),
    ],
)
def test_a_wrong_setting_is_told_in_one_line(given: dict[str, str], line: str) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.strip()) == (1, "", line)
