"""GitHub calls in: verify the raw bytes, read a typed event, decide, start a release once. Vocabulary stops here."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from adapters import connect
from domain.errors import BadRequest, DrawbridgeError, TooLarge, Unauthorized
from domain.git_flow import OtherEvent, Push, decide, release_id
from settings import current
from triggers.answers import refusal, refused, structured
from triggers.start import start_once

MAX_BYTES = 25 * 1024 * 1024  # GitHub does not deliver more

bp = df.Blueprint()
log = logging.getLogger("drawbridge.webhook")


@bp.route(route="github/webhook", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@bp.durable_client_input(client_name="client")
async def github_webhook(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Answer a delivery within a second: what it starts, or why it starts nothing."""
    delivery = req.headers.get("x-github-delivery", "")
    try:
        settings = current()
        event = read_event(req.headers, req.get_body(), settings.webhook_secret)
        request = decide(event, settings.repositories, settings.release_branch)
        instance = release_id(request.repository, request.sha)
        decision = await start_once(client, connect.blobs(settings), "release", instance, asdict(request))
    except DrawbridgeError as error:
        refused(log, error, event="webhook", delivery=delivery)
        return refusal(error)
    structured(log, "webhook", delivery=delivery, decision=decision, release=instance)
    body = {"decision": decision, "release": instance, "url": f"{settings.public_url}/api/releases/{instance}"}
    return func.HttpResponse(json.dumps(body), status_code=202, mimetype="application/json")


def read_event(headers: Mapping[str, str], body: bytes, secret: str) -> Push | OtherEvent:
    """Turn a delivery into a typed event, without I/O.

    Raises TooLarge over 25 MB, Unauthorized unless the HMAC-SHA256 of the raw body fits, and only then BadRequest for
    what is not JSON or lacks what the event must have.
    """
    if len(body) > MAX_BYTES:
        raise TooLarge("The delivery is larger than 25 MB.")
    _verify(headers.get("x-hub-signature-256", ""), body, secret)
    name = headers.get("x-github-event", "")
    delivery = headers.get("x-github-delivery", "")
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The delivery is not JSON: set the webhook's content type to application/json.") from error
    try:
        if name == "push" and payload["ref"].startswith("refs/heads/"):
            return _push(payload, delivery)
        action = payload.get("action")
        repository = str((payload.get("repository") or {}).get("full_name", ""))
        return OtherEvent(name=f"{name}.{action}" if action else name, repository=repository, delivery=delivery)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadRequest(f"The {name or 'unnamed'} event lacks what GitHub sends with it ({error}).") from error


def _verify(signature: str, body: bytes, secret: str) -> None:
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    # compare_digest refuses text that is not ASCII, so both sides are compared as bytes.
    if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
        raise Unauthorized("The X-Hub-Signature-256 header is missing or does not fit: check the webhook's secret.")


def _push(payload: Mapping[str, Any], delivery: str) -> Push:
    pusher = payload.get("pusher") or {}
    return Push(
        repository=_text(payload["repository"], "full_name"),
        branch=_text(payload, "ref").removeprefix("refs/heads/"),
        before=_sha(payload, "before"),
        after=_sha(payload, "after"),
        pusher=str(pusher.get("name", "")),
        delivery=delivery,
    )


def _text(payload: Mapping[str, Any], key: str) -> str:
    value = payload[key]
    if not isinstance(value, str):
        raise TypeError(f"{key} is not text")
    return value


def _sha(payload: Mapping[str, Any], key: str) -> str:
    value = _text(payload, key)
    if len(value) != 40 or not set(value) <= set("0123456789abcdef"):
        raise TypeError(f"{key} is not a commit sha")
    return value
