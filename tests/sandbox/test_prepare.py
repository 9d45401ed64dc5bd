"""A database that is as it was left needs no second look; any other one is brought to the code."""

from pathlib import Path
from typing import Any

import pytest
from django.core import management
from django.db import connection

from apps.users.models import User
from sandbox import prepare
from sandbox.emulator import KEY
from tests.recipes import make_guest


@pytest.mark.django_db(transaction=True)
def test_a_database_is_prepared_again_when_it_is_not_as_it_was_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**connection.settings_dict)
    monkeypatch.setenv("DATABASE_URL", place)
    brought_up = []

    def bring_up() -> None:
        brought_up.append(make_guest(email="guest@example.com"))

    monkeypatch.setattr(prepare, "bring_up", bring_up)
    note = tmp_path / "prepared"
    prepare.main(note)
    prepare.main(note)
    assert len(brought_up) == 1
    User.objects.all().delete()
    prepare.main(note)
    assert len(brought_up) == 2
    note.write_text(note.read_text().replace(note.read_text()[:8], "00000000"))
    User.objects.all().delete()
    prepare.main(note)
    assert len(brought_up) == 3


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("key", "base", "emulated"),
    [
        (KEY, "http://127.0.0.1:9", True),
        ("sk_live_of_somebody", "", False),
        ("sk_test_of_somebody", "http://127.0.0.1:9", False),
        (KEY, "", False),
    ],
)
def test_only_the_emulator_is_given_payments_that_never_were(
    monkeypatch: pytest.MonkeyPatch, settings: Any, key: str, base: str, emulated: bool
) -> None:
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = key, base
    commands: list[tuple[Any, ...]] = []
    given: list[str] = []
    monkeypatch.setattr(management, "call_command", lambda *names, **options: commands.append((*names, options)))
    monkeypatch.setattr(prepare, "give_past_payments", given.append)
    prepare.bring_up()
    assert commands[1] == ("seed_demo", {"paid": emulated})
    assert given == [base] * emulated
