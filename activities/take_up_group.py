"""Ask GitHub what a merge queue is about to merge on a commit, and let the story of that commit speak for it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import azure.durable_functions as df

from adapters import changes, connect, github_listing
from adapters.blobs import Blobs
from domain import messages_changes
from domain.changes import ChangeFacts, opened, over
from domain.errors import DrawbridgeError, as_answer
from domain.git_flow import GroupRequest, group_id
from domain.merge_queue import members
from domain.wire import read
from settings import current

if TYPE_CHECKING:
    from adapters.github import GitHub

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def take_up_group(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"facts", "record", "branch": that is released, "look": seconds between looks} of {"request", "at"}.

    {"moved": ""} when the queue does not have it, {"over": why}, {"error": what to mend} or {"retry_after": seconds}.
    """
    settings = current()
    group = read(GroupRequest, payload["request"])
    try:
        found = take_up(group, payload["at"], connect.github(settings), connect.blobs(settings))
    except DrawbridgeError as error:
        found = as_answer(error)
    return {**found, "branch": settings.release_branch.of(group.repository), "look": settings.look_seconds}


def take_up(group: GroupRequest, at: str, github: GitHub, blobs: Blobs) -> dict[str, Any]:
    """Look what is in it, and open its record. Run twice, it finds its own."""
    queue = github_listing.heads(github.look(group.repository, github_listing.QUEUES).data)
    if queue.get(group.branch) != group.sha:
        return {"moved": ""}
    facts = _facts(group, queue, github)
    record = changes.take_up(blobs, opened(facts, group_id(group), at))
    if over(record, record.instance):
        return {"over": messages_changes.ended(record.ended)}
    return {"facts": asdict(facts), "record": asdict(record)}


def _facts(group: GroupRequest, queue: dict[str, str], github: GitHub) -> ChangeFacts:
    """Say whose code it is. What cannot be told for certain is a stranger's, and gets no secret."""
    numbers, below = members(group.branch, queue)
    changes_in_it = [github.change_facts(group.repository, number) for number in numbers]
    landed = bool(below) and github.relation(group.repository, group.base, below) in ("behind", "identical")
    last = next(iter(changes_in_it), None)
    return ChangeFacts(
        repository=group.repository,
        number=last.number if last else 0,
        title=messages_changes.queued(numbers),
        author=last.author if last else "",
        head=group.sha,
        branch=group.branch,
        base=group.base,
        fork=not landed or any(one.fork for one in changes_in_it),
        draft=False,
        open=True,
        url=last.url if last else "",
        group=True,
    )
