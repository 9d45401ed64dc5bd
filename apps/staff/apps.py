from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class StaffConfig(AppConfig):
    name = "apps.staff"

    def ready(self) -> None:
        from apps.staff.acts import register_acts

        register_acts()


class StaffAdminConfig(admin_apps.AdminConfig):
    """Django admin, with the site of `apps.staff.site` as the one that `admin.register` registers with."""

    default = False
    default_site = "apps.staff.site.StaffSite"
