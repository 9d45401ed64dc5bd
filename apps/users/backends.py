"""Who may sign in to Django admin, and do what there."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils import timezone

from apps.audit.actions import record
from apps.audit.models import AuditKind
from apps.audit.origin import address
from apps.core.errors import InvalidCredentials
from apps.core.throttling import TooManyTries, guessing
from apps.users.guesses import password_counts, who_signs_in
from apps.users.models import User, UserRole
from apps.users.roles import BY_NAME
from apps.users.selectors import user_by_email


class StaffRoleBackend(ModelBackend):
    """Sign-in by email; of the staff everybody sees and does what their roles, groups and permissions name, and nothing else.

    A superuser of the staff may do everything, as ever. Losing `UserRole.STAFF` takes all of it away at once. Failed tries count
    together with those of `tokenAuth`, and are as slow.
    """

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **fields: Any
    ) -> User | None:
        email = username or str(fields.get("email") or "")
        if not email or password is None:
            return None
        counts = password_counts(who_signs_in(email=email, address=address()), address=address())
        try:
            with guessing(*counts):
                user = super().authenticate(request, username=email, password=password)
                if user is None:
                    raise InvalidCredentials("The email or the password is wrong.")
        except TooManyTries as refused:
            if refused.is_news:
                record(AuditKind.TRIES_LIMITED, now=timezone.now(), what="password")
            raise PermissionDenied from refused
        except InvalidCredentials:
            meant = user_by_email(email)
            record(AuditKind.SIGN_IN_REFUSED, now=timezone.now(), user_id=meant.pk if meant else None, door="admin")
            return None
        assert isinstance(user, User)
        record(AuditKind.SIGNED_IN, now=timezone.now(), user_id=user.pk, actor_id=user.pk, door="admin")
        return user

    def user_can_authenticate(self, user: Any) -> bool:
        """Staff alone: the right password of anybody else opens nothing here, and is no sign-in. Asked for each request too."""
        return super().user_can_authenticate(user) and bool(user.is_staff)

    def get_group_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """What the groups of the account name, and what `apps.users.roles` says of those that are roles of the staff."""
        granted = set(super().get_group_permissions(user_obj, obj))
        if obj is None and user_obj.is_active and getattr(user_obj, "role", "") == UserRole.STAFF:
            granted |= self._of_roles(user_obj)
        return granted

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        granted = set(super().get_all_permissions(user_obj, obj))
        if obj is None and user_obj.is_active and getattr(user_obj, "role", "") == UserRole.STAFF:
            granted |= self._of_roles(user_obj)
        return granted

    @staticmethod
    def _of_roles(user: User) -> set[str]:
        """Asked once for each account that was loaded, as Django does with its own permissions."""
        held: set[str] | None = getattr(user, "_permissions_of_roles", None)
        if held is None:
            names = user.groups.filter(name__in=BY_NAME).values_list("name", flat=True)
            held = {permission for name in names for permission in BY_NAME[name].permissions}
            user._permissions_of_roles = held  # type: ignore[attr-defined]
        return held
