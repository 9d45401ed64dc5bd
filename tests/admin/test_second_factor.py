"""The second factor of the staff: set up with a picture, proven with codes as an app makes them, reset by a command."""

import re
from datetime import datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from apps.audit.models import AuditEvent
from apps.core.errors import InvalidCredentials
from apps.staff import actions, codes
from apps.staff.models import BackupCode, SecondFactor
from apps.users.models import User
from tests.admin.factors import code_now, secret_of, step_now, with_factor
from tests.recipes import PASSWORD, make_guest, make_staff

pytestmark = pytest.mark.django_db(transaction=True)
ASK, SET_UP, RENEW = "/admin/second-factor/", "/admin/second-factor/set-up/", "/admin/second-factor/backup-codes/"


@pytest.fixture(autouse=True)
def _required(settings: Settings) -> None:
    settings.STAFF_TWO_FACTOR = "required"


@pytest.fixture
def boss() -> User:
    return make_staff(is_superuser=True, password=PASSWORD)


def signed_in(user: User) -> Client:
    client = Client()
    assert client.post("/admin/login/?next=/admin/", {"username": user.email, "password": PASSWORD}).status_code == 302
    return client


def kinds(user: User) -> list[str]:
    found = AuditEvent.objects.filter(user_id=user.pk, kind__startswith="SECOND_FACTOR").order_by("pk")
    return list(found.values_list("kind", flat=True))


def test_who_has_none_sets_it_up_before_anything_opens(boss: User) -> None:
    client = signed_in(boss)
    for path in ("/admin/", "/admin/users/user/", "/admin/password_change/", RENEW):
        answer = client.get(path)
        assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, SET_UP), path
    shown = client.get(SET_UP).content.decode()
    key = re.search(r'id="second-factor-key">([A-Z2-7 ]+)<', shown)
    assert key is not None
    assert key[1] == codes.written(secret_of(boss))
    assert 'src="data:image/svg+xml' in shown
    # The secret is not in the database as it is.
    assert key[1].replace(" ", "") not in secret_of(boss)

    assert "The code is wrong." in client.post(SET_UP, {"code": "000000"}).content.decode()
    assert client.get("/admin/").status_code == 302
    answer = client.post(SET_UP, {"code": code_now(boss)})
    backup = re.findall(r"<li>([0-9A-Z-]+)</li>", answer.content.decode())
    assert len(backup) == codes.BACKUP_CODES
    assert client.get("/admin/").status_code == 200
    assert kinds(boss) == ["SECOND_FACTOR_SET"]
    stored = list(BackupCode.objects.values_list("code_hash", flat=True))
    assert len(stored) == codes.BACKUP_CODES
    assert not any(code.replace("-", "").lower() in each for code in backup for each in stored)
    # Not shown again, and no second one is set up over it.
    assert client.get(SET_UP).status_code == 302
    assert SecondFactor.objects.count() == 1


def test_a_password_alone_opens_nothing(boss: User) -> None:
    with_factor(boss)
    client = signed_in(boss)
    answer = client.get("/admin/users/user/?q=x")
    assert answer["Location"] == f"{ASK}?next=%2Fadmin%2Fusers%2Fuser%2F%3Fq%3Dx"
    assert (
        client.post("/admin/users/user/", {"action": "end_sessions", "_selected_action": [boss.pk]}).status_code == 302
    )
    assert User.objects.get().token_version == boss.token_version
    # Nor does it set up another app.
    assert client.get(SET_UP)["Location"] == "/admin/"
    code = code_now(boss)
    assert (
        client.post(f"{ASK}?next=/admin/users/user/", {"code": f"{code[:3]} {code[3:]}"})["Location"]
        == "/admin/users/user/"
    )
    assert client.get("/admin/users/user/").status_code == 200
    # One code opens once, and one session only.
    other = signed_in(boss)
    assert "The code is wrong." in other.post(ASK, {"code": code}).content.decode()
    assert other.get("/admin/").status_code == 302
    assert kinds(boss) == ["SECOND_FACTOR_SET", "SECOND_FACTOR_PROVEN", "SECOND_FACTOR_REFUSED"]


def test_codes_of_other_times_and_other_people_are_refused(boss: User) -> None:
    with_factor(boss)
    other = make_staff(password=PASSWORD)
    with_factor(other)
    now = timezone.now()
    wrong = [codes.code_at(secret_of(boss), step_now() + off) for off in (-5, 5)]
    wrong += [codes.code_at(secret_of(other), step_now()), "", "123", "abcdef", "\u0660" * 6]
    right = {codes.code_at(secret_of(boss), step_now() + off) for off in (-1, 0, 1, 2)}
    for code in set(wrong) - right:
        with pytest.raises(InvalidCredentials):
            actions.prove_second_factor(user=boss, code=code, now=now)
    assert actions.prove_second_factor(user=boss, code=code_now(boss), now=now)


def test_a_backup_code_opens_once(boss: User) -> None:
    backup = with_factor(boss)
    assert signed_in(boss).post(ASK, {"code": backup[0].lower().replace("-", " ")}).status_code == 302
    assert "The code is wrong." in signed_in(boss).post(ASK, {"code": backup[0]}).content.decode()
    client = signed_in(boss)
    assert client.post(ASK, {"code": backup[1]}).status_code == 302
    # With one at hand nobody makes new ones: that takes the app.
    assert "The code is wrong." in client.post(RENEW, {"code": backup[2]}).content.decode()
    answer = client.post(RENEW, {"code": code_now(boss)})
    made = re.findall(r"<li>([0-9A-Z-]+)</li>", answer.content.decode())
    assert len(made) == codes.BACKUP_CODES
    assert not set(made) & set(backup)
    assert "The code is wrong." in signed_in(boss).post(ASK, {"code": backup[3]}).content.decode()


def test_guessing_is_slow(boss: User) -> None:
    with_factor(boss)
    before = SecondFactor.objects.get().last_step
    client = signed_in(boss)
    for number in range(7):
        text = client.post(ASK, {"code": f"99999{number}"}).content.decode()
    assert "Too many tries. Try again in" in text
    # Not even the right code is taken now, and it is not used up.
    code = code_now(boss)
    assert client.post(ASK, {"code": code}).status_code == 200
    assert SecondFactor.objects.get().last_step == before
    assert AuditEvent.objects.filter(kind="TRIES_LIMITED", actor_id=boss.pk, data__what="second-factor").count() == 1


def test_a_command_resets_it(boss: User) -> None:
    with_factor(boss)
    client = signed_in(boss)
    client.post(ASK, {"code": code_now(boss)})
    assert client.get("/admin/").status_code == 200
    told = StringIO()
    call_command("reset_second_factor", boss.email, stdout=told)
    assert "forgotten" in told.getvalue()
    # The session that had proven it is over with it.
    assert client.get("/admin/")["Location"].startswith("/admin/login/")
    assert not BackupCode.objects.exists()
    assert kinds(boss)[-1] == "SECOND_FACTOR_RESET"
    assert signed_in(boss).get("/admin/")["Location"].startswith(SET_UP)
    for email, said in ((boss.email, "has no second factor"), ("nobody@example.com", "nobody has this address")):
        with pytest.raises(CommandError, match=said):
            call_command("reset_second_factor", email)


def test_the_setting_says_who_is_asked(boss: User, settings: Settings) -> None:
    other = make_staff(is_superuser=True, password=PASSWORD)
    with_factor(boss)
    settings.STAFF_TWO_FACTOR = "optional"
    assert signed_in(boss).get("/admin/").status_code == 302
    assert signed_in(other).get("/admin/").status_code == 200
    settings.STAFF_TWO_FACTOR = "off"
    assert signed_in(boss).get("/admin/").status_code == 200
    assert signed_in(other).get(SET_UP).status_code == 302
    assert not SecondFactor.objects.filter(user=other).exists()


def test_its_pages_open_to_staff_alone_and_lead_nowhere_else(boss: User) -> None:
    guest = Client()
    guest.force_login(make_guest())
    for client in (Client(), guest):
        for path in (ASK, SET_UP, RENEW):
            assert client.get(path)["Location"].startswith("/admin/login/")
    with_factor(boss)
    client = signed_in(boss)
    code = code_now(boss)
    assert client.post(f"{ASK}?next=https://elsewhere.example/", {"code": code})["Location"] == "/admin/"
    client = signed_in(boss)
    assert client.post("/admin/logout/").status_code == 200
    assert client.get(ASK)["Location"].startswith("/admin/login/")


def test_a_secret_of_another_key_opens_nothing_and_is_set_up_anew(boss: User, settings: Settings) -> None:
    with_factor(boss)
    code = code_now(boss)
    settings.SECRET_KEY = "another-secret-key-of-at-least-32-signs"
    with pytest.raises(InvalidCredentials):
        actions.prove_second_factor(user=boss, code=code, now=timezone.now())
    SecondFactor.objects.update(confirmed=False)
    old = secret_of(boss)
    actions.begin_second_factor(user=boss, now=timezone.now())
    assert secret_of(boss) != old


def test_the_codes_are_those_of_the_standard() -> None:
    """RFC 6238, appendix B, with eight digits cut to six."""
    secret = codes._cipher().encrypt(b"12345678901234567890").decode()
    for seconds, code in ((59, "287082"), (1111111109, "081804"), (2000000000, "279037")):
        at = datetime.fromtimestamp(seconds, tz=timezone.get_fixed_timezone(0))
        assert codes.code_at(secret, seconds // 30) == code
        assert codes.step_of(code, secret=secret, now=at) == seconds // 30
    assert codes.address(secret, account="a@b.example").startswith(
        "otpauth://totp/Holdfast%3Aa%40b.example?secret=GEZDGNBVGY3TQOJQ"
    )
