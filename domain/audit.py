"""The audit log: numbered records, each with the hash of the one before, and what gives an altered one away."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from typing import Literal

from pydantic import ValidationError

from domain import blob_names
from domain.errors import Invalid
from domain.wire import read

# What can be recorded, a word for each kind of decision: docs/decisions/audit-log.md says who decides it, on what.
What = Literal[
    "opt-out",
    "opt-out-refused",
    "toggle",
    "debt-incurred",
    "debt-paid",
    "debt-failed",
    "debt-waived",
    "verdict",
    "override",
    "vote",
    "approved",
    "rejected",
    "expired",
    "new-evidence",
    "promoted",
    "deployed",
    "rolled-back",
    "rollback-asked",
    "rollback-ended",
    "hold",
    "hold-lifted",
    "merged",
    "evaluation-asked",
    "refusal",
    "cancelled",
    "release-ended",
    "audit-continued",
]
APP = "drawbridge"  # who decides when nobody in person does
START = "0" * 64  # what the first record carries as the hash before it
CONTINUED: What = "audit-continued"  # closes a file and names the next one
LINES = 49_900  # of one file: an append blob takes 50,000 blocks
MOST_PROBLEMS = 50  # one altered file may break thousands of records


@dataclass(frozen=True)
class Record:
    """Who did what to which release, change or evaluation, when, on what evidence; and its place in the chain."""

    n: int
    at: str  # UTC, ISO
    what: str
    who: str
    subject: str
    evidence: str  # digest of the evidence it was done on
    details: Mapping[str, str]
    key: str  # the same key is recorded once
    before: str = START  # hash of the record before
    hash: str = ""


@dataclass(frozen=True)
class Head:
    """Where a record stands: its file, the byte its line starts at, and the line's number. n = 0: before the first."""

    n: int
    hash: str
    file: str
    start: int = 0
    line: int = 0


@dataclass(frozen=True)
class Note:
    """A record's number and hash, written down outside the log."""

    n: int
    hash: str


@dataclass(frozen=True)
class Report:
    """What reading the whole log found; without problems every record is the one that was written."""

    records: int
    files: int
    newest: Note
    problems: tuple[str, ...]


def entry(
    key: str, what: What, who: str, subject: str, evidence: str, details: Mapping[str, str], at: datetime | str
) -> Record:
    """Word a record that has no place yet. Raises pydantic.ValidationError for a value that is no text."""
    when = at.isoformat() if isinstance(at, datetime) else at
    fields = {"what": what, "who": who, "subject": subject, "evidence": evidence, "details": details, "key": key}
    return read(Record, json.loads(_readable(json.dumps({"n": 0, "at": when, **fields}, ensure_ascii=False))))


def chained(record: Record, n: int, before: str) -> Record:
    """Give a record its place after the record with the hash `before`."""
    placed = replace(record, n=n, before=before, hash="")
    return replace(placed, hash=_hash(placed))


def closing(file: str, following: str, at: datetime) -> Record:
    """Word the last record of a file, after which nobody writes there."""
    return entry(f"{CONTINUED}:{file}", CONTINUED, APP, following, "", {}, at)


def to_line(record: Record) -> bytes:
    """Write a record as its one line: ASCII only, so that nothing in it can break a line."""
    return (json.dumps(asdict(record) | {"details": dict(sorted(record.details.items()))}) + "\n").encode()


def from_line(line: bytes) -> Record | None:
    """Read a line back; None unless it is, byte for byte, what was written."""
    try:
        record = read(Record, json.loads(line))
        return record if to_line(record) == line and _hash(replace(record, hash="")) == record.hash else None
    except (ValueError, ValidationError, RecursionError):
        return None


def to_head(data: bytes | None) -> Head | None:
    """Read a stored head; None when there is none, or none that can name a record."""
    try:
        head = None if data is None else read(Head, json.loads(data))
    except (ValueError, ValidationError, RecursionError):
        return None
    return head if head and order(head.file) and min(head.n, head.start, head.line) >= 0 else None


def to_note(text: str) -> Note:
    """Read `<number>:<hash>`. Raises Invalid."""
    found = re.fullmatch(r"([1-9][0-9]{0,17}):([0-9a-f]{64})", text.strip())
    if found is None:
        raise Invalid(f"{text!r} is no note of the audit log: expected <number>:<hash> as an earlier check printed it")
    return Note(int(found[1]), found[2])


def order(file: str) -> tuple[str, int] | None:
    """Give what a log's file is sorted by, its day and its part of that day; None for any other name."""
    found = re.fullmatch(r"audit/([0-9]{4}/[0-9]{2}/[0-9]{2})(?:\.([1-9][0-9]{0,8}))?\.jsonl", file)
    return (found[1], int(found[2] or 1)) if found else None


def comes_after(later: str, file: str) -> bool:
    """Say whether a name is that of a file of the log that stands behind another."""
    return (order(later) or ("", 0)) > (order(file) or ("", 0))


def file_after(file: str, lines: int, today: date) -> str | None:
    """Name the file that has to be begun before anything more is recorded, or None while this one goes on.

    A clock that was put back never leads to an earlier file.
    """
    todays = blob_names.audit_file(today)
    if comes_after(todays, file):
        return todays
    if lines < LINES:
        return None
    day, part = order(file) or ("", 1)
    return blob_names.audit_file(date.fromisoformat(day.replace("/", "-")), part + 1)


def check(files: Iterable[tuple[str, Iterable[bytes]]], head: bytes | None, noted: Note | None = None) -> Report:
    """Read all files, in order and line by line, against the stored head and, when given, a note kept elsewhere."""
    reading = _Reading(to_head(head), noted)
    for file, lines in files:
        reading.read(file, lines)
    return reading.report(stored=head is not None)


def _readable(text: str) -> str:
    # Half of a surrogate pair is not text: what was written with one could not be read back.
    return text.encode("utf-8", "replace").decode()


def _hash(record: Record) -> str:
    return hashlib.sha256(to_line(record)).hexdigest()


@dataclass
class _Reading:
    """How far the log was read: the newest number and hash, what has to come next, what was wrong."""

    head: Head | None
    noted: Note | None
    n: int = 0
    hash: str | None = START  # None: the record before cannot be read, so nothing can be compared with it
    records: int = 0
    files: list[str] = field(default_factory=list)
    following: str = ""  # the file that the newest record names as the next one
    problems: list[str] = field(default_factory=list)

    def read(self, file: str, lines: Iterable[bytes]) -> None:
        if order(file) is None:
            self.problems.append(f"{file} is no file of the audit log: somebody put it there")
            return
        self._begin(file)
        for place, line in _placed(file, lines):
            record = from_line(line)
            if record is None:
                self.n, self.hash = self.n + 1, None
                self.problems.append(
                    f"{file} line {place.line} (record {self.n}, going by its place) was altered or cut off"
                )
            else:
                self._follow(record, replace(place, n=record.n, hash=record.hash))

    def _begin(self, file: str) -> None:
        if self.following and self.following != file:
            self.problems.append(f"{self.following} is missing: record {self.n} names it as the next file")
        elif self.files and not self.following:
            self.problems.append(
                f"{self.files[-1]} was never closed, and yet {file} follows: "
                "the end of the first is missing, or the second was put there"
            )
        self.following = ""
        self.files.append(file)

    def _follow(self, record: Record, place: Head) -> None:
        where = f"{place.file} line {place.line}"
        self.records += 1
        if self.following:
            self.problems.append(f"{where}: record {record.n} stands behind the one that closed the file")
        if record.n <= self.n:
            self.problems.append(f"{where}: record {record.n} stands behind record {self.n}: moved or put there")
            return
        if record.n > self.n + 1:
            self.problems.append(f"{where}: {_numbers(self.n + 1, record.n - 1)} missing before record {record.n}")
        elif self.hash is not None and record.before != self.hash:
            self.problems.append(
                f"{where}: record {record.n} does not carry the hash of the one before: "
                + (f"record {self.n} was altered, or {record.n} replaced" if self.n else "it was replaced")
            )
        self._compare(record, place)
        self.n, self.hash = record.n, record.hash
        self.following = record.subject if record.what == CONTINUED else ""

    def _compare(self, record: Record, place: Head) -> None:
        if self.head and self.head.n == record.n and self.head != place:
            what = "has another place" if self.head.hash == record.hash else "is another one"
            self.problems.append(f"record {record.n} {what} than audit/head.json says: the log was rewritten")
        if self.noted and self.noted.n == record.n and self.noted.hash != record.hash:
            self.problems.append(
                f"record {record.n} has the hash {record.hash}, but {self.noted.hash} was noted: the log was rewritten"
            )

    def report(self, stored: bool) -> Report:
        if self.head is None and (stored or self.files):
            self.problems.append(
                f"audit/head.json {'cannot be read' if stored else 'is missing'}: "
                f"whether anything behind record {self.n} was cut off cannot be seen"
            )
        for known, who in ((self.head, "audit/head.json knows"), (self.noted, "you noted")):
            if known and known.n > self.n:
                self.problems.append(
                    f"the log ends with record {self.n}, but {who} record {known.n}: its end is missing"
                )
        more = len(self.problems) - MOST_PROBLEMS
        shown = [*self.problems[:MOST_PROBLEMS], f"and {more} more"] if more > 0 else self.problems
        return Report(self.records, len(self.files), Note(self.n, self.hash or ""), tuple(shown))


def _placed(file: str, lines: Iterable[bytes]) -> Iterator[tuple[Head, bytes]]:
    start = 0
    for number, line in enumerate(lines, 1):
        yield Head(0, "", file, start, number), line
        start += len(line)


def _numbers(first: int, last: int) -> str:
    return f"record {first} is" if first == last else f"records {first} to {last} are"
