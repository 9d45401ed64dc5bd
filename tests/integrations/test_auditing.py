"""Where the data of bookings goes is audited: who registered, changed and removed which endpoint, and never its address."""

import pytest

from apps.audit.models import AuditEvent
from apps.core.errors import DomainError
from apps.integrations import actions
from tests.hosting.inputs import NOW
from tests.integrations.world import listen
from tests.recipes import make_host, make_staff

pytestmark = pytest.mark.django_db(transaction=True)


def rows() -> list[tuple[str, int | None, dict[str, str]]]:
    found = AuditEvent.objects.filter(kind__startswith="WEBHOOK_").order_by("pk")
    return [(row.kind, row.actor_id, row.data) for row in found]


def test_each_step_is_written_down_once() -> None:
    host, staff = make_host(), make_staff()
    endpoint, _ = listen(host, "http://127.0.0.1:9/secret-path")
    actions.update_endpoint(
        viewer=host, endpoint_id=endpoint.pk, url="http://127.0.0.1:9/other", description="x", now=NOW
    )
    # What is as it was is no change.
    actions.update_endpoint(viewer=host, endpoint_id=endpoint.pk, description="x", is_enabled=True, now=NOW)
    actions.rotate_secret(viewer=host, endpoint_id=endpoint.pk, now=NOW)
    actions.update_endpoint(viewer=staff, endpoint_id=endpoint.pk, is_enabled=False, now=NOW)
    with pytest.raises(DomainError):
        actions.delete_endpoint(viewer=make_host(), endpoint_id=endpoint.pk, now=NOW)
    actions.delete_endpoint(viewer=host, endpoint_id=endpoint.pk, now=NOW)
    assert rows() == [
        ("WEBHOOK_REGISTERED", host.pk, {}),
        ("WEBHOOK_CHANGED", host.pk, {"what": "description url"}),
        ("WEBHOOK_CHANGED", host.pk, {"what": "secret"}),
        ("WEBHOOK_CHANGED", staff.pk, {"what": "off"}),
        ("WEBHOOK_REMOVED", host.pk, {}),
    ]
    about = AuditEvent.objects.filter(kind__startswith="WEBHOOK_").values_list("user_id", "subject")
    assert list(about) == 5 * [(host.pk, f"webhook:{endpoint.pk}")]
