"""The providers and issuers that the tests of signing in elsewhere talk to."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
import requests
from django.core.cache import cache
from pytest_django.fixtures import Settings

from apps.users.signin import fetching, key_sets
from apps.users.signin.issuers import read_issuers
from apps.users.signin.return_urls import read_return_urls
from tests.serving import ROOT
from tests.users.journeys import ADA, PAGE, PATIENCE_SECONDS, Provider, entry
from tests.users.publisher import ISSUER, RSA_KEY, Publisher, shown


@pytest.fixture(scope="session")
def _provider_process() -> Iterator[Provider]:
    # The provider is handed the open socket: nobody else can get its port, and what is asked meanwhile waits in line.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number = listening.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.users.oidc_provider", str(number)], cwd=ROOT, pass_fds=[number]
        )
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        requests.get(f"{url}/.well-known/openid-configuration", timeout=PATIENCE_SECONDS).raise_for_status()
        yield Provider(url)
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_SECONDS)


@pytest.fixture
def provider(_provider_process: Provider, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """An honest provider that knows Ada, and that we trust as "idp"."""
    settings.RATE_LIMITS_ENABLED = False
    for bound in ("CONNECT_SECONDS", "READ_SECONDS", "WHOLE_SECONDS"):
        monkeypatch.setattr(fetching, bound, PATIENCE_SECONDS)
    settings.TRUSTED_ISSUERS = read_issuers({"idp": entry(_provider_process), "idp-2": entry(_provider_process, "two")})
    settings.SIGN_IN_RETURN_URLS = read_return_urls([PAGE, "https://app.example.com/below/", "com.example.app:/in"])
    key_sets.forget_all()
    cache.clear()
    _provider_process.knows("ada", **ADA)
    yield _provider_process
    _provider_process.is_honest()


@pytest.fixture
def publisher(settings: Settings) -> Iterator[Publisher]:
    """An issuer with one RSA key, which we trust as "site"."""
    key_sets.forget_all()
    served = Publisher()
    served.keys = [shown(RSA_KEY, "rsa")]
    threading.Thread(target=served.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    settings.TRUSTED_ISSUERS = read_issuers({"site": {"issuer": ISSUER, "jwks_url": served.url}})
    yield served
    served.server.shutdown()
    served.server.server_close()
