"""The page of Django admin on which staff change their own password: by the rules of the API, and as slow to guess at."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from unfold.forms import AdminOwnPasswordChangeForm

from apps.audit.actions import record
from apps.audit.models import AuditKind
from apps.audit.origin import address
from apps.core.errors import DomainError, InvalidCredentials, WeakPassword
from apps.core.throttling import TooManyTries, guessing
from apps.users import passwords
from apps.users.actions.credentials import change_password_in_admin
from apps.users.guesses import password_counts, who_signs_in
from apps.users.models import User


class OwnPasswordForm(AdminOwnPasswordChangeForm):
    """The old password once, the new one twice. Tries at the old one count together with sign-ins."""

    required_css_class = "required"
    user: User

    @sensitive_variables("old_password")
    def clean_old_password(self) -> str:
        old_password: str = self.cleaned_data["old_password"]
        counts = password_counts(who_signs_in(email=self.user.email, address=address()), address=address())
        try:
            with guessing(*counts):
                if not passwords.is_right(old_password, user=self.user):
                    raise InvalidCredentials("The password is wrong.")
        except TooManyTries as refused:
            if refused.is_news:
                record(AuditKind.TRIES_LIMITED, now=timezone.now(), actor_id=self.user.pk, what="password")
            raise ValidationError(f"Too many tries. Try again in {refused.retry_after} s.") from refused
        except InvalidCredentials as wrong:
            raise ValidationError(self.error_messages["password_incorrect"], code="password_incorrect") from wrong
        return old_password

    @sensitive_variables("password")
    def validate_password_for_user(self, user: Any, password_field_name: str = "new_password2") -> None:  # noqa: S107
        password = self.cleaned_data.get(password_field_name)
        if not password:
            return
        try:
            passwords.check_strength(password, user=user, field=password_field_name)
        except WeakPassword as weak:
            self.add_error(password_field_name, weak.message)

    def save(self, commit: bool = True) -> User:
        try:
            user = change_password_in_admin(
                viewer=self.user,
                current_password=self.cleaned_data["old_password"],
                new_password=self.cleaned_data["new_password1"],
                now=timezone.now(),
            )
        except DomainError as error:
            # Another request changed it in this very moment.
            raise PermissionDenied from error
        # What goes on hangs on the account as it is now.
        self.user = user
        return user


class OwnPasswordView(PasswordChangeView):
    """Every session ends but this one."""

    form_class = OwnPasswordForm
    template_name = "registration/password_change_form.html"

    def get_success_url(self) -> str:
        return reverse("admin:password_change_done")

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        return super().get_context_data(**more, **admin.site.each_context(self.request))


def own_password(request: HttpRequest) -> HttpResponseBase:
    """The page; it stands inside `AdminSite.admin_view`."""
    return OwnPasswordView.as_view()(request)
