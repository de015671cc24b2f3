"""What the audit log's check finds: whatever is done to a log, unless nothing is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import audit
from domain.audit import Head, Note, Record
from domain.errors import Invalid

FILES = ["audit/2026/11/22.jsonl", "audit/2026/11/22.2.jsonl", "audit/2026/11/24.jsonl"]
AT = "2026-11-22T12:00:00+00:00"
DOCUMENT = Path(__file__).parents[2] / "docs" / "decisions" / "audit-log.md"


def entry(key: str, **details: str) -> Record:
    return audit.entry(key, "vote", "maria", "release-1", "sha256:ab", details, AT)


Files = dict[str, list[bytes]]


def whole() -> tuple[Files, bytes]:
    """A log of ten records in three files, and its head."""
    wanted = [[entry("a"), entry("b", reason="é"), entry("c")], [entry("d"), entry("e")], [entry("f"), entry("g")]]
    for file, following in pairwise(FILES):
        wanted[FILES.index(file)].append(audit.closing(file, following, datetime(2026, 11, 22, tzinfo=UTC)))
    n, before = 0, audit.START
    files: Files = {}
    head = Head(0, before, FILES[0])
    for file, entries in zip(FILES, wanted, strict=True):
        files[file] = []
        for number, one in enumerate(entries, 1):
            record = audit.chained(one, n + 1, before)
            head = Head(record.n, record.hash, file, sum(map(len, files[file])), number)
            files[file].append(audit.to_line(record))
            n, before = record.n, record.hash
    return files, json.dumps(asdict(head)).encode()


FILES_OF, HEAD = whole()
ALL = b"".join(b"".join(lines) for lines in FILES_OF.values())


def problems(files: Mapping[str, bytes | list[bytes]], head: bytes | None = HEAD) -> tuple[str, ...]:
    read = {file: data.splitlines(keepends=True) if isinstance(data, bytes) else data for file, data in files.items()}
    return audit.check(read.items(), head).problems


def joined() -> dict[str, bytes]:
    return {file: b"".join(lines) for file, lines in FILES_OF.items()}


places = st.sampled_from([(file, line) for file, lines in FILES_OF.items() for line in range(len(lines))])


def test_every_kind_of_decision_is_explained_once():
    """Whoever reads the log finds each word in the document, in the same order as in the code."""
    table = re.findall(r"^\| `([a-z-]+)` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)

    assert tuple(table) == get_args(audit.What)


def test_every_kind_of_decision_is_recorded_somewhere():
    """A word that nobody writes any more would promise what the log does not have."""
    code = "".join(file.read_text() for folder in ("activities", "adapters", "triggers") for file in _python(folder))

    assert [word for word in get_args(audit.What) if f'"{word}"' not in code and word != audit.CONTINUED] == []


def _python(folder):
    return sorted((DOCUMENT.parents[2] / folder).rglob("*.py"))


def test_an_untouched_log_has_no_problem():
    """Nine records in three files, the newest at the head."""
    report = audit.check(FILES_OF.items(), HEAD)

    assert (report.records, report.files, report.problems) == (9, 3, ())
    assert report.newest == Note(9, json.loads(HEAD)["hash"])


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(FILES), st.data())
def test_each_altered_byte_is_found(file, data):
    """Any byte of any file, put to any other value."""
    files = joined()
    place = data.draw(st.integers(0, len(files[file]) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda value: value != files[file][place]))
    files[file] = files[file][:place] + bytes([other]) + files[file][place + 1 :]

    assert problems(files) != ()


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(FILES), st.data())
def test_each_cut_is_found(file, data):
    """Any number of bytes taken from the end of any file, or from its beginning."""
    files = joined()
    keep = data.draw(st.integers(0, len(files[file]) - 1))
    files[file] = data.draw(st.sampled_from([files[file][:keep], files[file][len(files[file]) - keep :]]))

    assert problems(files) != ()


@settings(deadline=None)
@given(places)
def test_each_removed_record_is_found(place):
    """Whichever line is taken out."""
    file, line = place
    files = {name: list(lines) for name, lines in FILES_OF.items()}
    del files[file][line]

    assert problems(files) != ()


@settings(deadline=None)
@given(places, places)
def test_each_swap_and_each_repeat_is_found(one, other):
    """Two lines that changed places, or a line that stands a second time somewhere."""
    swapped, repeated = ({name: list(lines) for name, lines in FILES_OF.items()} for _ in range(2))
    swapped[one[0]][one[1]], swapped[other[0]][other[1]] = FILES_OF[other[0]][other[1]], FILES_OF[one[0]][one[1]]
    repeated[other[0]].insert(other[1], FILES_OF[one[0]][one[1]])

    assert one == other or problems(swapped) != ()
    assert problems(repeated) != ()


@settings(deadline=None)
@given(places, st.sampled_from(["who", "what", "subject", "evidence", "at", "key"]), st.text())
def test_a_record_that_was_rewritten_with_a_fitting_hash_is_found(place, name, value):
    """The record after it, or the head, still carries the hash of the true one."""
    file, line = place
    files = {name: list(lines) for name, lines in FILES_OF.items()}
    files[file][line] = forged(files[file][line], **{name: value})

    assert files == FILES_OF or problems(files) != ()


@settings(deadline=None)
@given(st.integers(0, 255), st.integers(0, len(HEAD) - 1))
def test_a_touched_head_is_found_or_says_the_same(value, place):
    """Whatever byte of the head was altered: it names no record of the log, or still the same one."""
    head = HEAD[:place] + bytes([value]) + HEAD[place + 1 :]

    assert audit.to_head(head) == audit.to_head(HEAD) or problems(FILES_OF, head) != ()


@settings(deadline=None)
@given(st.text(), st.text(), st.dictionaries(st.text(), st.text()))
def test_what_is_written_is_read_back(key, who, details):
    """Whatever text comes from outside stays one line that reads back as the record it was."""
    record = audit.chained(audit.entry(key, "vote", who, "x", "", details, AT), 1, audit.START)
    line = audit.to_line(record)

    assert line.count(b"\n") == 1
    assert audit.from_line(line) == record


@pytest.mark.parametrize(
    ("touch", "words"),
    [
        (lambda lines: lines.pop(1), f"{FILES[0]} line 2: record 2 is missing before record 3"),
        (
            lambda lines: lines.insert(1, lines[0]),
            f"{FILES[0]} line 2: record 1 stands behind record 1: moved or put there",
        ),
        (
            lambda lines: lines.insert(2, lines[0]),
            f"{FILES[0]} line 3: record 1 stands behind record 2: moved or put there",
        ),
        (
            lambda lines: lines.__setitem__(0, lines[0].replace(b"maria", b"jonas")),
            f"{FILES[0]} line 1 (record 1, going by its place) was altered or cut off",
        ),
        (
            lambda lines: lines.__setitem__(0, forged(lines[0], who="jonas")),
            f"{FILES[0]} line 2: record 2 does not carry the hash of the one before: "
            "record 1 was altered, or 2 replaced",
        ),
        (
            lambda lines: lines.pop(),
            f"{FILES[0]} was never closed, and yet {FILES[1]} follows: "
            "the end of the first is missing, or the second was put there",
        ),
        (
            lambda lines: lines.append(lines[0]),
            f"{FILES[0]} line 5: record 1 stands behind the one that closed the file",
        ),
    ],
)
def test_the_first_problem_says_which_record_it_is(touch, words):
    """What was done, in words, with the file and the line."""
    files = {name: list(lines) for name, lines in FILES_OF.items()}
    touch(files[FILES[0]])

    assert problems(files)[0] == words


def forged(line: bytes, **others: Any) -> bytes:
    true = audit.from_line(line)
    assert true
    return audit.to_line(audit.chained(replace(true, **others), true.n, true.before))


def test_a_missing_file_and_a_foreign_one_are_named():
    """The record that closed the file before names the missing one; a name that is none is called that."""
    files = {FILES[0]: FILES_OF[FILES[0]], "audit/2026/11/23 copy.jsonl": [], FILES[2]: FILES_OF[FILES[2]]}

    assert problems(files)[:2] == (
        "audit/2026/11/23 copy.jsonl is no file of the audit log: somebody put it there",
        f"{FILES[1]} is missing: record 4 names it as the next file",
    )


def test_a_cut_end_a_missing_and_a_broken_head_are_told_apart():
    """All three concern the newest records, and each has its own words."""
    cut = FILES_OF | {FILES[2]: FILES_OF[FILES[2]][:1]}

    assert problems(cut) == ("the log ends with record 8, but audit/head.json knows record 9: its end is missing",)
    assert problems(FILES_OF, None) == (
        "audit/head.json is missing: whether anything behind record 9 was cut off cannot be seen",
    )
    assert problems(FILES_OF, b"{}")[0].startswith("audit/head.json cannot be read: ")


def test_no_more_problems_are_listed_than_anybody_reads():
    """A file of rubbish is not repeated line by line."""
    found = problems({FILES[0]: [b"x\n"] * 1000})

    assert len(found) == audit.MOST_PROBLEMS + 1
    assert found[-1] == "and 950 more"


def test_a_note_is_a_number_and_a_hash():
    """As an earlier check printed it; anything else is refused with what was expected."""
    assert audit.to_note(f" 12:{'a' * 64}\n") == Note(12, "a" * 64)
    with pytest.raises(Invalid, match="'12:abc' is no note of the audit log: expected <number>:<hash> as an earlier"):
        audit.to_note("12:abc")


@pytest.mark.parametrize(
    ("file", "lines", "today", "following"),
    [
        (FILES[0], 5, "2026-11-22", None),
        (FILES[0], 5, "2026-11-21", None),
        (FILES[0], 5, "2026-11-23", "audit/2026/11/23.jsonl"),
        (FILES[1], 0, "2026-11-22", None),
        (FILES[0], audit.LINES, "2026-11-22", FILES[1]),
        (FILES[1], audit.LINES, "2026-11-20", "audit/2026/11/22.3.jsonl"),
        (FILES[1], audit.LINES, "2027-01-01", "audit/2027/01/01.jsonl"),
    ],
)
def test_a_file_goes_on_until_its_day_is_over_or_it_is_full(file, lines, today, following):
    """A clock that was put back leads to no earlier file."""
    assert audit.file_after(file, lines, date.fromisoformat(today)) == following
