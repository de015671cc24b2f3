"""Which release carries a change: one of them hears of its label, and writes its one comment."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from typing import Any

from adapters.blobs import Blobs
from domain import blob_names
from domain.branch_line import Place
from domain.outbox import Comment, Message


def take(
    blobs: Blobs, repository: str, changes: Iterable[int], release: str, mine: Place, is_newer: Callable[[Place], bool]
) -> None:
    """Let a release carry changes, unless a newer one does: `is_newer` says whether a commit is newer than `mine`.

    A push that nobody heard of goes with the next release; told late after all, it has a release of its own as well.
    """

    def step(kept: Any) -> Any:
        newer_has_it = kept and kept["release"] != release and is_newer(Place(kept["sha"], kept["position"]))
        return kept if newer_has_it else {"release": release, **asdict(mine)}

    for change in changes:
        blobs.change_json(blob_names.carrier(repository, change), step)


def placed(blobs: Blobs, release: str, news: Iterable[Message]) -> tuple[Message, ...]:
    """Return what a release says where it is to be said: on its commit instead of a change that another one carries."""
    return tuple(dict.fromkeys(_placed(blobs, release, message) for message in news))


def _placed(blobs: Blobs, release: str, message: Message) -> Message:
    if not isinstance(message, Comment) or message.change is None:
        return message
    carrier = blobs.read_json(blob_names.carrier(message.repository, message.change))
    ours = carrier is None or carrier["release"] == release
    return message if ours else replace(message, change=None, marker=release)
