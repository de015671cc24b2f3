"""The audit log against a real Azurite: one chain, whoever writes, whatever is lost on the way."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters import audit
from adapters.blobs import Blobs
from domain import audit as log
from domain import blob_names
from domain.errors import Unavailable

DAY = datetime(2026, 11, 22, 12, tzinfo=UTC)
FILE = "audit/2026/11/22.jsonl"


@pytest.fixture
def clock(monkeypatch):
    """The clock of this host, to be put forward and back: `clock["now"] = …`."""
    hand = {"now": DAY}
    monkeypatch.setattr(audit, "_now", lambda: hand["now"])
    return hand


def vote(blobs: Blobs, key: str, **others) -> None:
    audit.record(blobs, key=key, what="vote", who="maria", subject="release-1", **others)


def records(blobs: Blobs, file: str = FILE) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (blobs.read(file) or b"").splitlines()]


def keys(blobs: Blobs, file: str = FILE) -> list[str]:
    return [record["key"] for record in records(blobs, file)]


class Dying(Blobs):
    """A host that ends before its n-th write of the kind that is named, and never works again."""

    def __init__(self, blobs: Blobs, method: str) -> None:
        self._container = blobs._container
        setattr(self, method, self._die)

    def _die(self, *_args, **_options):
        raise KeyboardInterrupt


def test_a_record_says_who_did_what_on_what_evidence(blobs, clock):
    """All that was handed over is kept, numbered from 1, in the day's file."""
    audit.record(
        blobs,
        key="k",
        what="override",
        who="jonas",
        subject="release-1",
        evidence="sha256:ab",
        details={"reason": "Zoë's call\nat night \ud800", "environment": "prod"},
        at="2026-11-21T23:00:00+00:00",
    )

    (kept,) = records(blobs)
    assert {**kept, "hash": ""} == {
        "n": 1,
        "at": "2026-11-21T23:00:00+00:00",
        "what": "override",
        "who": "jonas",
        "subject": "release-1",
        "evidence": "sha256:ab",
        "details": {"environment": "prod", "reason": "Zoë's call\nat night ?"},
        "key": "k",
        "before": "0" * 64,
        "hash": "",
    }
    assert audit.verify(blobs) == log.Report(1, 1, log.Note(1, kept["hash"]), ())


def test_each_record_carries_the_hash_of_the_one_before(blobs, clock):
    """Numbers count up and every `before` is the hash that stands one line above."""
    for key in "abc":
        vote(blobs, key)

    kept = records(blobs)
    assert [record["n"] for record in kept] == [1, 2, 3]
    assert [record["before"] for record in kept[1:]] == [record["hash"] for record in kept[:-1]]
    assert blobs.read_json(blob_names.AUDIT_HEAD)["n"] == 3


def test_a_key_is_recorded_once_also_long_after(blobs, clock):
    """Days and many records later, the same key still finds that it was recorded."""
    vote(blobs, "first")
    for day in (22, 23, 25):
        clock["now"] = DAY.replace(day=day)
        vote(blobs, f"on the {day}th")
    vote(blobs, "first")
    vote(blobs, "on the 22th")

    assert audit.verify(blobs).records == 6  # four votes, and two files were closed
    assert blobs.read_json(blob_names.AUDIT_HEAD)["n"] == 6
    assert audit.verify(blobs).problems == ()


def test_many_writers_at_once_make_one_chain(azurite, blobs, clock):
    """Twelve hosts of four threads, each key from three hosts: every key once, every number once."""
    hosts = [Blobs(azurite, blobs._container.container_name) for _ in range(12)]
    together = threading.Barrier(24)

    def write(number: int) -> None:
        together.wait()
        vote(hosts[number % 12], f"key {number % 8}")
        vote(hosts[number % 12], f"own {number}")

    with ThreadPoolExecutor(24) as threads:
        list(threads.map(write, range(24)))

    report = audit.verify(blobs)
    assert report.problems == ()
    assert sorted(keys(blobs)) == sorted([f"key {n}" for n in range(8)] + [f"own {n}" for n in range(24)])
    assert blobs.read_json(blob_names.AUDIT_HEAD)["n"] == 32


def test_writers_on_both_sides_of_midnight_make_one_chain(azurite, blobs, monkeypatch):
    """Hosts whose clocks differ by a day: the file of the later day takes all that comes after."""
    here = threading.local()
    monkeypatch.setattr(audit, "_now", lambda: here.now)
    together = threading.Barrier(16)

    def write(number: int) -> None:
        here.now = DAY.replace(day=22 + number % 2)
        together.wait()
        for turn in range(3):
            vote(blobs, f"{number} {turn}")

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(write, range(16)))

    report = audit.verify(blobs)
    assert report.problems == ()
    assert report.records == 48 + (report.files - 1)


def test_a_clock_that_goes_back_stays_in_the_newest_file(blobs, clock):
    """After a record of the 23rd, the host that still lives on the 22nd writes to the 23rd as well."""
    clock["now"] = DAY.replace(day=23, hour=0)
    vote(blobs, "a")
    clock["now"] = DAY.replace(day=22, hour=23)
    vote(blobs, "b")

    assert keys(blobs, "audit/2026/11/23.jsonl") == ["a", "b"]
    assert audit.verify(blobs).problems == ()


@pytest.mark.parametrize("method", ["append", "replace", "read_from"])
def test_a_host_that_is_killed_leaves_nothing_half_done(blobs, clock, method):
    """Killed before the append, between append and head, or while reading: whoever comes next records it once."""
    vote(blobs, "a")
    with pytest.raises(KeyboardInterrupt):
        vote(Dying(blobs, method), "b")
    vote(blobs, "c")
    vote(blobs, "b")
    vote(blobs, "b")

    assert sorted(keys(blobs)) == ["a", "b", "c"]
    assert audit.verify(blobs).problems == ()


def test_a_host_that_is_killed_at_the_turn_of_a_day_leaves_the_log_whole(blobs, clock, monkeypatch):
    """The file is closed, and the next one not begun: the next record begins it."""
    vote(blobs, "a")
    clock["now"] = DAY.replace(day=23)
    append = Blobs.append
    monkeypatch.setattr(Blobs, "append", lambda self, name, *rest: name == FILE and append(self, name, *rest))
    monkeypatch.setattr(audit, "ATTEMPTS", 3)
    with pytest.raises(Unavailable, match="written to by many others: try again"):
        vote(blobs, "b")
    monkeypatch.undo()
    monkeypatch.setattr(audit, "_now", lambda: DAY.replace(day=24))

    assert audit.verify(blobs).problems == ()
    vote(blobs, "b")
    assert [record["key"] for record in records(blobs, "audit/2026/11/24.jsonl")] == ["b"]
    assert audit.verify(blobs).problems == ()


def test_an_answer_that_is_lost_doubles_nothing(blobs, clock, monkeypatch):
    """The append arrives, its answer does not, and the second attempt of the SDK is refused."""
    append = Blobs.append

    def lose(self, *args):
        return append(self, *args) and False

    monkeypatch.setattr(Blobs, "append", lose)
    vote(blobs, "a")
    vote(blobs, "b")

    assert keys(blobs) == ["a", "b"]
    assert audit.verify(blobs).problems == ()


def test_a_full_file_goes_on_in_a_further_one(blobs, clock, monkeypatch):
    """Append blobs take 50,000 blocks: the day's next part takes over before that."""
    monkeypatch.setattr(log, "LINES", 4)
    for number in range(10):
        vote(blobs, f"{number}")

    assert keys(blobs)[:4] == ["0", "1", "2", "3"]
    assert keys(blobs, "audit/2026/11/22.2.jsonl")[:4] == ["4", "5", "6", "7"]
    assert keys(blobs, "audit/2026/11/22.3.jsonl") == ["8", "9"]
    assert audit.verify(blobs).problems == ()


def test_the_parts_of_a_day_are_read_in_order(blobs, clock, monkeypatch):
    """The tenth part comes after the ninth, whatever the order of their names."""
    monkeypatch.setattr(log, "LINES", 1)
    for number in range(11):
        vote(blobs, f"{number}")

    assert audit.verify(blobs).files == 11
    assert audit.verify(blobs).problems == ()


def test_finding_the_end_costs_the_same_however_long_the_log_is(blobs, clock, monkeypatch):
    """One byte range from the newest record on is read, not the file."""
    for number in range(40):
        vote(blobs, f"{number}", details={"text": "x" * 1000})
    read: list[int] = []
    whole = Blobs.read_from

    def count(self, *args):
        block = whole(self, *args)
        read.append(len(block))
        return block

    monkeypatch.setattr(Blobs, "read_from", count)
    vote(blobs, "one more")

    assert sum(read) < 8000


def test_a_head_that_lags_is_only_a_hint(blobs, clock):
    """With the head of two records ago the next record still gets the next number."""
    vote(blobs, "a")
    old = blobs.read(blob_names.AUDIT_HEAD)
    vote(blobs, "b")
    vote(blobs, "c")
    blobs.write(blob_names.AUDIT_HEAD, old)
    vote(blobs, "d")

    assert [record["n"] for record in records(blobs)] == [1, 2, 3, 4]
    assert blobs.read_json(blob_names.AUDIT_HEAD)["n"] == 4
    assert audit.verify(blobs).problems == ()


def test_a_cut_end_stays_visible_after_more_was_recorded(blobs, clock):
    """Recording goes on behind the cut, and the head, left as it was, keeps giving it away."""
    for key in "abc":
        vote(blobs, key)
    cut(blobs, 2)
    found = audit.verify(blobs).problems
    for key in "defg":
        vote(blobs, key)

    assert found == ("the log ends with record 2, but audit/head.json knows record 3: its end is missing",)
    assert keys(blobs) == ["a", "b", "d", "e", "f", "g"]
    assert audit.verify(blobs).problems == ("record 3 is another one than audit/head.json says: the log was rewritten",)


@pytest.mark.parametrize(
    "head", [None, b"{", b'{"n": 2}', b"[]", b'{"n":9,"hash":"x","file":"../x","start":0,"line":0}']
)
def test_a_head_that_was_touched_stops_no_record_and_is_named(blobs, clock, head):
    """Deleted, broken or invented: recording goes on, and the check says that the head is not to be trusted."""
    vote(blobs, "a")
    vote(blobs, "b")
    if head is None:
        blobs._container.delete_blob(blob_names.AUDIT_HEAD)
    else:
        blobs.write(blob_names.AUDIT_HEAD, head)
    vote(blobs, "c")

    assert [(record["n"], record["key"]) for record in records(blobs)] == [(1, "a"), (2, "b"), (3, "c")]
    (problem,) = audit.verify(blobs).problems
    assert "audit/head.json" in problem


def test_a_line_that_was_overwritten_stops_no_record(blobs, clock):
    """The next record takes the number behind the last one that can be read; the check names the line."""
    vote(blobs, "a")
    vote(blobs, "b")
    lines = (blobs.read(FILE) or b"").splitlines(keepends=True)
    rewrite(blobs, lines[0] + b"?" * (len(lines[1]) - 1) + b"\n")
    vote(blobs, "c")

    assert f"{FILE} line 2 (record 2, going by its place) was altered or cut off" in audit.verify(blobs).problems


def test_a_file_that_was_edited_by_hand_and_moved_aside_lets_the_log_go_on(blobs, clock):
    """Nothing is recorded behind an edited file; once it is moved aside, recording goes on and the check says so."""
    vote(blobs, "a")
    clock["now"] = DAY.replace(day=23)
    vote(blobs, "b")
    blobs.write("audit/2026/11/23.jsonl", blobs.read("audit/2026/11/23.jsonl") or b"")
    with pytest.raises(Unavailable, match="move it aside"):
        vote(blobs, "c")
    blobs._container.delete_blob("audit/2026/11/23.jsonl")
    vote(blobs, "c")

    assert keys(blobs, "audit/2026/11/23.jsonl") == ["c"]
    assert audit.verify(blobs).problems == ("record 3 is another one than audit/head.json says: the log was rewritten",)


def test_a_file_that_was_deleted_is_named(blobs, clock):
    """The record that closed the file before names it."""
    for day in (22, 23, 24):
        clock["now"] = DAY.replace(day=day)
        vote(blobs, f"{day}")
    blobs._container.delete_blob("audit/2026/11/23.jsonl")

    assert audit.verify(blobs).problems[0] == "audit/2026/11/23.jsonl is missing: record 2 names it as the next file"


def test_a_log_that_was_rewritten_as_a_whole_shows_against_a_note_kept_elsewhere(blobs, clock):
    """Whoever can write everything can make a new chain, but not one with the number and hash noted earlier."""
    vote(blobs, "a", details={"verdict": "reject"})
    noted = audit.verify(blobs).newest
    for name in blobs.names("audit/"):
        blobs._container.delete_blob(name)
    vote(blobs, "a", details={"verdict": "approve"})

    assert audit.verify(blobs).problems == ()
    (problem,) = audit.verify(blobs, noted).problems
    assert problem.endswith(f"but {noted.hash} was noted: the log was rewritten")


def test_nothing_recorded_yet_is_a_whole_log(blobs):
    """An empty container has no problem, unless something was noted."""
    assert audit.verify(blobs) == log.Report(0, 0, log.Note(0, "0" * 64), ())
    assert audit.verify(blobs, log.Note(3, "a" * 64)).problems == (
        "the log ends with record 0, but you noted record 3: its end is missing",
    )


def cut(blobs: Blobs, lines: int) -> None:
    rewrite(blobs, b"".join((blobs.read(FILE) or b"").splitlines(keepends=True)[:lines]))


def rewrite(blobs: Blobs, data: bytes) -> None:
    blobs._container.delete_blob(FILE)
    assert blobs.append(FILE, data, 0)
