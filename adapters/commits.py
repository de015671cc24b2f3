"""Which commits of the release branch have a release, and of which a full evaluation has passed: notes in blobs.

All is in the notes' names, so that one listing reads it.
"""

from __future__ import annotations

from adapters.blobs import Blobs
from domain import blob_names
from domain.branch_line import Place


def note_released(blobs: Blobs, repository: str, place: Place) -> None:
    """Note that a commit has a release."""
    blobs.write(blob_names.released(repository, place.position, place.sha), b"")


def note_evaluated(blobs: Blobs, repository: str, place: Place) -> None:
    """Note that nothing is missing of a commit: its full evaluation passed, or approvers waived it."""
    blobs.write(blob_names.evaluated(repository, place.position, place.sha), b"")


def on_branch(blobs: Blobs, repository: str) -> tuple[list[Place], list[Place]]:
    """Return the commits that have a release, and those of which nothing is missing."""
    released: list[Place] = []
    evaluated: list[Place] = []
    for name in blobs.names(prefix := blob_names.on_branch(repository)):
        position, sha, kind = name.removeprefix(prefix).split(".")
        (released if kind == "released" else evaluated).append(Place(sha, int(position)))
    return released, evaluated
