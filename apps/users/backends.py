"""Who may do what in Django admin."""

from typing import Any

from django.apps import apps
from django.contrib.auth.backends import ModelBackend

from apps.users.models import UserRole


class StaffRoleBackend(ModelBackend):
    """Sign-in by email; the staff role sees every table, and changes what its Django groups and permissions name.

    A superuser may do everything, as ever. Losing the role takes all of it away at once.
    """

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        granted = set(super().get_all_permissions(user_obj, obj))
        if obj is None and user_obj.is_active and getattr(user_obj, "role", "") == UserRole.STAFF:
            granted |= {f"{model._meta.app_label}.view_{model._meta.model_name}" for model in apps.get_models()}
        return granted
