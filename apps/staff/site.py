"""The site of Django admin: who gets in, what is in it, and how it looks."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.sites import UnfoldAdminSite

from apps.users.models import User
from apps.users.second_factor import Missing, missing_of

# The page on which what is missing is made up for.
PAGES = {Missing.CODE: "second_factor", Missing.SET_UP: "second_factor_set_up"}


class StaffSite(UnfoldAdminSite):
    """Django admin as staff sees it: with STAFF_TWO_FACTOR nothing of it opens before the second factor is proven."""

    site_header = site_title = "Holdfast"
    index_title = "Dashboard"
    index_template = "staff/dashboard.html"

    def has_permission(self, request: HttpRequest) -> bool:
        return self.has_signed_in(request) and self.missing(request) is None

    def has_signed_in(self, request: HttpRequest) -> bool:
        """Whether the password was right, and it is staff."""
        return bool(super().has_permission(request))

    def missing(self, request: HttpRequest) -> Missing | None:
        """What is missing from somebody who has signed in; asked once in a request."""
        if settings.STAFF_TWO_FACTOR == "off" or getattr(request.user, "otp_device", None) is not None:
            return None
        known: dict[str, Missing | None] = request.__dict__.setdefault("_second_factor", {})
        if "missing" not in known:
            assert isinstance(request.user, User)
            known["missing"] = missing_of(request.user)
        return known["missing"]

    def admin_view(
        self, view: Callable[..., HttpResponseBase], cacheable: bool = False
    ) -> Callable[..., HttpResponseBase]:
        """As Django's; who has only signed in is sent to prove the rest first, and may sign out."""
        inner: Callable[..., HttpResponseBase] = super().admin_view(view, cacheable)
        signed_out: Callable[..., HttpResponseBase] = self.logout

        @wraps(inner)
        def gated(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if self.has_signed_in(request) and (missing := self.missing(request)) is not None:
                if view == self.logout:
                    return signed_out(request)
                onward = urlencode({"next": request.get_full_path()}) if request.method == "GET" else ""
                return HttpResponseRedirect(f"{reverse(f'admin:{PAGES[missing]}')}?{onward}")
            return inner(request, *args, **kwargs)

        return gated

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """The dashboard, with what the viewer may see."""
        from apps.staff.views import numbers_for

        answer: TemplateResponse = super().index(request, {**numbers_for(request), **(extra_context or {})})
        return answer

    def extra_urls(self) -> list[URLPattern]:
        """The pages of the second factor, which open to who has signed in."""
        from apps.staff import views

        return [
            path("second-factor/", views.ask, name=PAGES[Missing.CODE]),
            path("second-factor/set-up/", views.set_up, name=PAGES[Missing.SET_UP]),
            path("second-factor/backup-codes/", self.admin_view(views.new_backup_codes), name="backup_codes"),
        ]
