"""Override links: named people let a release go on although its full evaluation did not pass, and say why."""

from __future__ import annotations

import azure.durable_functions as df
import azure.functions as func

from triggers import voting
from triggers.answers import with_settings

KIND = voting.Kind("overrides", "override", "decide this override", "the override of the full evaluation")

bp = df.Blueprint()


@bp.route(route="overrides/{token}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def override_form(req: func.HttpRequest) -> func.HttpResponse:
    """Show what did not pass and a form, as often as anybody likes."""
    return await with_settings(voting.log, req, KIND.event, lambda settings: voting.show(req, settings, KIND))


@bp.route(route="overrides/{token}", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@bp.durable_client_input(client_name="client")
async def override_vote(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Record one decision with its reason, once, and ring for the orchestration that waits."""
    return await with_settings(voting.log, req, KIND.event, lambda settings: voting.take(req, client, settings, KIND))
