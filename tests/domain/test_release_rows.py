"""The list of releases: bounded parts, the newest first, nothing lost and nothing twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain import release_rows, timeline
from domain.models import Outcome, StageState
from domain.release_rows import FULL, PAGE, Head, Row
from tests import samples

KNOWN = release_rows.row_of(samples.record())


def row(number: int, outcome: Outcome = Outcome.RELEASED, updated: int = 0) -> Row:
    """Return the row of the release that began as the `number`th."""
    at = f"2026-11-23T09:{number // 60:02}:{number % 60:02}Z"
    return replace(KNOWN, id=f"release-{number:04}", outcome=outcome, created_at=at, updated_at=f"{updated:04}")


def numbers(rows: object) -> list[int]:
    """Return which releases these rows are of."""
    return [int(one.id[-4:]) for one in rows]  # type: ignore[attr-defined]


def shown(head: Head, parts: list[tuple[Row, ...]], page: int) -> list[int]:
    """Return which releases a page shows, taking no more parts than it says it needs."""
    needed = [parts[number] for number in release_rows.parts_of_page(head, page)]
    return numbers(release_rows.rows_of_page(head, page, needed))


def test_row_says_what_the_list_shows() -> None:
    """Titles of the first few changes, how each stage stands, and what must be seen."""
    changes = tuple(replace(samples.origin().changes[0], number=number) for number in range(6))
    begun = timeline.begin(samples.record(changes=changes), timeline.VALIDATE, "2026-11-23T09:01:00Z")
    known = release_rows.row_of(begun)

    assert known.titles[0] == "Answer in whole sentences (#0)"
    assert (len(known.titles), known.more) == (4, 2)
    assert (timeline.VALIDATE, StageState.RUNNING) in known.stages
    assert (known.opted_out, known.debt, known.overridden, known.over) == (False, None, False, False)


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 99, 100, 101, 149, 150, 151, 500, 501])
def test_every_release_is_on_exactly_one_page_newest_first(count: int) -> None:
    """Whatever the number, and page 1 needs the head alone."""
    head, parts = release_rows.build("g", map(row, range(count)))

    pages = [shown(head, parts, number) for number in range(1, release_rows.pages(head.total) + 1)]

    assert [number for page in pages for number in page] == list(reversed(range(count)))
    assert all(len(page) == PAGE for page in pages[:-1])
    assert not release_rows.parts_of_page(head, 1)
    assert len(head.rows) < FULL
    assert head.total == count


def test_releases_that_are_not_over_stay_in_the_head() -> None:
    """Their rows still change; the page order is that of the list all the same."""
    rows = [row(number, Outcome.RUNNING if number in (0, 5) else Outcome.RELEASED) for number in range(180)]
    head, parts = release_rows.build("g", rows)

    assert numbers(parts[0]) == [number for number in range(52) if number not in (0, 5)]
    assert numbers(head.rows)[:2] == [0, 5]
    assert len({one.id for part in (*parts, head.rows) for one in part}) == 180


def test_row_is_replaced_by_a_newer_one_only() -> None:
    """Two saves that cross each other leave the newer one."""
    known, newer = row(1, Outcome.RUNNING, updated=2), row(1, Outcome.RUNNING, updated=3)
    head = release_rows.put(Head("g"), known)

    assert release_rows.put(head, row(1, Outcome.RUNNING, updated=1)) == head
    assert release_rows.put(head, newer).rows == (newer,)


def test_row_of_a_release_that_is_over_stays_over() -> None:
    """As in its record, whatever the clocks say of those who wrote the two."""
    running, over = row(1, Outcome.RUNNING, updated=2), row(1, Outcome.CANCELLED, updated=1)
    head = release_rows.put(release_rows.put(Head("g"), running), over)

    assert head.rows == (over,)
    assert release_rows.put(head, running) == head


def test_late_save_of_a_sealed_release_adds_no_second_row() -> None:
    """A note that is added after the end; one that is known to be in no part is added."""
    head, _ = release_rows.build("g", map(row, range(100)))

    assert head.sealed == 1
    assert release_rows.put(head, row(3, updated=9)) == head
    assert release_rows.put(head, row(100), new=True).total == 101
    assert release_rows.put(head, row(100, Outcome.RUNNING)).total == 101


def test_head_gives_rows_away_only_when_it_is_full_of_what_is_over() -> None:
    """The oldest that are over; else it grows, since nobody may lose a running release."""
    running = Head("g", 0, tuple(row(number, Outcome.RUNNING) for number in range(FULL)))
    full = Head("g", 0, tuple(row(number) for number in range(FULL)))

    assert release_rows.to_seal(running) == ()
    assert release_rows.to_seal(replace(full, rows=full.rows[1:])) == ()
    assert numbers(release_rows.to_seal(full)) == list(range(PAGE))


def test_part_that_somebody_sealed_already_is_not_taken_out_again() -> None:
    """Two writers at once: the second one's head has moved on."""
    full = Head("g", 0, tuple(row(number) for number in range(FULL)))
    ids = {one.id for one in release_rows.to_seal(full)}
    after = release_rows.seal(full, full, ids)

    assert (after.sealed, numbers(after.rows)) == (1, list(range(PAGE, FULL)))
    assert release_rows.seal(after, full, ids) == after
    assert release_rows.seal(replace(full, generation="h"), full, ids).sealed == 0
