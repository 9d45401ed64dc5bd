"""Opening an account, what it says about its owner, and what it may do."""

from datetime import datetime
from typing import IO, Any

from django.db import IntegrityError, connection, transaction

from apps.audit.actions import record
from apps.audit.models import AuditKind
from apps.core.db import require_transaction, unit_of_work
from apps.core.errors import AccountClosed, Collector, Duplicate, NotAllowed, NotFound, Required
from apps.core.pictures import clean_picture
from apps.users import passwords
from apps.users.actions.mail_tokens import mail_link
from apps.users.actions.sessions import open_session
from apps.users.models import MailPurpose, User, UserRole
from apps.users.profiles import Registration, clean_name, clean_phone_number, clean_registration
from apps.users.selectors import user_by_email
from apps.users.tokens import TokenPair

ONE_ACCOUNT_PER_EMAIL = "user_email_once"


def sign_up(
    *,
    email: str,
    password: str,
    first_name: str,
    last_name: str,
    phone_number: str | None,
    user_agent: str,
    now: datetime,
) -> TokenPair:
    """A new guest, signed in, with a mail under way that lets them verify their address.

    Raises InputErrors with all that is wrong in the input, then Duplicate at `email` when the address has an account.
    """
    registration = clean_registration(
        email=email, password=password, first_name=first_name, last_name=last_name, phone_number=phone_number
    )
    if user_by_email(registration.email) is not None:
        raise _taken("email")
    password_hash = passwords.hashed(registration.password)
    return _registered(registration, password_hash, user_agent=user_agent, now=now)


@unit_of_work
def _registered(registration: Registration, password_hash: str, *, user_agent: str, now: datetime) -> TokenPair:
    user = User(
        email=registration.email,
        password=password_hash,
        first_name=registration.first_name,
        last_name=registration.last_name,
        phone_number=registration.phone_number,
        joined_at=now,
    )
    save_with_email(user, field="email")
    record(AuditKind.SIGNED_UP, now=now, user_id=user.pk, actor_id=user.pk)
    mail_link(user=user, purpose=MailPurpose.VERIFY_EMAIL, email=user.email, now=now)
    return open_session(user=user, user_agent=user_agent, now=now)


def save_with_email(user: User, *, field: str) -> None:
    """Save the account under its address. A step; raises Duplicate at `field` when somebody else has the address by now.

    Who wants the same address at the same moment waits here. The constraint would tell them apart too, but the database writes what
    it refuses into its log: the whole row, with the person's data.
    """
    require_transaction()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"email of an account: {user.email}"])
    if User.objects.with_email(user.email).exclude(pk=user.pk).exists():
        raise _taken(field)
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError as error:
        diagnosis = getattr(error.__cause__, "diag", None)
        if getattr(diagnosis, "constraint_name", None) != ONE_ACCOUNT_PER_EMAIL:
            raise
        raise _taken(field) from error


def _taken(field: str) -> Duplicate:
    return Duplicate("There is an account with this email.", field=field)


@unit_of_work
def become_host(*, viewer: User, now: datetime) -> User:
    """A guest may list things from now on. Hosts and staff stay what they are."""
    user = _locked(viewer)
    if user.role == UserRole.GUEST:
        record(
            AuditKind.ROLE_CHANGED, now=now, user_id=user.pk, actor_id=user.pk, before=user.role, after=UserRole.HOST
        )
        user.role = UserRole.HOST
        user.save(update_fields=["role", "updated_at"])
    return user


@unit_of_work
def set_user_role(*, viewer: User, user_id: int | None, role: UserRole, now: datetime) -> User:
    """Give an account a role; the caller is staff. Who is not staff any more is no superuser either.

    Raises NotAllowed at `user_id` for oneself, in either direction, and NotFound for an account that is not there.
    """
    if user_id == viewer.pk:
        raise NotAllowed("Nobody changes their own role.", field="user_id")
    user = User.objects.select_for_update(of=("self",)).filter(pk=user_id or 0, deleted_at=None).first()
    if user is None:
        raise NotFound("There is no such account.", field="user_id")
    if user.role != role:
        record(AuditKind.ROLE_CHANGED, now=now, user_id=user.pk, actor_id=viewer.pk, before=user.role, after=role.value)
    user.role = role
    user.is_superuser = user.is_superuser and role == UserRole.STAFF
    user.save(update_fields=["role", "is_superuser", "updated_at"])
    return user


@unit_of_work
def update_profile(*, viewer: User, changes: dict[str, Any]) -> User:
    """Change what is named in `changes`: first_name, last_name, phone_number. None takes the phone number away.

    Raises InputErrors with all that is wrong, such as Required for a name that is None or blank.
    """
    problems = Collector()
    cleaned: dict[str, str] = {}
    for field in ("first_name", "last_name"):
        if field in changes:
            with problems.caught():
                if changes[field] is None:
                    raise Required("This is required.", field=field)
                cleaned[field] = clean_name(changes[field], field=field)
    if "phone_number" in changes:
        with problems.caught():
            cleaned["phone_number"] = clean_phone_number(changes["phone_number"], field="phone_number")
    problems.raise_if_any()
    user = _locked(viewer)
    if cleaned:
        for field, value in cleaned.items():
            setattr(user, field, value)
        user.save(update_fields=[*cleaned, "updated_at"])
    return user


def upload_profile_picture(*, viewer: User, file: IO[bytes]) -> User:
    """Show this picture from now on. Raises Invalid at `file` unless it is a PNG, JPEG or WebP within bounds."""
    picture = clean_picture(file, field="file")
    return _pictured(viewer=viewer, picture=picture)


def remove_profile_picture(*, viewer: User) -> User:
    """Show no picture from now on; no error when there was none."""
    return _pictured(viewer=viewer, picture=None)


@unit_of_work
def _pictured(*, viewer: User, picture: Any) -> User:
    user = _locked(viewer)
    field = user.profile_picture
    storage, old = field.storage, field.name
    if picture is None:
        user.profile_picture = None
    else:
        field.save(picture.name, picture, save=False)
    user.save(update_fields=["profile_picture", "updated_at"])
    if old:
        # The old file goes once nothing points at it any more.
        transaction.on_commit(lambda: storage.delete(old), robust=True)
    return user


def _locked(viewer: User) -> User:
    """The present row of the caller, which keeps the session it came with. Raises AccountClosed."""
    user = User.objects.select_for_update(of=("self",)).filter(pk=viewer.pk, is_active=True).first()
    if user is None:
        raise AccountClosed
    user.current_session = viewer.current_session
    return user
