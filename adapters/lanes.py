"""The lanes of the environments in blobs, changed with their etag: two releases never both get in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, replace

from adapters.blobs import Blobs
from domain import blob_names, lanes
from domain.errors import Conflict
from domain.lanes import Bar, Hold, Lane
from domain.wire import read as read_wire


def read(blobs: Blobs, repository: str, environment: str) -> Lane:
    """Read a lane; an empty one when nobody was ever there."""
    kept = blobs.read_json(blob_names.lane(repository, environment))
    return read_wire(Lane, kept) if kept else Lane(repository, environment)


def all_lanes(blobs: Blobs, repository: str = "") -> list[Lane]:
    """Read the lanes of one repository, or of all, in which somebody was, or is kept out."""
    kept = (blobs.read_json(name) for name in blobs.names(blob_names.lanes(repository)))
    known = (read_wire(Lane, one) for one in kept if one)
    return [lane for lane in known if lane != Lane(lane.repository, lane.environment)]


def change(blobs: Blobs, repository: str, environment: str, step: Callable[[Lane], Lane]) -> Lane:
    """Replace a lane by what `step` makes of it; `step` runs again when somebody else was faster."""

    def attempt(kept: object) -> object:
        return asdict(step(read_wire(Lane, kept) if kept else Lane(repository, environment)))

    return read_wire(Lane, blobs.change_json(blob_names.lane(repository, environment), attempt))


def hold(blobs: Blobs, repository: str, environment: str, wanted: Hold) -> Lane:
    """Let nobody be promoted to an environment until `lift`."""
    return change(blobs, repository, environment, lambda lane: replace(lane, hold=wanted))


def bar(blobs: Blobs, repository: str, environments: Iterable[str], wanted: Bar) -> None:
    """Let a release into none of these lanes any more, nor into any other, until it is over and `free` is called.

    Raises Conflict while it deploys to one of them; then it is barred from none.
    """
    # First, and for the lanes that come: early on nobody knows which ones the release will want to enter.
    blobs.write_json(blob_names.barred(wanted.release), asdict(wanted))
    places = dict.fromkeys((*environments, *(lane.environment for lane in all_lanes(blobs, repository))))
    try:
        for environment in places:
            change(blobs, repository, environment, lambda lane: lanes.bar(lane, wanted))
    except Conflict:
        for environment in places:
            change(blobs, repository, environment, lambda lane: lanes.unbar(lane, wanted))
        blobs.remove(blob_names.barred(wanted.release))
        raise


def find_bar(blobs: Blobs, release: str) -> Bar | None:
    """Return what bars a release from every lane, if anything does."""
    kept = blobs.read_json(blob_names.barred(release))
    return read_wire(Bar, kept) if kept else None


def free(blobs: Blobs, repository: str, release: str) -> None:
    """Take a release that is over out of every lane of its repository. A rollback to it goes on."""
    for lane in all_lanes(blobs, repository):
        if lanes.forget(lane, release) != lane:
            change(blobs, lane.repository, lane.environment, lambda found: lanes.forget(found, release))
