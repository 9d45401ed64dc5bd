"""What watching is asked for by is checked where it is read, and a secret is not shown."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from booking.env import Environment
from tests.readme.test_env_example import REQUIRED
from tests.serving import ROOT


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("METRICS_TOKEN", "short", "METRICS_TOKEN must have at least 16 letters, digits or signs, and no spaces."),
        ("METRICS_TOKEN", "with spaces in it all", "METRICS_TOKEN must have at least 16 letters, digits or signs, and no spaces."),
        ("METRICS_PORT", "65536", "METRICS_PORT must be at most 65535, not 65536."),
        ("METRICS_PORT", "x", "METRICS_PORT must be a whole number of at least 0, not 'x'."),
        ("METRICS_OPERATIONS", "Fine,not fine", "METRICS_OPERATIONS: 'not fine' is no name of an operation."),
        ("METRICS_OPERATIONS", ",".join(f"A{n}" for n in range(501)), "METRICS_OPERATIONS has more than 500 names."),
        ("LOG_FORMAT", "xml", "LOG_FORMAT must be one of line, json, not 'xml'."),
        ("ACCESS_LOG", "maybe", "ACCESS_LOG must be on or off, not 'maybe'."),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317", "OTEL_EXPORTER_OTLP_ENDPOINT must be a URL that begins with http or https://."),
        ("SENTRY_DSN", "https://sentry.example.com/7", "SENTRY_DSN must look like https://key@host/project."),
        ("SENTRY_DSN", "https://key@sentry.example.com/", "SENTRY_DSN must look like https://key@host/project."),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_told_in_one_line(name: str, value: str, line: str) -> None:
    with pytest.raises(ImproperlyConfigured) as told:
        Environment.read({**REQUIRED, name: value}, base=ROOT)
    assert str(told.value) == line


def test_right_settings_are_taken() -> None:
    given = {
        "METRICS_TOKEN": "0123456789abcdef",
        "METRICS_DIR": "/run/holdfast",
        "METRICS_OPERATIONS": "One, Two",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/",
        "SENTRY_DSN": "https://key@sentry.example.com/7",
    }
    read = Environment.read({**REQUIRED, **given}, base=ROOT)
    assert (read.metrics_dir, read.metrics_operations) == (Path("/run/holdfast"), ("One", "Two"))
    assert read.traces_url == "http://collector:4318"


def test_a_process_says_in_one_line_that_it_cannot_keep_or_serve_its_metrics(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        serving = f"from booking.watching.serving import Watching; Watching({port})"
        for given, command, line in (
            ({"METRICS_DIR": str(tmp_path / "file")}, "", "holdfast: METRICS_DIR: "),
            ({}, serving, f"holdfast: METRICS_PORT {port} cannot be served: "),
        ):
            environment = {
                **os.environ,
                "METRICS_TOKEN": "0123456789abcdef",
                "METRICS_DIR": str(tmp_path / "m"),
                **given,
            }
            done = subprocess.run(
                [sys.executable, "-c", f"import django; django.setup(); {command}"],
                cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 1
            assert done.stderr.startswith(line)
            assert done.stderr.count("\n") == 1
