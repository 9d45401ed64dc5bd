"""Second factors: set up, proven and taken away. Each is written down in the audit."""

from datetime import datetime

from apps.audit.actions import record
from apps.audit.models import AuditKind
from apps.core.db import unit_of_work
from apps.core.errors import InvalidCredentials, NotFound
from apps.staff import codes
from apps.staff.models import BackupCode, SecondFactor
from apps.users.actions.sessions import end_all_sessions
from apps.users.models import User
from apps.users.selectors import user_by_email


@unit_of_work
def begin_second_factor(*, user: User, now: datetime) -> SecondFactor:
    """The second factor that waits to be confirmed, made where there is none yet. One that is confirmed is returned as it is.

    Asked twice it shows the same secret: a page that is opened in two tabs sets up one app.
    """
    User.objects.select_for_update(of=("self",)).get(pk=user.pk)
    found = SecondFactor.objects.filter(user=user).first()
    if found is not None and (found.confirmed or _is_readable(found)):
        return found
    SecondFactor.objects.filter(user=user).delete()
    return SecondFactor.objects.create(
        user=user, name="authenticator", confirmed=False, secret=codes.new_secret(), created_at=now
    )


@unit_of_work
def confirm_second_factor(*, user: User, code: str, now: datetime) -> tuple[SecondFactor, list[str]]:
    """The app has the secret, as its code shows: from now on it is asked for. Returns the backup codes, which nobody sees again.

    Every session until now ends, since a password alone has opened it.

    Raises InvalidCredentials for a wrong code, and where nothing waits to be confirmed.
    """
    # The account before its factor, as for who begins one; who signs in at this moment comes before all of it or after.
    User.objects.select_for_update(of=("self",)).get(pk=user.pk)
    factor = SecondFactor.objects.select_for_update(of=("self",)).filter(user=user, confirmed=False).first()
    if factor is None or not _take_digits(factor, code, now=now):
        raise InvalidCredentials("The code is wrong.", field="code")
    factor.confirmed, factor.confirmed_at = True, now
    factor.save(update_fields=["confirmed", "confirmed_at"])
    record(AuditKind.SECOND_FACTOR_SET, now=now, user_id=user.pk, actor_id=user.pk)
    end_all_sessions(user=user, now=now)
    return factor, _renewed_backup_codes(factor)


def prove_second_factor(*, user: User, code: str, now: datetime) -> SecondFactor:
    """The confirmed second factor, whose code or unused backup code this is; the code is used up by it.

    Raises InvalidCredentials, with the try in the audit.
    """
    factor = _proven(user=user, code=code, now=now)
    if factor is None:
        record(AuditKind.SECOND_FACTOR_REFUSED, now=now, user_id=user.pk, actor_id=user.pk)
        raise InvalidCredentials("The code is wrong.", field="code")
    return factor


@unit_of_work
def _proven(*, user: User, code: str, now: datetime) -> SecondFactor | None:
    factor = SecondFactor.objects.select_for_update(of=("self",)).filter(user=user, confirmed=True).first()
    if factor is None:
        return None
    if _take_digits(factor, code, now=now):
        way = "app"
    elif BackupCode.objects.filter(
        factor=factor, code_hash__in=codes.backup_digests(code, factor_id=factor.pk), used_at=None
    ).update(used_at=now):
        way = "backup code"
    else:
        return None
    record(AuditKind.SECOND_FACTOR_PROVEN, now=now, user_id=user.pk, actor_id=user.pk, way=way)
    return factor


@unit_of_work
def renew_backup_codes(*, user: User, code: str, now: datetime) -> list[str]:
    """New backup codes instead of all there were, for somebody who has the app at hand.

    Raises InvalidCredentials for a wrong code; a backup code is none here.
    """
    factor = SecondFactor.objects.select_for_update(of=("self",)).filter(user=user, confirmed=True).first()
    if factor is None or not _take_digits(factor, code, now=now):
        raise InvalidCredentials("The code is wrong.", field="code")
    record(AuditKind.SECOND_FACTOR_SET, now=now, user_id=user.pk, actor_id=user.pk, what="backup codes")
    return _renewed_backup_codes(factor)


@unit_of_work
def reset_second_factor(*, email: str, now: datetime) -> bool:
    """Forget the second factor of an account, with its backup codes, and end its sessions. False where there was none.

    Raises NotFound where nobody has the address.
    """
    user = user_by_email(email)
    if user is None:
        raise NotFound("Nobody has this address.", field="email")
    User.objects.select_for_update(of=("self",)).get(pk=user.pk)
    factors, _ = SecondFactor.objects.filter(user=user).delete()
    if not factors:
        return False
    end_all_sessions(user=user, now=now)
    record(AuditKind.SECOND_FACTOR_RESET, now=now, user_id=user.pk)
    return True


def _renewed_backup_codes(factor: SecondFactor) -> list[str]:
    made = codes.new_backup_codes()
    factor.backup_codes.all().delete()
    BackupCode.objects.bulk_create(
        BackupCode(factor=factor, code_hash=codes.backup_digest(code, factor_id=factor.pk)) for code in made
    )
    return made


def _take_digits(factor: SecondFactor, code: str, *, now: datetime) -> bool:
    """Whether these are digits of the app that were not taken before. The row is locked by the caller."""
    try:
        step = codes.step_of(code, secret=factor.secret, now=now)
    except codes.SecretUnreadable:
        return False
    if step is None or step <= factor.last_step:
        return False
    factor.last_step = step
    factor.save(update_fields=["last_step"])
    return True


def _is_readable(factor: SecondFactor) -> bool:
    try:
        codes.key_of(factor.secret)
    except codes.SecretUnreadable:
        return False
    return True


class Keeper:
    """What signing in to the API knows of second factors, see `apps.users.second_factor`."""

    def is_set_up(self, *, user_id: int) -> bool:
        return SecondFactor.objects.filter(user_id=user_id, confirmed=True).exists()

    def prove(self, *, user: User, code: str, now: datetime) -> None:
        prove_second_factor(user=user, code=code, now=now)
