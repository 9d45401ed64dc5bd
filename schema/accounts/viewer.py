"""What the signed-in person can take along."""

from __future__ import annotations

from typing import Any

import graphene

from apps.accounts.actions import export
from schema.core.context import Info
from schema.core.errors import Forbidden
from schema.core.limits import EXPORT
from schema.core.scalars import JSON


class ViewerExport:
    """Mixed into Viewer. `parent` is the account."""

    export = graphene.Field(
        JSON, required=True, description="Everything held about this person, and about nobody else."
    )

    def resolve_export(parent: Any, info: Info) -> dict[str, Any]:
        viewer = info.context.require_user()
        if viewer.pk != parent.pk:
            raise Forbidden
        EXPORT.spend(f"user:{viewer.pk}")
        return export(viewer=viewer, now=info.context.now)
