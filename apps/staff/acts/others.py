"""Acts on mails, listings, reviews and accounts."""

from datetime import datetime
from typing import Any

from django import forms

from apps.availability.models import BLOCK_HOLDER
from apps.availability.selectors import overlapping
from apps.bookings.models import Booking
from apps.core.acting import Act, Foresight
from apps.core.errors import NotAllowed, Unavailable, WrongState
from apps.core.periods import Period
from apps.hosting.blocks import block_period, check_block
from apps.listings.kinds import kind_of
from apps.listings.models import Listing
from apps.notifications.models import Letter
from apps.notifications.sending_again import address_now, send_again
from apps.reviews.actions import set_hidden
from apps.reviews.models import Review
from apps.staff.acts.words import seen_address
from apps.staff.desk.forms import on_the_wall
from apps.users.actions.standing import end_sessions_of
from apps.users.models import Session, User


class SendAgain(Act):
    """Send a mail that was given up, or has left, once more."""

    name, model, title, done = "resend", "notifications.Letter", "Send again", "Sent again"
    icon, permission = "forward_to_inbox", "notifications.resend_letter"

    def is_offered(self, row: Letter) -> bool:
        return row.next_try_at is None and bool(row.to)

    def foresee(self, *, row: Letter, viewer: Any, said: dict[str, Any], now: datetime) -> Foresight:
        to = address_now(row, now=now)
        subject = row.data.get("subject", row.template)
        is_first = row.failed_at is not None
        sentences = [
            f"One mail leaves, to {seen_address(to, viewer)}: “{subject}”.",
            "It was given up before, and is tried from the beginning."
            if is_first
            else "It is a new mail with the same words, because mailboxes drop what they have had already.",
        ]
        warnings = []
        if to != row.to:
            warnings.append("Its reader has another address by now: it goes there.")
        if row.booking is not None and row.booking.updated_at > row.created_at:
            state = row.booking.status.replace("_", " ").lower()
            warnings.append(f"Booking {row.booking.reference} has changed since it was written. It is {state} now.")
        return Foresight(sentences, {}, warnings)

    def act(self, *, row: Letter, viewer: Any, terms: dict[str, Any], key: str, now: datetime) -> None:
        send_again(viewer=viewer, letter_id=row.pk, idempotency_key=key, now=now)


class BlockForm(forms.Form):
    """From when to when, on the listing's own wall clock."""

    start = forms.DateTimeField(label="From", widget=forms.DateTimeInput(attrs={"type": "datetime-local"}))
    end = forms.DateTimeField(label="Until", widget=forms.DateTimeInput(attrs={"type": "datetime-local"}))
    reason = forms.CharField(required=False, max_length=1000, label="Reason", help_text="The host reads it.")


class BlockPeriod(Act):
    """As `blockPeriod` does, for the host."""

    name, model, title, done = "block", "listings.Listing", "Block a period", "Blocked"
    icon, permission = "event_busy", "availability.block_period"

    def is_offered(self, row: Listing) -> bool:
        return kind_of(row).is_blockable and row.deleted_at is None

    def make_form(self, row: Listing, *, data: Any = None, initial: Any = None) -> forms.Form:
        form = BlockForm(data, initial=initial)
        form.fields["start"].help_text = form.fields["end"].help_text = f"On the clocks of {row.time_zone}."
        return form

    def foresee(self, *, row: Listing, viewer: Any, said: dict[str, Any], now: datetime) -> Foresight:
        start, end = (on_the_wall(said[name], row.time_zone) for name in ("start", "end"))
        if not kind_of(row).is_blockable:
            raise NotAllowed("This kind of listing has no periods to block.", field="listing_id")
        check_block(start=start, end=end, reason=said.get("reason"), now=now)
        taken = overlapping(start, end, now=now).filter(listing=row).exclude(holder=BLOCK_HOLDER)
        named = list(
            Booking.objects.filter(allocation__in=taken).order_by("pk").values_list("reference", flat=True)[:20]
        )
        if named:
            raise Unavailable(f"Bookings lie in this period: {', '.join(named)}.", field="start")
        period = Period(start, end)
        units = row.exclusive_units.filter(is_offered=True).count()
        what = "Its one unit is" if units == 1 else f"All {units} units are"
        return Foresight(
            [
                f"{what} off the market from {said['start']:%Y-%m-%d %H:%M} until {said['end']:%Y-%m-%d %H:%M} on the "
                f"clocks of {row.time_zone} ({period.start:%Y-%m-%d %H:%M} until {period.end:%Y-%m-%d %H:%M} UTC).",
                "The host sees the block among their own and can take it away. Nobody gets a mail.",
            ],
            {"start": start.isoformat(), "end": end.isoformat(), "reason": said.get("reason", "")},
        )

    def act(self, *, row: Listing, viewer: Any, terms: dict[str, Any], key: str, now: datetime) -> None:
        block_period(
            viewer=viewer,
            listing_id=row.pk,
            start=datetime.fromisoformat(terms["start"]),
            end=datetime.fromisoformat(terms["end"]),
            reason=terms["reason"],
            idempotency_key=key,
            now=now,
        )


class HideReview(Act):
    """Take a review out of sight, and out of the average."""

    name, model, title, done = "hide", "reviews.Review", "Hide", "Hidden"
    icon, permission = "visibility_off", "reviews.hide_review"
    is_hidden = True

    def is_offered(self, row: Review) -> bool:
        return (row.hidden_at is None) == self.is_hidden

    def foresee(self, *, row: Review, viewer: Any, said: dict[str, Any], now: datetime) -> Foresight:
        if not self.is_offered(row):
            raise WrongState("It is hidden already." if self.is_hidden else "It is shown already.", field="review_id")
        listing = row.listing
        said_now = f"{listing.rating_average} from {listing.rating_count}" if listing.rating_count else "none yet"
        counts = row.rating is not None and row.external_id == ""
        sentences = [
            "Nobody but its author and staff sees it any more."
            if self.is_hidden
            else "Everybody who sees the listing sees it again.",
            (
                f"The listing's average, {said_now}, is worked out {'without' if self.is_hidden else 'with'} its {row.rating}."
                if counts
                else "It does not count in the listing's average either way."
            ),
            "Nobody gets a mail.",
        ]
        return Foresight(sentences)

    def act(self, *, row: Review, viewer: Any, terms: dict[str, Any], key: str, now: datetime) -> None:
        set_hidden(viewer=viewer, review_id=row.pk, is_hidden=self.is_hidden, now=now)


class ShowReview(HideReview):
    """Show a hidden review again."""

    name, title, done = "show", "Show again", "Shown again"
    icon = "visibility"
    is_hidden = False


class EndSessions(Act):
    """Sign an account out everywhere."""

    name, model, title, done = "end_sessions", "users.User", "End all sessions", "Sessions ended"
    icon, permission, is_grave = "logout", "users.end_sessions", True

    def foresee(self, *, row: User, viewer: Any, said: dict[str, Any], now: datetime) -> Foresight:
        count = Session.objects.filter(user=row, ended_at=None).count()
        devices = "1 session is" if count == 1 else f"{count} sessions are"
        warnings = ["That is your own account: you have to sign in again."] if row.pk == viewer.pk else []
        return Foresight(
            [
                f"{devices} open; every one of them ends, with all access tokens, and so do sign-ins to this admin.",
                "The account itself stays open: its owner can sign in again.",
                "Nobody gets a mail.",
            ],
            {},
            warnings,
        )

    def act(self, *, row: User, viewer: Any, terms: dict[str, Any], key: str, now: datetime) -> None:
        end_sessions_of(user=row, actor_id=viewer.pk, idempotency_key=key, now=now)
