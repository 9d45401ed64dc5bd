"""Pages for staff that stand on no table. They open only inside `AdminSite.admin_view`."""

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from apps.core import mailbox


def mails(request: HttpRequest) -> HttpResponse:
    """The mails of the demo, the newest first. Not there in production."""
    if not mailbox.is_open():
        raise Http404
    shown = {**admin.site.each_context(request), "title": "Mails", "mails": mailbox.newest()}
    return render(request, "mails/list.html", shown)


def mail(request: HttpRequest, name: str) -> HttpResponse:
    """One mail as plain text, with links that can be followed."""
    found = mailbox.read(name) if mailbox.is_open() else None
    if found is None:
        raise Http404
    return render(
        request, "mails/mail.html", {**admin.site.each_context(request), "title": found.subject, "mail": found}
    )
