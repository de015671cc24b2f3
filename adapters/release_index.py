"""The list of releases in blobs, see domain.release_rows: changed by etag, made anew from the records when needed."""

from __future__ import annotations

import json
import logging
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from adapters.blobs import Blobs
from domain import blob_names, release_rows
from domain.errors import Unavailable
from domain.models import ReleaseRecord
from domain.release_rows import Head, Row
from domain.wire import read

READERS = 16  # records read at once while the list is rebuilt
TRIES = 5  # to rebuild it, each lost one because somebody else did

log = logging.getLogger("drawbridge.releases")


def keep(blobs: Blobs, record: ReleaseRecord) -> None:
    """Put a release's row into the list as it stands now. Raises Unavailable."""
    row = release_rows.row_of(record)
    for _ in range(TRIES):
        try:
            head = _put(blobs, row)
            break
        except ValueError as error:  # missing, or nothing that we wrote
            _rebuild(blobs, str(error))
    else:
        raise Unavailable("the list of releases cannot be put right: try again")
    if release_rows.to_seal(head):
        _seal(blobs, head)


def read_page(blobs: Blobs, number: int) -> tuple[tuple[Row, ...], int, int]:
    """Read one page of the list, newest first; return its rows, its number and how many pages there are.

    A number out of range gives the nearest page. Changes nothing: while the list cannot be used, all records are read.
    """
    try:
        head = _read_head(blobs)
        number = min(max(1, number), release_rows.pages(head.total))
        parts = [_read_part(blobs, head, part) for part in release_rows.parts_of_page(head, number)]
    except ValueError as error:
        log.error("the list of releases cannot be used (%s): reading every record", error)
        head, parts = Head("", 0, release_rows.in_order(_all_rows(blobs))), []
        number = min(max(1, number), release_rows.pages(head.total))
    return release_rows.rows_of_page(head, number, parts), number, release_rows.pages(head.total)


def running(blobs: Blobs) -> list[str]:
    """List the releases that are not over, oldest first. While the list cannot be used, all records are read."""
    try:
        rows = _read_head(blobs).rows
    except ValueError:
        rows = release_rows.in_order(_all_rows(blobs))
    return [row.id for row in rows if not row.over]


def _put(blobs: Blobs, row: Row) -> Head:
    head = _change(blobs, lambda kept: release_rows.put(kept, row))
    if any(one.id == row.id for one in head.rows):
        return head
    # Over, and not in the head: almost always a late save of a release that was sealed, which changes nothing.
    parts = (_read_part(blobs, head, number) for number in reversed(range(head.sealed)))
    if any(one.id == row.id for part in parts for one in part):
        return head
    return _change(blobs, lambda kept: release_rows.put(kept, row, new=True))


def _change(blobs: Blobs, step: Any) -> Head:
    return read(Head, blobs.change_json(blob_names.RELEASES, lambda kept: asdict(step(_head(kept)))))


def _head(kept: Any) -> Head:
    if kept is None:
        raise ValueError("it is not there")
    return read(Head, kept)


def _read_head(blobs: Blobs) -> Head:
    return _head(blobs.read_json(blob_names.RELEASES))


def _read_part(blobs: Blobs, head: Head, number: int) -> tuple[Row, ...]:
    part: tuple[Row, ...] = read(tuple[Row, ...], blobs.read_json(blob_names.releases_part(head.generation, number)))
    return part


def _seal(blobs: Blobs, head: Head) -> None:
    """Move the oldest rows to a part of their own. Whoever creates it decides what is in it; anybody may finish."""
    name = blob_names.releases_part(head.generation, head.sealed)
    blobs.create_json(name, [asdict(row) for row in release_rows.to_seal(head)])
    sealed = {row.id for row in _read_part(blobs, head, head.sealed)}
    after = _change(blobs, lambda kept: release_rows.seal(kept, head, sealed))
    parts = blobs.names(blob_names.releases_parts(after.generation))
    if len(parts) < after.sealed:
        _rebuild(blobs, f"{after.sealed - len(parts)} sealed parts are missing")


def _rebuild(blobs: Blobs, why: str) -> None:
    """Make the list anew from the records, under a new generation; of several at once one wins."""
    found = blobs.read_with_etag(blob_names.RELEASES)
    rows = _all_rows(blobs)
    log.warning("the list of releases is made anew from %d records: %s", len(rows), why)
    head, parts = release_rows.build(uuid.uuid4().hex, rows)
    for number, part in enumerate(parts):
        blobs.write_json(blob_names.releases_part(head.generation, number), [asdict(row) for row in part])
    data = json.dumps(asdict(head), ensure_ascii=False).encode()
    won = blobs.replace(blob_names.RELEASES, data, found[1]) if found else blobs.create(blob_names.RELEASES, data)
    ours = blob_names.releases_parts(head.generation)
    for name in blobs.names(blob_names.releases_parts()):
        if name.startswith(ours) is not won:
            blobs.remove(name)


def _all_rows(blobs: Blobs) -> list[Row]:
    names = [name for name in blobs.names("releases/") if name.endswith("/record.json")]
    with ThreadPoolExecutor(READERS) as readers:
        records = readers.map(blobs.read_json, names)
        return [release_rows.row_of(read(ReleaseRecord, record)) for record in records if record]
