"""Approval links: looking changes nothing, deciding is a form that only the right, signed-in person can send."""

from __future__ import annotations

import azure.durable_functions as df
import azure.functions as func

from triggers import voting
from triggers.answers import with_settings

KIND = voting.Kind("approvals", "vote", "decide this approval", "the deployment to {environment}")

bp = df.Blueprint()


@bp.route(route="approvals/{token}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def approval_form(req: func.HttpRequest) -> func.HttpResponse:
    """Show the evidence and a form. Mail scanners and previews may open this as often as they like."""
    return await with_settings(voting.log, req, KIND.event, lambda settings: voting.show(req, settings, KIND))


@bp.route(route="approvals/{token}", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@bp.durable_client_input(client_name="client")
async def approval_vote(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Record one vote, once, and ring for the orchestration that waits."""
    return await with_settings(voting.log, req, KIND.event, lambda settings: voting.take(req, client, settings, KIND))
