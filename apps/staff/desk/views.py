"""The pages of the desk. They open only inside `AdminSite.admin_view`."""

import uuid
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.apps import apps
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import AnonymousUser
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_safe

from apps.bookings.models import Booking
from apps.bookings.stuck import MOST, count_stuck, stuck_money
from apps.core.acting import Act, Foresight, act_named
from apps.core.errors import DomainError, InputErrors
from apps.core.ids import READABLE
from apps.listings.kinds import kind_of, relations
from apps.listings.models import Listing
from apps.listings.offers import Occupancy
from apps.payments.gateway import GatewayUnavailable
from apps.staff.desk.forms import WALL_CLOCK, ListingForm, RequestForm
from apps.staff.explaining import explain
from apps.users.models import User

# A page of confirmation that was left open longer is told anew.
FRESH_SECONDS = 1800


def viewer_of(request: HttpRequest) -> User:
    """Who of the staff asks. Raises PermissionDenied for nobody."""
    if isinstance(request.user, AnonymousUser):
        raise PermissionDenied
    return request.user


def row_path(row: Model) -> str:
    """The admin's page of the row; the admin's front page where the row has none."""
    try:
        return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    except NoReverseMatch:
        return reverse("admin:index")


@require_http_methods(["GET", "POST"])
def act_page(request: HttpRequest, app_label: str, model_name: str, pk: int, name: str) -> HttpResponse:
    """What an act will do, and by POST with what the page said: doing it."""
    act, row = _found(request, app_label, model_name, pk, name)
    back = _back(request, row)
    if request.method == "POST" and "token" in request.POST:
        return _do(request, act, row, back)
    now = timezone.now()
    begins = {**request.GET.dict(), "now": now}
    form = act.make_form(row, data=request.POST if request.method == "POST" else None, initial=begins)
    foresight: Foresight | None = None
    problems: list[str] = []
    if form is None or (form.is_bound and form.is_valid()):
        said = {} if form is None else form.cleaned_data
        try:
            foresight = act.foresee(row=row, viewer=viewer_of(request), said=said, now=now)
        except DomainError as error:
            problems = _told(error, form)
    token = None
    if foresight is not None:
        asked = {"act": name, "row": f"{row._meta.label}:{row.pk}", "key": uuid.uuid4().hex, "terms": foresight.terms}
        token = signing.dumps(asked, salt=_salt(request))
    context = {
        **admin.site.each_context(request),
        "title": f"{act.title}: {_named(row)}",
        "act": act,
        "form": form,
        "foresight": foresight,
        "token": token,
        "problems": problems,
        "back": back,
    }
    return render(request, "staff/act.html", context)


def _found(request: HttpRequest, app_label: str, model_name: str, pk: int, name: str) -> tuple[Act, Model]:
    try:
        model = apps.get_model(app_label, model_name)
    except LookupError:
        raise Http404 from None
    act = act_named(model._meta.label, name)
    if act is None:
        raise Http404
    seeing = f"{model._meta.app_label}.view_{model._meta.model_name}"
    if not (request.user.has_perm(seeing) and request.user.has_perm(act.permission)):
        raise PermissionDenied
    related = [field.name for field in model._meta.concrete_fields if field.is_relation]
    row = model._default_manager.select_related(*related).filter(pk=pk).first()
    if row is None:
        raise Http404
    return act, row


def _do(request: HttpRequest, act: Act, row: Model, back: str) -> HttpResponse:
    viewer = viewer_of(request)
    try:
        asked = signing.loads(request.POST["token"], salt=_salt(request), max_age=FRESH_SECONDS)
    except signing.BadSignature:
        messages.error(request, "Nothing was done: the page was too old. Look again at what is going to happen.")
        return HttpResponseRedirect(request.path)
    if (asked["act"], asked["row"]) != (act.name, f"{row._meta.label}:{row.pk}"):
        raise PermissionDenied
    try:
        act.act(row=row, viewer=viewer, terms=asked["terms"], key=asked["key"], now=timezone.now())
    except DomainError as error:
        messages.error(request, f"Nothing was done. {' '.join(_told(error, None))}")
    except GatewayUnavailable:
        messages.error(request, "The card processor cannot be reached. It is asked again by itself.")
    else:
        _log(viewer, act, row, asked["key"])
        messages.success(request, f"{act.done}: {_named(row)}")
    return HttpResponseRedirect(back)


def _log(viewer: User, act: Act, row: Model, key: str) -> None:
    """In the row's history of the admin, once for each confirmation."""
    message = f"{act.done} ({key[:8]})"
    if not LogEntry.objects.filter(user=viewer, object_id=str(row.pk), change_message=message).exists():
        LogEntry.objects.log_actions(viewer.pk, [row], 2, change_message=message, single_object=True)


def _told(error: DomainError, form: forms.Form | None) -> list[str]:
    """The error in words, those that belong to a field beside it."""
    rest = []
    for each in error.errors if isinstance(error, InputErrors) else [error]:
        if form is not None and each.field and each.field[0] in form.fields:
            form.add_error(each.field[0], each.message)
        else:
            rest.append(each.message)
    return rest


def _salt(request: HttpRequest) -> str:
    """What a page says is said to one person."""
    return f"staff-act:{request.user.pk}"


def _named(row: Any) -> str:
    """The row in a heading; people by number, as everywhere."""
    return str(row)


def _back(request: HttpRequest, row: Model) -> str:
    """Where it goes on: the page that led here, where it is one of ours, else the row's own."""
    asked = request.GET.get("next", "")
    if asked and url_has_allowed_host_and_scheme(asked, allowed_hosts=None):
        return asked
    return row_path(row)


@require_safe
def why_page(request: HttpRequest) -> HttpResponse:
    """Why a listing cannot be booked as somebody wants to, or what it would cost."""
    if not request.user.has_perm("listings.view_listing"):
        raise PermissionDenied
    now = timezone.now()
    asked = request.GET.get("listing", "").strip()
    context: dict[str, Any] = {**admin.site.each_context(request), "title": "Why is it unavailable?", "now": now}
    context["which"] = ListingForm({"listing": asked} if asked else None)
    listing, booking = _listing_asked(asked)
    if listing is not None:
        data = request.GET.dict() or {}
        wanted = set(data) - {"listing"}
        if booking is not None and not wanted:
            data = {**data, **_as_booked(booking)}
            wanted = set(data) - {"listing"}
        form = RequestForm(listing, data if wanted else None)
        context |= {"listing": listing, "form": form}
        if form.is_bound and form.is_valid():
            unit = form.cleaned_data.get("unit")
            context["told"] = explain(listing=listing, request=form.request(), unit_number=unit, now=now)
    elif asked:
        context["missing"] = asked
    return render(request, "staff/why.html", context)


def _listing_asked(asked: str) -> tuple[Listing | None, Booking | None]:
    rows = Listing.objects.select_related("host", *relations())
    if asked.isdecimal() and len(asked) < 19:
        return rows.filter(pk=int(asked)).first(), None
    is_reference = asked != "" and set(asked.upper()) <= set(READABLE)
    booking = Booking.objects.filter(reference=asked.upper()).first() if is_reference else None
    return (None, None) if booking is None else (rows.filter(pk=booking.listing_id).first(), booking)


def _as_booked(booking: Booking) -> dict[str, str]:
    """The request that the booking stands for, as the form writes it."""
    listing = Listing.objects.select_related(*relations()).get(pk=booking.listing_id)
    period = booking.span
    occupancy = Occupancy(
        period, period, booking.tickets, check_in=booking.check_in, check_out=booking.check_out, guests=booking.guests
    )
    asked = kind_of(listing).request_of(listing, occupancy)
    zone = ZoneInfo(listing.time_zone)
    return {
        name: value.astimezone(zone).strftime(WALL_CLOCK) if isinstance(value, datetime) else str(value)
        for name in sorted(asked.given())
        if (value := getattr(asked, name)) is not None
    }


@require_safe
def stuck_page(request: HttpRequest) -> HttpResponse:
    """Money that needs somebody."""
    if not sees_money(request):
        raise PermissionDenied
    now = timezone.now()
    sorts = stuck_money(now=now)
    context = {
        **admin.site.each_context(request),
        "title": "Stuck money",
        "sorts": [(sort, rows) for sort, rows in sorts if rows],
        "count": sum(len(rows) for _, rows in sorts),
        "most": MOST,
        "now": now,
    }
    return render(request, "staff/stuck.html", context)


def sees_money(request: HttpRequest) -> bool:
    """Whether who asks sees bills and payments."""
    return request.user.has_perm("payments.view_bill") and request.user.has_perm("payments.view_charge")


def count_of_stuck(request: HttpRequest) -> int:
    """How much money needs somebody."""
    return count_stuck(now=timezone.now())
