"""Ask GitHub who asks for an evaluation, and of which commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import azure.durable_functions as df

from adapters import connect
from domain.asks import Standing
from domain.errors import DrawbridgeError, as_answer
from domain.git_flow import Ask
from domain.schedules import may_write
from domain.wire import read
from settings import current

if TYPE_CHECKING:
    from adapters.github import GitHub

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def look_at_ask(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"standing"} for {"ask"}, or {"error": what to mend}, or {"retry_after": seconds}."""
    settings = current()
    branches = settings.release_branch, settings.develop_branch
    try:
        return {"standing": asdict(look(read(Ask, payload["ask"]), branches, connect.github(settings)))}
    except DrawbridgeError as error:
        return as_answer(error)


def look(ask: Ask, branches: Sequence[str], github: GitHub) -> Standing:
    """Look at the person first. What no change names must be on one of the long-lived branches.

    Raises what the adapter raises, in words for whoever asked.
    """
    permission = github.permission(ask.repository, ask.by)
    if not may_write(permission):
        return Standing(permission)
    if ask.number is None:
        return Standing(permission, github.commit_on(ask.repository, ask.sha, branches))
    head = github.head_of_change(ask.repository, ask.number)
    return Standing(permission, ask.sha or head.sha, head.fork)
