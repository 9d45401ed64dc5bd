"""Pages for staff that stand on no table. They open only inside `AdminSite.admin_view`."""

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from apps.core import mailbox


def mails(request: HttpRequest) -> HttpResponse:
    """The mails of the demo, the newest first. Not there in production, nor for others than superusers."""
    if not _may_read(request):
        raise Http404
    shown = {**admin.site.each_context(request), "title": "Mails", "mails": mailbox.newest()}
    return render(request, "mails/list.html", shown)


def mail(request: HttpRequest, name: str) -> HttpResponse:
    """One mail as plain text, with links that can be followed."""
    found = mailbox.read(name) if _may_read(request) else None
    if found is None:
        raise Http404
    return render(
        request, "mails/mail.html", {**admin.site.each_context(request), "title": found.subject, "mail": found}
    )


def _may_read(request: HttpRequest) -> bool:
    """Mails hold the links with which passwords are set anew."""
    return mailbox.is_open() and request.user.is_superuser
