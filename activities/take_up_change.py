"""Ask GitHub for a change and, if this head is the one to validate, let its story speak for the change."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import azure.durable_functions as df

from adapters import changes, connect
from adapters.blobs import Blobs
from domain import messages_changes
from domain.changes import opened, over
from domain.errors import DrawbridgeError, as_answer
from domain.git_flow import change_id
from domain.models import ChangeRequest
from domain.wire import read
from settings import current

if TYPE_CHECKING:
    from adapters.github import GitHub

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def take_up_change(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"facts", "record", "branch": that is released, "look": seconds between looks} of {"request", "at"}.

    {"moved": head} when GitHub has another head, {"over": why} when nothing is to be validated, {"error": what to
    mend} or {"retry_after": seconds}. "last": the story ends if it has moved still.
    """
    settings = current()
    request, blobs = read(ChangeRequest, payload["request"]), connect.blobs(settings)
    try:
        found = take_up(request, payload["at"], connect.github(settings), blobs)
    except DrawbridgeError as error:
        found = as_answer(error)
    if "error" in found:
        found = {"error": messages_changes.no_such_change(found["error"])}
    # The instance that ends here can never be started again, but its head may be asked for again.
    if "error" in found or "over" in found or ("moved" in found and payload.get("last")):
        changes.pass_over(blobs, request)
    return {**found, "branch": settings.release_branch.of(request.repository), "look": settings.look_seconds}


def take_up(request: ChangeRequest, at: str, github: GitHub, blobs: Blobs) -> dict[str, Any]:
    """Look, and take the change over from an older head's story. Run twice, it finds its own record."""
    facts = github.change_facts(request.repository, request.number)
    if facts.head != request.sha:
        return {"moved": facts.head}
    if not facts.open or facts.draft:
        return {"over": messages_changes.ended("a draft" if facts.open else "closed")}
    if request.base not in {"", facts.base}:
        return {"over": messages_changes.ended(f"turned towards {facts.base}")}
    record = changes.take_up(blobs, opened(facts, change_id(request), at, request.attempt))
    if over(record, change_id(request)):
        return {"over": messages_changes.ended(record.ended) if record.ended else messages_changes.superseded("")}
    return {"facts": asdict(facts), "record": asdict(record)}
