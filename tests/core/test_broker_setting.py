"""Jobs wait in Redis unless BROKER_URL names another broker, and each broker is spoken to in its own way."""

import os
import subprocess
import sys
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from kombu import Connection

from booking import settings
from booking.celery import app
from booking.env import Environment
from tests.readme.test_env_example import REQUIRED, ROOT

RABBITMQ = "amqp://holdfast:secret@rabbitmq:5672//"


@pytest.mark.parametrize("url", ["rabbitmq:5672", "http://rabbitmq:5672", "sqs://key@"])
def test_a_wrong_broker_is_told_in_one_line(url: str) -> None:
    with pytest.raises(ImproperlyConfigured) as told:
        Environment.read({**REQUIRED, "BROKER_URL": url}, base=ROOT)
    assert str(told.value) == "BROKER_URL must be a URL that begins with amqp or amqps or redis or rediss://."


def told(connection: Connection) -> list[Any]:
    options = connection.transport_options or {}
    return [connection.transport.driver_type, options.get("confirm_publish"), options.get("global_keyprefix")]


def test_jobs_wait_in_redis_where_nothing_is_said() -> None:
    assert settings.ENV.broker_url == ""
    assert settings.CELERY_BROKER_URL == settings.REDIS_URL
    assert told(app.connection_for_write()) == ["redis", None, "holdfast:"]


def test_jobs_wait_in_rabbitmq_where_it_says_so_and_are_confirmed() -> None:
    program = (
        "import django; django.setup(); from booking.celery import app; from tests.core.test_broker_setting import told;"
        "broker = app.connection_for_write(); print([*told(broker), broker.hostname, broker.userid, broker.virtual_host])"
    )
    environment = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "booking.settings", **REQUIRED}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT, env={**environment, "BROKER_URL": RABBITMQ}, capture_output=True, text=True, timeout=600, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == repr(["amqp", True, None, "rabbitmq", "holdfast", "/"])
