"""Which commits of the release branch have a release, and of which a full evaluation has passed: notes in blobs.

All is in the notes' names, so that one listing reads it.
"""

from __future__ import annotations

from adapters.blobs import Blobs
from domain import blob_names
from domain.branch_line import Place
from domain.debts import Branch


def note_begun(blobs: Blobs, repository: str, sha: str) -> None:
    """Note that a commit has a release, before anybody knows its place on the branch."""
    blobs.write(blob_names.released(repository, 0, sha), b"")


def note_released(blobs: Blobs, repository: str, place: Place) -> None:
    """Note which place a commit has that has a release."""
    blobs.write(blob_names.released(repository, place.position, place.sha), b"")


def note_evaluated(blobs: Blobs, repository: str, place: Place) -> None:
    """Note that the full evaluation of a commit passed."""
    blobs.write(blob_names.evaluated(repository, place.position, place.sha), b"")


def note_waived(blobs: Blobs, repository: str, place: Place) -> None:
    """Note that approvers waived the full evaluation of a commit: of it alone, not of what is behind it."""
    blobs.write(blob_names.waived(repository, place.position, place.sha), b"")


def on_branch(blobs: Blobs, repository: str) -> Branch:
    """Return what is known of the commits that have a release."""
    noted: dict[str, set[Place]] = {"released": set(), "evaluated": set(), "waived": set()}
    for name in blobs.names(prefix := blob_names.on_branch(repository)):
        position, sha, kind = name.removeprefix(prefix).split(".")
        noted[kind].add(Place(sha, int(position)))
    placed = {one for one in noted["released"] if one.position}
    known = {one.sha for one in placed}
    unplaced = sorted(one.sha for one in noted["released"] - placed if one.sha not in known)
    return Branch(tuple(placed - noted["waived"]), tuple(unplaced), tuple(noted["evaluated"]))
