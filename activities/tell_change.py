"""Keep how a change stands, and tell GitHub."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import azure.durable_functions as df

from adapters import changes, connect
from adapters.outbox import Outbox
from domain import messages_changes
from domain.change_news import news, parting
from domain.changes import ChangeRecord, ChangeState, over
from domain.errors import DrawbridgeError
from domain.outbox import Message
from domain.wire import read
from settings import current

DRAIN_SECONDS = 5.0  # whatever GitHub does not take by then, the timer delivers

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def tell_change(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"over": ""}, or {"over": why this story no longer speaks for its change, "state": what it ends as}.

    The payload is {"record", "last": its last word}. A story that is over still may close the status of
    its own head, with its last word.
    """
    settings = current()
    site = f"{settings.public_url}/api"
    return tell(read(ChangeRecord, payload["record"]), bool(payload.get("last")), site, connect.outbox(settings))


def tell(record: ChangeRecord, last: bool, site: str, outbox: Outbox) -> dict[str, Any]:
    """Keep first, then tell what is kept: somebody else may have added to it."""
    stored = changes.keep(outbox.blobs, record)
    if stored.red:
        changes.note_red(outbox.blobs, stored)
    if not over(stored, record.instance):
        publish(stored, site, outbox)
        return {"over": ""}
    if stored.instance == record.instance:
        if last:
            publish(stored, site, outbox)
        return {"over": messages_changes.ended(stored.ended), "state": ChangeState.CANCELLED}
    if last and stored.head != record.head:  # an attempt at the same head has its status now
        _post(parting(record, site, _now()), outbox)
    return {"over": messages_changes.superseded(stored.head), "state": ChangeState.SUPERSEDED}


def publish(record: ChangeRecord, site: str, outbox: Outbox) -> None:
    """Say what GitHub is to show of a change as its record stands."""
    _post(news(record, site, _now()), outbox)


def _post(messages: Iterable[Message], outbox: Outbox) -> None:
    outbox.post(*messages)
    with contextlib.suppress(DrawbridgeError):  # it is kept: the timer delivers it
        outbox.drain(DRAIN_SECONDS)


def _now() -> str:
    return datetime.now(UTC).isoformat()
