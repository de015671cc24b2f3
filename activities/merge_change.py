"""Ask GitHub to merge a change as it is at one head, and read back what it made of that."""

from __future__ import annotations

import contextlib
from typing import Any

import azure.durable_functions as df

from activities.tell_change import DRAIN_SECONDS
from adapters import audit, connect
from adapters.outbox import Outbox, outcome
from domain.audit import APP
from domain.errors import DrawbridgeError
from domain.outbox import Delivered, Merge, Refused
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def merge_change(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"waits": GitHub has not answered yet, "refused": why, or ""}.

    Input: {"repository", "number", "sha", "base", "method", "title", "at"}. The same head twice is asked for once.
    """
    where = payload["repository"], payload["number"], payload["sha"]
    message = Merge(*where, payload["method"], payload["title"], payload["base"], at=payload["at"], urgent=True)
    return ask(message, connect.outbox(current()))


def ask(message: Merge, outbox: Outbox) -> dict[str, Any]:
    """Post it unless it has its answer, and see whether that is there."""
    if outcome(outbox.blobs, message) is None:
        outbox.post(message)
        with contextlib.suppress(DrawbridgeError):  # it is kept: the timer delivers it
            outbox.drain(DRAIN_SECONDS)
    answer = outcome(outbox.blobs, message)
    if isinstance(answer, Delivered):
        trace(message, outbox)
    return {"waits": answer is None, "refused": answer.reason if isinstance(answer, Refused) else ""}


def trace(merge: Merge, outbox: Outbox) -> None:
    """Record that nobody in person merged the change, and at which head."""
    audit.record(
        outbox.blobs,
        key=f"{merge.repository.lower()}:merged:{merge.change}:{merge.sha}",
        what="merged",
        who=APP,
        subject=f"{merge.repository}#{merge.change}",
        details={"commit": merge.sha, "branch": merge.base, "method": merge.method},
    )
