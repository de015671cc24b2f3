"""What is known about each pull request, in one blob each, changed with its etag: stories and webhooks share it.

So with what a merge queue is about to merge, whose record is found by its head instead of a number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from adapters.blobs import Blobs
from domain import blob_names, changes
from domain.changes import ChangeRecord
from domain.models import ChangeRequest
from domain.wire import read


def find(blobs: Blobs, repository: str, key: int | str) -> ChangeRecord | None:
    """Read what is known about a change."""
    kept = blobs.read_json(blob_names.change(repository, key))
    return read(ChangeRecord, kept) if kept else None


def update(blobs: Blobs, repository: str, number: int, step: Callable[[ChangeRecord], ChangeRecord]) -> ChangeRecord:
    """Replace what is known about a change by what `step` makes of it, and return that.

    `step` runs again when somebody else wrote meanwhile. Raises Unavailable when that never ends.
    """
    return _change(blobs, repository, number, lambda kept: step(kept or ChangeRecord(repository, number)))


def begin(blobs: Blobs, request: ChangeRequest) -> ChangeRequest:
    """Return the request as its story is to be started, see domain.changes.due.

    Nothing is taken over here: events come in any order, so the story asks GitHub for the head first.
    """
    return changes.due(find(blobs, request.repository, request.number), request)


def speaks(blobs: Blobs, repository: str, key: int | str, instance: str) -> bool:
    """Say whether an instance speaks for the change."""
    record = find(blobs, repository, key)
    return record is not None and not changes.over(record, instance)


def take_up(blobs: Blobs, wanted: ChangeRecord) -> ChangeRecord:
    """Let the story of an instance, whose head GitHub has confirmed, speak for the change, and end the one before.

    Returns the record as it stands: with another instance when this story may not speak.
    """
    record = _change(blobs, wanted.repository, wanted.key, lambda kept: changes.take_up(kept, wanted))
    if record.instance == wanted.instance and record.replaces:
        stop(blobs, record.replaces)
    return record


def pass_over(blobs: Blobs, request: ChangeRequest) -> None:
    """Remember that the instance of a request has ended without validating its head."""
    update(blobs, request.repository, request.number, lambda kept: changes.pass_over(kept, request))


def keep(blobs: Blobs, news: ChangeRecord) -> ChangeRecord:
    """Keep a story's news, if it still speaks for the change; returns the record as it stands."""
    return _change(blobs, news.repository, news.key, lambda kept: changes.keep(kept, news))


def end(blobs: Blobs, repository: str, key: int | str, why: str) -> bool:
    """End what runs for a change that was closed or turned back into a draft; False when nothing is known of it."""
    known = find(blobs, repository, key)
    if known is None or not known.instance:
        return False
    record = _change(blobs, repository, key, lambda kept: changes.end(kept or known, why))
    stop(blobs, record.instance)
    return True


def note_red(blobs: Blobs, record: ChangeRecord) -> None:
    """Let the change be found by its head when the checks turn green that it failed for."""
    blobs.write(blob_names.red(record.repository, record.head, record.number), b"")


def reds(blobs: Blobs, repository: str, sha: str = "") -> list[ChangeRecord]:
    """List the changes that failed for required checks alone, of one head or of all."""
    found = []
    for note in blobs.names(blob_names.red(repository, sha)):
        *_, head, number = note.split("/")
        record = find(blobs, repository, number)
        if record is None or record.head != head or record.ended:
            blobs.remove(note)
        elif record.red:
            found.append(record)
    return found


def turn_green(blobs: Blobs, repository: str, sha: str, name: str) -> list[ChangeRequest]:
    """Return what is to be validated again now that a check has succeeded: nothing while another one is red."""
    again = []
    for red in reds(blobs, repository, sha):
        record = _change(blobs, repository, red.key, lambda kept, red=red: changes.turned_green(kept or red, name))  # type: ignore[misc]
        if record.red == (name,):
            again.append(ChangeRequest(repository, record.number, sha, "", record.attempt + 1, record.base))
    return again


def stop(blobs: Blobs, instance: str) -> None:
    """Mark the plans of a validation as cancelled: its jobs are ended at the next look."""
    for plan in (blob_names.validation_plan(instance), blob_names.plan(changes.syntax_id(instance))):
        blobs.write(blob_names.cancelled(plan), b"")


def _change(
    blobs: Blobs, repository: str, key: int | str, step: Callable[[ChangeRecord | None], ChangeRecord]
) -> ChangeRecord:
    def attempt(kept: object) -> object:
        return asdict(step(read(ChangeRecord, kept) if kept else None))

    return read(ChangeRecord, blobs.change_json(blob_names.change(repository, key), attempt))
