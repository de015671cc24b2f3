"""What a merge queue is about to merge, as the names of its branches tell it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

PREFIX = "gh-readonly-queue/"
_BRANCH = re.compile(PREFIX + r"(?P<base>.+)/pr-(?P<number>\d+)-(?P<parent>[0-9a-f]{40})")


def base_of(branch: str) -> str:
    """Return the branch that one of a queue's is to land on; "" when it is none of a queue's."""
    found = _BRANCH.fullmatch(branch)
    return found["base"] if found else ""


def members(branch: str, queue: Mapping[str, str]) -> tuple[tuple[int, ...], str]:
    """Return the changes on one of a queue's branches, the one that was put on top first, and the commit below all.

    `queue` are its branches with their heads. Each is built on the head of the one before, which may have landed since.
    """
    by_head = {head: name for name, head in queue.items()}
    numbers: list[int] = []
    parent = ""
    while found := _BRANCH.fullmatch(branch):
        numbers.append(int(found["number"]))
        parent = found["parent"]
        branch = by_head.pop(parent, "")  # once each: whoever names a branch by hand must not keep this going for ever
    return tuple(numbers), parent
