"""What the roles of the staff may do in Django admin: a table, and the only place where that is said.

A role is a Django group of that name, so it is given to somebody on the page of their account. What its members may do comes
from here and not from the database: it is what this version of the product says, on every machine. Nobody may do what is not
named; superusers may do everything.
"""

from dataclasses import dataclass

BOOKINGS = ("bookings.booking", "bookings.bookingline", "bookings.bookingevent")
CALENDAR = ("availability.unit", "availability.stock", "availability.allocation", "availability.block")
CATALOGUE = (
    "listings.listing", "listings.image", "property.property", "service.service", "service.openinghours", "event.event",
    "parking.parkingspot",
)  # fmt: skip
MONEY = ("payments.bill", "payments.charge", "payments.refund", "payments.dispute")
PROCESSOR = ("payments.customer", "payments.card", "payments.receiptcounter", "payments.webhookevent")
TOLD = ("notifications.letter", "notifications.notification", "notifications.reminder")


@dataclass(frozen=True, slots=True)
class Role:
    """`sees` names models as "app.model", `may` permissions as "app.change_model"."""

    name: str
    about: str
    sees: tuple[str, ...]
    may: tuple[str, ...]

    @property
    def permissions(self) -> frozenset[str]:
        """All of it, as Django names permissions."""
        views = (f"{app}.view_{model}" for app, _, model in (each.partition(".") for each in self.sees))
        return frozenset((*views, *self.may))


ROLES: tuple[Role, ...] = (
    Role(
        name="support",
        about="Helps guests and hosts: cancels, sends mails again, ends sessions, hides reviews and blocks days.",
        sees=(*BOOKINGS, *CALENDAR, *CATALOGUE, *MONEY, *TOLD, "reviews.review", "users.user", "users.session"),
        may=(
            "bookings.cancel_booking",
            "notifications.resend_letter",
            "users.change_user",
            "users.change_session",
            "users.end_sessions",
            "reviews.hide_review",
            "availability.block_period",
        ),
    ),
    Role(
        name="finance",
        about="Looks after money: refunds, asks for charges again, sees what is earned.",
        sees=(
            *BOOKINGS,
            *MONEY,
            *PROCESSOR,
            "payments.discrepancy",
            "payments.dealtwith",
            "listings.listing",
            "users.user",
            "notifications.letter",
        ),
        may=("bookings.refund_booking", "bookings.retry_charge", "payments.deal_with_money", "staff.see_revenue"),
    ),
    Role(
        name="content",
        about="Looks after what is offered: listings, their pictures and days, and what is said of them.",
        sees=(*CATALOGUE, *CALENDAR, "reviews.review", "hosting.importedcalendar", "hosting.listingfeed"),
        may=("listings.change_listing", "reviews.hide_review", "availability.block_period"),
    ),
)
BY_NAME = {role.name: role for role in ROLES}
