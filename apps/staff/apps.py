import json
from typing import Any

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.utils.html import format_html
from django.utils.safestring import SafeString


def json_as_text(data: Any, encoder: type[json.JSONEncoder] | None) -> SafeString:
    """JSON as it is read, in place of the theme's, whose inline styles the admin's policy refuses."""
    return format_html('<pre class="staff-json">{}</pre>', json.dumps(data, sort_keys=True, indent=2, cls=encoder))


class StaffConfig(AppConfig):
    name = "apps.staff"

    def ready(self) -> None:
        from unfold import fields

        from apps.staff.actions import Keeper
        from apps.staff.acts import register_acts
        from apps.users.second_factor import register

        register_acts()
        register(Keeper())
        fields.prettify_json = json_as_text


class StaffAdminConfig(admin_apps.AdminConfig):
    """Django admin, with the site of `apps.staff.site` as the one that `admin.register` registers with."""

    default = False
    default_site = "apps.staff.site.StaffSite"
