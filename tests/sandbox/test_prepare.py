"""A database that is as it was left needs no second look; any other one is brought to the code."""

from pathlib import Path

import pytest
from django.db import connection

from apps.users.models import User
from sandbox import prepare
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
