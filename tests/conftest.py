"""What every test may ask for, and the order in which tests begin."""

import gc
from collections.abc import Generator, Iterator

import pytest
from django.core.cache import cache
from django.test import TransactionTestCase
from pytest_django.fixtures import Settings
from whitenoise.base import WhiteNoise
from whitenoise.middleware import WhiteNoiseMiddleware

from tests.emptying import audit_unlocked, empty_tables, renew_session
from tests.serving import Site, serve


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected stays to the end: it is not looked through for garbage, neither meanwhile nor later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first, so that nobody waits for it in the end.

    Then what needs the site: a worker is given its neighbours, so that the fewest start processes of their own.
    """
    items.sort(key=lambda item: (item.get_closest_marker("long") is None, "_processes" not in _fixtures(item)))


def _fixtures(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])


@pytest.fixture(scope="session", autouse=True)
def _quick_emptying() -> Iterator[None]:
    """Between tests that commit, tables are emptied by `empty_tables` instead of by Django's flush, and the connection stays."""
    flush = vars(TransactionTestCase)["_fixture_teardown"]

    def teardown(case: TransactionTestCase) -> None:
        renew_session()
        if not empty_tables():
            with audit_unlocked():
                flush(case)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", teardown)
        patch.setattr(TransactionTestCase, "_should_reload_connections", lambda case: False)
        yield


@pytest.fixture(scope="session", autouse=True)
def _files_listed_once() -> Iterator[None]:
    """The static files are looked for once, and not by every client of a test: each has middleware of its own."""
    found: dict[str, object] = {}
    look = WhiteNoiseMiddleware.add_files_from_finders

    def remember(middleware: WhiteNoise) -> None:
        if not found:
            look(middleware)
            found.update(middleware.files)
        middleware.files.update(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", remember)
        yield


@pytest.fixture(scope="session")
def _processes(
    django_db_setup: None, django_db_blocker: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """One set of processes for the run of this test process."""
    del django_db_setup, django_db_blocker
    with serve(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture
def site(_processes: Site, transactional_db: None) -> Iterator[Site]:
    """The product as real processes on the test database; their sweeps run during the test only."""
    _processes.resume()
    yield _processes
    _processes.rest()


@pytest.fixture(autouse=True)
def _quick_passwords(request: pytest.FixtureRequest, settings: Settings) -> None:
    """Passwords are hashed as cheaply as can be, but where the test is marked `real_passwords`."""
    if "real_passwords" not in request.keywords:
        settings.PASSWORD_HASHERS = ["tests.hashers.QuickArgon2PasswordHasher"]


@pytest.fixture(autouse=True)
def _fresh_counts(request: pytest.FixtureRequest) -> None:
    """No test sees the rate limits that another one used up."""
    if "django_db" in request.keywords:
        cache.clear()
