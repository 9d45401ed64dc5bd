"""Query and Mutation, assembled from the areas."""

from __future__ import annotations

import graphene

from schema.accounts.mutations import AccountMutations
from schema.bookings.mutations import BookingMutations
from schema.bookings.queries import BookingQueries
from schema.core.nodes import NodeQueries
from schema.integrations.mutations import IntegrationMutations
from schema.kinds import KindMutations, kind_types
from schema.listings.mutations import ListingMutations
from schema.listings.queries import ListingQueries
from schema.live.subscriptions import LiveSubscriptions
from schema.notifications.mutations import NotificationMutations
from schema.payments.mutations import PaymentMutations
from schema.payments.queries import PaymentQueries
from schema.reviews.mutations import ReviewMutations
from schema.users.mutations import UserMutations
from schema.users.queries import UserQueries


class Query(NodeQueries, UserQueries, ListingQueries, BookingQueries, PaymentQueries, graphene.ObjectType):
    """What can be read."""


class Mutation(
    UserMutations,
    AccountMutations,
    KindMutations,
    ListingMutations,
    BookingMutations,
    PaymentMutations,
    ReviewMutations,
    NotificationMutations,
    IntegrationMutations,
    graphene.ObjectType,
):
    """What can be done."""


class Subscription(LiveSubscriptions, graphene.ObjectType):
    """What can be followed."""


schema = graphene.Schema(query=Query, mutation=Mutation, subscription=Subscription, types=kind_types())
