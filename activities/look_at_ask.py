"""Ask GitHub who asks for something, and about which commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import azure.durable_functions as df

from adapters import changes, connect
from adapters.blobs import Blobs
from domain.asks import Standing, validation
from domain.errors import DrawbridgeError, as_answer
from domain.git_flow import ALL, VALIDATION, Ask
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
    try:
        ask = read(Ask, payload["ask"])
        branches = settings.branches(ask.repository)
        return {"standing": asdict(look(ask, branches, connect.github(settings), connect.blobs(settings)))}
    except DrawbridgeError as error:
        return as_answer(error)


def look(ask: Ask, branches: Sequence[str], github: GitHub, blobs: Blobs) -> Standing:
    """Look at the person first, then at what is asked about.

    Raises what the adapter raises, in words for whoever asked.
    """
    permission = github.permission(ask.repository, ask.by)
    if not may_write(permission):
        return Standing(permission)
    if ask.kind == VALIDATION:
        return Standing(permission, ask.sha, validation=changes.begin(blobs, validation(ask)))
    standing = _about(ask, permission, branches, github)
    checks = github.own_checks(ask.repository, standing.sha) if ask.kind == ALL else ()
    return replace(standing, checks=checks)


def _about(ask: Ask, permission: str, branches: Sequence[str], github: GitHub) -> Standing:
    """Find the commit. What no change names must be on one of the long-lived branches."""
    if ask.number is None:
        return Standing(permission, github.commit_on(ask.repository, ask.sha, branches))
    head = github.head_of_change(ask.repository, ask.number)
    return Standing(permission, ask.sha or head.sha, head.fork)
