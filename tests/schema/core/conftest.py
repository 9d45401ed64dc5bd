"""The endpoint on the sample schema."""

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

import schema.views
from tests.schema.core import sample


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Client:
    """An HTTP client of /graphql, served with the sample schema and without rate limits."""
    settings.RATE_LIMITS_ENABLED = False
    monkeypatch.setattr(schema.views, "engine", lambda: sample.engine)
    return Client(enforce_csrf_checks=True)
