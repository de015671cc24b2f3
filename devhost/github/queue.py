"""A merge queue: changes brought together on branches of its own, which land or are given up when somebody says so."""

from __future__ import annotations

from collections.abc import Iterable

from devhost.github import pulls, pushes
from devhost.github.double import Double
from devhost.github.git import ZEROS, MergeConflict
from devhost.github.refusals import Refused
from devhost.github.store import Record

BOT = "github-merge-queue[bot]"  # who merges, for GitHub; who put a change into the queue is another event


def enqueue(double: Double, repository: Record, numbers: Iterable[int], base: str, by: str) -> list[Record]:
    """Build each change on the one before it, on a branch each, and ask for checks of each."""
    place = double.git(repository)
    parent = place.heads()[base]
    groups = []
    for number in numbers:
        pull = pulls.find(double, repository, number)
        if pull["state"] != "open":  # built on itself it would never end
            raise Refused(422, "Pull request is closed")
        try:
            head = place.merge(parent, pull["head_sha"], "merge", f"Merge pull request #{number} from {by}", by)
        except MergeConflict as error:
            raise Refused(422, "Pull request cannot be merged cleanly") from error
        branch = f"gh-readonly-queue/{base}/pr-{number}-{parent}"
        place.move(branch, head, ZEROS)
        double.add_event(pull, "added_to_merge_queue", by)
        fields = {"number": number, "branch": branch, "base": base, "parent": parent, "head": head, "by": by}
        groups.append(double.store.add("merge_group", repository["repository"], **fields))
        parent = head
    double.notice_pushes(repository, BOT)
    for group in groups:
        double.emit("merge_group", "checks_requested", repository, {"group": group, "sender": by})
    return groups


def give_up(double: Double, repository: Record, branch: str, reason: str) -> None:
    """Take a group away: `reason` is dequeued, invalidated or merged."""
    group = _find(double, repository, branch=branch)
    if group is None:
        raise Refused(404, "Not Found")
    double.store.remove(group)
    double.git(repository).remove_branch(branch)
    double.notice_pushes(repository, BOT)
    double.emit("merge_group", "destroyed", repository, {"group": group, "reason": reason, "sender": group["by"]})


def land(double: Double, repository: Record, branch: str) -> None:
    """Move the base to a group's head, by one push, which merges all changes in it."""
    landing: list[Record] = []
    group = _find(double, repository, branch=branch)
    while group:
        landing.insert(0, group)
        group = _find(double, repository, head=group["parent"])
    if not landing:
        raise Refused(404, "Not Found")
    place, base = double.git(repository), landing[0]["base"]
    if place.heads()[base] != landing[0]["parent"]:
        raise Refused(409, "Base branch was modified. Review and try the merge again.")
    place.move(base, landing[-1]["head"], landing[0]["parent"])
    for one in landing:
        pull = pulls.find(double, repository, one["number"])
        pushes.close_as_merged(double, repository, pull, BOT, one["parent"], one["head"])
    for one in landing:
        give_up(double, repository, one["branch"], "merged")


def _find(double: Double, repository: Record, **fields: str) -> Record | None:
    return double.store.one("merge_group", repository["repository"], **fields)
