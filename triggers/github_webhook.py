"""GitHub calls in: verify the raw bytes, read a typed event, hand it on. What headers say stops here."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict

import azure.durable_functions as df
import azure.functions as func

from adapters import connect
from domain import github_events
from domain.errors import BadRequest, Conflict, DrawbridgeError, TooLarge, Unauthorized
from domain.git_flow import Event
from settings import current
from triggers.answers import refusal, refused, structured
from triggers.dispatch import take

MAX_BYTES = 25 * 1024 * 1024  # GitHub does not deliver more

bp = df.Blueprint()
log = logging.getLogger("drawbridge.webhook")


@bp.route(route="github/webhook", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@bp.durable_client_input(client_name="client")
async def github_webhook(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Answer a delivery within a second: what it starts or ends, or why it does nothing."""
    delivery = req.headers.get("x-github-delivery", "")
    try:
        settings = current()
        event = read_event(req.headers, req.get_body(), settings.webhook_secret)
        if settings.github_events == "poll":
            raise Conflict("This app polls GitHub, so deliveries change nothing: delete the webhook on GitHub.")
        answers = await take(client, connect.blobs(settings), settings, event)
    except DrawbridgeError as error:
        refused(log, error, event="webhook", delivery=delivery)
        return refusal(error)
    actions = [asdict(answer) for answer in answers]
    for action in actions:
        structured(log, "webhook", delivery=delivery, decision=action["decision"], instance=action["instance"])
    body = {"decision": actions[0]["decision"], "actions": actions}
    return func.HttpResponse(json.dumps(body), status_code=202, mimetype="application/json")


def read_event(headers: Mapping[str, str], body: bytes, secret: str) -> Event:
    """Turn a delivery into a typed event, without I/O.

    Raises TooLarge over 25 MB, Unauthorized unless the HMAC-SHA256 of the raw body fits, and only then BadRequest for
    what is not JSON or lacks what the event must have.
    """
    if len(body) > MAX_BYTES:
        raise TooLarge("The delivery is larger than 25 MB, so it is not GitHub's: see who else calls this address.")
    _verify(headers.get("x-hub-signature-256", ""), body, secret)
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The delivery is not JSON: set the webhook's content type to application/json.") from error
    return github_events.read(headers.get("x-github-event", ""), payload, headers.get("x-github-delivery", ""))


def _verify(signature: str, body: bytes, secret: str) -> None:
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    # compare_digest refuses text that is not ASCII, so both sides are compared as bytes.
    if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
        raise Unauthorized("The X-Hub-Signature-256 header is missing or does not fit: check the webhook's secret.")
