"""Webhooks: registering addresses, and sending again."""

from schema.integrations.mutations.endpoints import (
    CreateWebhookEndpoint,
    DeleteWebhookEndpoint,
    RotateWebhookSecret,
    UpdateWebhookEndpoint,
)
from schema.integrations.mutations.sending import ReplayWebhookDeliveries, ReplayWebhookDelivery, SendTestWebhook


class IntegrationMutations:
    """Mixed into Mutation."""

    create_webhook_endpoint = CreateWebhookEndpoint.Field()
    update_webhook_endpoint = UpdateWebhookEndpoint.Field()
    delete_webhook_endpoint = DeleteWebhookEndpoint.Field()
    rotate_webhook_secret = RotateWebhookSecret.Field()
    send_test_webhook = SendTestWebhook.Field()
    replay_webhook_delivery = ReplayWebhookDelivery.Field()
    replay_webhook_deliveries = ReplayWebhookDeliveries.Field()
