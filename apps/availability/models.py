"""The capacity ledger. The database has the last word: an overlap and an oversell are refused by constraints."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Q

from apps.core.periods import Period
from apps.listings.models import Listing

# Who holds a block. Blocks may overlap each other, so they share one holder; every booking has one of its own.
BLOCK_HOLDER = 0
# The source of the blocks that a host made by hand. Those of other sources leave alone what is booked.
BY_HOST = "HOST"
UPPER_BOUND, LOWER_BOUND = (models.Func("period", function=name) for name in ("upper", "lower"))


class Unit(models.Model):
    """One exclusive thing of a listing: a room, a member of staff, a parking spot. Used at most once at a time."""

    listing = models.ForeignKey(Listing, on_delete=models.CASCADE, related_name="exclusive_units")
    number = models.PositiveIntegerField()
    # A unit that the host took away sells nothing more; what it sold stands.
    is_offered = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["listing", "number"], name="unit_number_once")]

    def __str__(self) -> str:
        return f"unit {self.number} of listing {self.listing_id}"


class Stock(models.Model):
    """Counted things of a listing, tickets: how many there are and how many are taken."""

    listing = models.OneToOneField(Listing, on_delete=models.CASCADE, primary_key=True, related_name="stock")
    capacity = models.PositiveIntegerField()
    taken = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(taken__gte=0, taken__lte=F("capacity")), name="stock_never_oversold")
        ]

    def __str__(self) -> str:
        return f"{self.taken} of {self.capacity} of listing {self.listing_id}"


class Allocation(models.Model):
    """A place in the calendar that is taken: of a unit for a period, or a quantity of the stock.

    `holder` is 0 for blocks and a number of its own for each booking, so that a booking's new place never conflicts
    with its old one and blocks never conflict with blocks. `held_until` is set while the place is only held: after
    that instant it counts as free, and whoever comes first clears it away.
    """

    # Asked for are those that are active, which have indexes of their own below: one of all would only be one more to write.
    listing = models.ForeignKey(Listing, on_delete=models.CASCADE, related_name="allocations", db_index=False)
    unit = models.ForeignKey(
        Unit, on_delete=models.CASCADE, null=True, blank=True, related_name="allocations", db_index=False
    )
    quantity = models.PositiveIntegerField(default=1)
    period = DateTimeRangeField()
    holder = models.BigIntegerField()
    is_active = models.BooleanField(default=True)
    held_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="allocation_never_overlaps",
                expressions=[
                    (F("unit"), RangeOperators.EQUAL),
                    (F("period"), RangeOperators.OVERLAPS),
                    (F("holder"), RangeOperators.NOT_EQUAL),
                ],
                condition=Q(is_active=True),
            ),
            models.CheckConstraint(
                condition=Q(period__isempty=False, period__lower_inf=False, period__upper_inf=False),
                name="allocation_period_is_bounded",
            ),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="allocation_quantity"),
            models.CheckConstraint(condition=Q(unit=None) | Q(quantity=1), name="allocation_unit_is_one"),
        ]
        indexes = [
            models.Index(
                fields=["listing", "held_until"],
                condition=Q(is_active=True, held_until__isnull=False),
                name="allocation_held_of_listing",
            ),
            # What has ended is passed over, and of what is still to come only what is in the way is fetched.
            models.Index(
                F("listing"), UPPER_BOUND, LOWER_BOUND, condition=Q(is_active=True), name="allocation_taken_of_listing"
            ),
            models.Index(
                F("unit"), UPPER_BOUND, LOWER_BOUND, condition=Q(is_active=True), name="allocation_taken_of_unit"
            ),
        ]

    def __str__(self) -> str:
        return f"allocation {self.pk}"

    @property
    def occupied(self) -> Period:
        return Period(self.period.lower, self.period.upper)


class Block(models.Model):
    """A period that is off the market, as the host or an outside calendar said it; allocations of holder 0 carry it out."""

    listing = models.ForeignKey(Listing, on_delete=models.CASCADE, related_name="host_blocks")
    period = DateTimeRangeField()
    reason = models.CharField(max_length=1000, blank=True)
    source = models.CharField(max_length=150, default=BY_HOST)
    created_at = models.DateTimeField()

    class Meta:
        permissions = [("block_period", "Can take periods of listings off the market")]
        indexes = [models.Index(fields=["listing", "period"], name="block_of_listing")]

    def __str__(self) -> str:
        return f"block {self.pk}"
