"""The audit log in append blobs: one record after the other, whoever writes, on however many hosts."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from adapters.blobs import Blobs
from domain import audit, blob_names
from domain.audit import CONTINUED, Head, Note, Record, Report, What
from domain.errors import Unavailable

ATTEMPTS = 300  # each lost one means that another writer's record came first
PAUSE = 0.2  # seconds, at most, before the next attempt
STEP = 1 << 20  # bytes read at once: one request each, so a file that grows meanwhile does no harm

log = logging.getLogger("drawbridge.audit")


@dataclass(frozen=True)
class _Tail:
    """The newest record that was read, and where the next one goes."""

    newest: Head
    file: str
    end: int  # bytes
    lines: int
    whole: bool = True  # it was reached from the record that reading began with
    found: bool = False  # the newest one has the key that was looked for


def record(
    blobs: Blobs,
    *,
    key: str,
    what: What,
    who: str,
    subject: str,
    evidence: str = "",
    details: Mapping[str, str] | None = None,
    at: str | None = None,
) -> None:
    """Append one record, once for each `key` however often it is called. `at` is UTC in ISO; now when left out.

    Raises Unavailable.
    """
    entry = audit.entry(key, what, who, subject, evidence, dict(details or {}), at or _now())
    tail, sound = _find_tail(blobs)
    since = _first_attempt(blobs, key, tail.newest)
    if since != tail.newest:
        earlier = _follow(blobs, since, key)
        tail = earlier if earlier.whole else tail
    for attempt in range(ATTEMPTS):
        if tail.found:
            break
        _append(blobs, tail, entry)
        # Also after a success: its answer may be lost, so only the log itself says whose record is there.
        tail = _follow(blobs, tail.newest, key)
        if not tail.found:
            time.sleep(random.uniform(0, min(PAUSE, attempt / 100)))  # noqa: S311 - only spreads the writers
    else:
        raise Unavailable("the audit log is being written to by many others: try again")
    if sound:
        _advance(blobs, tail.newest)


def verify(blobs: Blobs, noted: Note | None = None) -> Report:
    """Read the whole log and say in words what was altered, is missing, or stands where it does not belong."""
    head = blobs.read(blob_names.AUDIT_HEAD)  # first: what is recorded meanwhile comes behind it
    return audit.check(((file, _lines(blobs, file)) for file in _files(blobs)), head, noted)


def _now() -> datetime:
    return datetime.now(UTC)


def _append(blobs: Blobs, tail: _Tail, entry: Record) -> None:
    following = audit.file_after(tail.file, tail.lines, _now().date())
    if following:
        entry = audit.closing(tail.file, following, _now())
    placed = audit.chained(entry, tail.newest.n + 1, tail.newest.hash)
    blobs.append(tail.file, audit.to_line(placed), tail.end)


def _find_tail(blobs: Blobs) -> tuple[_Tail, bool]:
    """Find the newest record, and say whether the stored head led to it."""
    head = audit.to_head(_stored_head(blobs))
    tail = _follow(blobs, head) if head else None
    if tail and tail.whole:
        return tail, True
    # Somebody cut the log or touched its head. What happens now is recorded all the same, and the head is left as
    # it is, as the trace that `make audit-verify` finds.
    log.error("%s does not lead to a record of the audit log: run `make audit-verify`", blob_names.AUDIT_HEAD)
    files = [file for file in _files(blobs) if audit.order(file)]
    return _follow(blobs, _beginning(files[-1] if files else None)), False


def _stored_head(blobs: Blobs) -> bytes | None:
    stored = blobs.read(blob_names.AUDIT_HEAD)
    if stored is None and not _files(blobs):
        blobs.create_json(blob_names.AUDIT_HEAD, asdict(_beginning()))
        stored = blobs.read(blob_names.AUDIT_HEAD)
    return stored


def _beginning(file: str | None = None) -> Head:
    return Head(0, audit.START, file or blob_names.audit_file(_now().date()))


def _first_attempt(blobs: Blobs, key: str, newest: Head) -> Head:
    """Keep where the log ended before anybody recorded this key: a record of it can only stand behind."""
    name = blob_names.audit_key(key)
    if blobs.create_json(name, asdict(newest)):
        return newest
    return audit.to_head(blobs.read(name)) or newest


def _follow(blobs: Blobs, since: Head, key: str = "") -> _Tail:
    """Read from a record on, to the end or to the record with the key. What cannot be read is passed over."""
    newest, whole = since, since.n == 0
    file, end, lines = since.file, since.start, max(since.line - 1, 0)
    going = True
    while going:
        going = False
        for line in _lines(blobs, file, end):
            start, end, lines = end, end + len(line), lines + 1
            read = audit.from_line(line)
            if read is None:
                continue
            newest = Head(read.n, read.hash, file, start, lines)
            whole = whole or newest == since
            if key and read.key == key:
                return _Tail(newest, file, end, lines, whole, found=True)
            if read.what == CONTINUED and audit.comes_after(read.subject, file):
                file, end, lines, going = read.subject, 0, 0, True
                break
    return _Tail(newest, file, end, lines, whole)


def _advance(blobs: Blobs, newest: Head) -> None:
    """Let the stored head name the newest record; it never goes back."""
    while (stored := blobs.read_with_etag(blob_names.AUDIT_HEAD)) is not None:
        head = audit.to_head(stored[0])
        if head is None or head.n >= newest.n:
            return
        if blobs.replace(blob_names.AUDIT_HEAD, json.dumps(asdict(newest)).encode(), stored[1]):
            return


def _files(blobs: Blobs) -> list[str]:
    others = (blob_names.AUDIT_HEAD, blob_names.AUDIT_KEYS)
    files = [name for name in blobs.names(blob_names.AUDIT) if not name.startswith(others)]
    return sorted(files, key=lambda name: (audit.order(name) or ("", 0), name))


def _lines(blobs: Blobs, file: str, offset: int = 0) -> Iterator[bytes]:
    rest = b""
    while block := blobs.read_from(file, offset, STEP):
        offset += len(block)
        *lines, rest = (rest + block).split(b"\n")
        yield from (line + b"\n" for line in lines)
    if rest:
        yield rest
