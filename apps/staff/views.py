"""The pages on which members of the staff set up and prove their second factor, and what the dashboard shows."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import django_otp
import segno
from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME, update_session_auth_hash
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.audit.actions import record
from apps.audit.models import AuditKind
from apps.audit.origin import address
from apps.core.errors import InvalidCredentials
from apps.core.throttling import TooManyTries, guessing
from apps.staff import codes
from apps.staff.actions import begin_second_factor, confirm_second_factor, prove_second_factor, renew_backup_codes
from apps.staff.charts import drawn
from apps.staff.dashboard import dashboard_for, range_of
from apps.staff.models import SecondFactor
from apps.staff.site import PAGES, StaffSite
from apps.users.guesses import code_counts
from apps.users.models import User
from apps.users.second_factor import LONGEST_CODE, Missing

Result = TypeVar("Result")


class CodeForm(forms.Form):
    """One code: of the app or, where they are taken, a backup code."""

    code = forms.CharField(
        max_length=LONGEST_CODE,
        label="Code",
        widget=UnfoldAdminTextInputWidget(
            attrs={"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false", "autocapitalize": "off"}
        ),
    )

    def clean_code(self) -> str:
        return "".join(str(self.cleaned_data["code"]).split())


Page = Callable[[HttpRequest], HttpResponse]


def _for_staff(page: Page) -> Page:
    """The page opens to staff who has signed in, by password at least."""

    @wraps(page)
    def opened(request: HttpRequest) -> HttpResponse:
        if not _site().has_signed_in(request):
            return HttpResponseRedirect(reverse("admin:login"))
        return page(request)

    return never_cache(sensitive_post_parameters("code")(opened))


@_for_staff
def ask(request: HttpRequest) -> HttpResponse:
    """Asks for a code, and lets in who has one."""
    if _site().missing(request) is not Missing.CODE:
        return _onward(request)
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        factor = _slowly(prove_second_factor, form, request)
        if factor is not None:
            _let_in(request, factor)
            return _onward(request)
    return _shown(request, "staff/second_factor.html", title="Second factor", form=form)


@_for_staff
def set_up(request: HttpRequest) -> HttpResponse:
    """Shows the secret as a picture, and the backup codes once the app has shown that it has it.

    Whoever has a second factor already sets up no other one: that takes `manage.py reset_second_factor`.
    """
    if (
        settings.STAFF_TWO_FACTOR == "off"
        or SecondFactor.objects.filter(user_id=request.user.pk, confirmed=True).exists()
    ):
        return _onward(request)
    user, now = _user(request), timezone.now()
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        confirmed = _slowly(confirm_second_factor, form, request)
        if confirmed is not None:
            factor, backup = confirmed
            # Every session has ended but this one.
            update_session_auth_hash(request, user)
            _let_in(request, factor)
            return _shown(
                request, "staff/backup_codes.html", title="Backup codes", backup=backup, onward=_next(request)
            )
    secret = begin_second_factor(user=user, now=now).secret
    picture = segno.make(codes.address(secret, account=user.email), error="m").svg_data_uri(scale=5, border=2)
    return _shown(
        request,
        "staff/set_up.html",
        title="Set up a second factor",
        form=form,
        picture=picture,
        key=codes.written(secret),
    )


@sensitive_post_parameters("code")
def new_backup_codes(request: HttpRequest) -> HttpResponse:
    """New backup codes for a code of the app. Inside `AdminSite.admin_view`."""
    if not SecondFactor.objects.filter(user_id=request.user.pk, confirmed=True).exists():
        return HttpResponseRedirect(reverse(f"admin:{PAGES[Missing.SET_UP]}"))
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        backup = _slowly(renew_backup_codes, form, request)
        if backup is not None:
            return _shown(
                request, "staff/backup_codes.html", title="Backup codes", backup=backup, onward=reverse("admin:index")
            )
    return _shown(request, "staff/second_factor.html", title="New backup codes", form=form, is_renewal=True)


def _slowly(act: Callable[..., Result], form: CodeForm, request: HttpRequest) -> Result | None:
    """What the action makes of the code, or None with a word at the field. Tries are counted as those at passwords are."""
    user, now = _user(request), timezone.now()
    try:
        with guessing(*code_counts(user.pk, address=address())):
            return act(user=user, code=form.cleaned_data["code"], now=now)
    except TooManyTries as refused:
        if refused.is_news:
            record(AuditKind.TRIES_LIMITED, now=now, actor_id=user.pk, what="second-factor")
        form.add_error("code", f"Too many tries. Try again in {refused.retry_after} s.")
    except InvalidCredentials as wrong:
        form.add_error("code", wrong.message)
    return None


def _let_in(request: HttpRequest, factor: SecondFactor) -> None:
    request.session.cycle_key()
    django_otp.login(request, factor)


def _next(request: HttpRequest) -> str:
    """Where somebody was going; the dashboard, unless that is a page of ours."""
    wanted = request.GET.get(REDIRECT_FIELD_NAME, "")
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_ours else reverse("admin:index")


def _onward(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect(_next(request))


def numbers_for(request: HttpRequest) -> dict[str, Any]:
    """What the dashboard shows of the range that the page was asked for."""
    shown = dashboard_for(viewer=_user(request), range_days=range_of(request.GET.get("days", "")), now=timezone.now())
    return {**drawn(shown), "is_empty": shown.is_empty}


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _site() -> StaffSite:
    assert isinstance(admin.site, StaffSite)
    return admin.site


def _shown(request: HttpRequest, template: str, **shown: Any) -> HttpResponse:
    return render(request, template, {**admin.site.each_context(request), **shown})
