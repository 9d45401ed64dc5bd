"""Reads of the money ledger."""

from collections.abc import Iterable

from django.db.models import QuerySet

from apps.payments.models import Charge
from apps.users.models import User


def charges_of_bills(bill_ids: Iterable[int]) -> dict[int, list[Charge]]:
    """The charges of each bill, oldest first."""
    ids = list(bill_ids)
    found: dict[int, list[Charge]] = {pk: [] for pk in ids}
    for charge in Charge.objects.filter(bill__in=ids).order_by("bill", "pk"):
        found[charge.bill_id].append(charge)
    return found


def charges_of(*, payer: User) -> QuerySet[Charge]:
    """What a person paid or tried to, in no order yet."""
    return Charge.objects.filter(payer=payer)


def charges_by_id(ids: Iterable[int]) -> dict[int, Charge]:
    """The charges with these ids. Who may see them is for the caller to decide."""
    return {row.pk: row for row in Charge.objects.filter(pk__in=list(ids))}
