"""The list of releases, kept so that a page of it never needs all records: one row each, in bounded parts.

The *head* has the newest rows and all of releases that are not over; when it is full, the oldest rows of releases that
are over are *sealed* as a part that never changes again. So one blob is enough for the first page.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from domain.models import DebtState, Outcome, ReleaseRecord, StageState

PAGE = 50  # rows on a page of the list, and in a sealed part
FULL = 2 * PAGE  # rows at which the head gives some away
TITLES = 4  # of a release's changes that a row keeps


@dataclass(frozen=True)
class Row:
    """What the list shows of a release."""

    id: str
    repository: str
    sha: str
    url: str  # of the commit
    author: str
    titles: tuple[str, ...]
    more: int  # changes whose title is left out
    outcome: Outcome
    stages: tuple[tuple[str, StageState], ...]
    created_at: str
    updated_at: str
    opted_out: bool
    debt: DebtState | None
    overridden: bool

    @property
    def over(self) -> bool:
        """Say whether the release has ended: its row will not change any more."""
        return self.outcome is not Outcome.RUNNING


@dataclass(frozen=True)
class Head:
    """The newest rows, oldest first. `generation` names the sealed parts that belong to it, `sealed` counts them."""

    generation: str
    sealed: int = 0
    rows: tuple[Row, ...] = ()

    @property
    def total(self) -> int:
        """Count all rows, also the sealed ones."""
        return self.sealed * PAGE + len(self.rows)


def row_of(record: ReleaseRecord) -> Row:
    """Return the row of a release."""
    titles = [f"{change.title} (#{change.number})" for change in record.changes] or [
        record.commit.message or f"Commit {record.commit.sha[:8]}"  # until it is known where the release comes from
    ]
    return Row(
        id=record.id,
        repository=record.repository,
        sha=record.commit.sha,
        url=record.commit.url,
        author=record.commit.author,
        titles=tuple(titles[:TITLES]),
        more=max(0, len(titles) - TITLES),
        outcome=record.outcome,
        stages=tuple((stage.name, stage.state) for stage in record.stages),
        created_at=record.created_at,
        updated_at=record.updated_at,
        opted_out=bool(record.opt_outs),
        debt=record.debt.state if record.debt else None,
        overridden=bool(record.overrides),
    )


def in_order(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return rows from the oldest release to the newest."""
    return tuple(sorted(rows, key=lambda row: (row.created_at, row.id)))


def put(head: Head, row: Row, new: bool = False) -> Head:
    """Return the head with a row as it stands now. An older one never replaces a newer one, and what is over is newer.

    A release that is over and not in the head may be in a sealed part; `new` says that it is in none.
    """
    known = next((one for one in head.rows if one.id == row.id), None)
    if known is None and row.over and head.sealed and not new:
        return head
    if known is not None and (known.over, known.updated_at) > (row.over, row.updated_at):
        return head
    return replace(head, rows=in_order((*(one for one in head.rows if one.id != row.id), row)))


def to_seal(head: Head) -> tuple[Row, ...]:
    """Return the rows that make the next sealed part, or none while the head is not full."""
    over = [row for row in head.rows if row.over][:PAGE]
    return tuple(over) if len(head.rows) >= FULL and len(over) == PAGE else ()


def seal(head: Head, before: Head, ids: Collection[str]) -> Head:
    """Return the head without the rows of the part that was sealed from `before`; unchanged when somebody did so."""
    if (head.generation, head.sealed) != (before.generation, before.sealed):
        return head
    return replace(head, sealed=head.sealed + 1, rows=tuple(row for row in head.rows if row.id not in ids))


def build(generation: str, rows: Iterable[Row]) -> tuple[Head, list[tuple[Row, ...]]]:
    """Return the head and the sealed parts that these rows make."""
    head, parts = Head(generation, 0, in_order(rows)), []
    while part := to_seal(head):
        parts.append(part)
        head = seal(head, head, {row.id for row in part})
    return head, parts


def pages(total: int) -> int:
    """Count the pages of the list; an empty list has one."""
    return max(1, -(-total // PAGE))


def parts_of_page(head: Head, number: int) -> range:
    """Return the numbers of the sealed parts that a page needs besides the head."""
    stop = max(0, head.total - (number - 1) * PAGE)
    return range(max(0, stop - PAGE) // PAGE, min(head.sealed, -(-stop // PAGE)))


def rows_of_page(head: Head, number: int, sealed: Sequence[Sequence[Row]]) -> tuple[Row, ...]:
    """Return the rows of a page, newest first; `sealed` are those of `parts_of_page`, in their order."""
    parts = parts_of_page(head, number)
    first = (parts.start if parts else head.sealed) * PAGE
    stop = max(0, head.total - (number - 1) * PAGE)
    known = [*(row for part in sealed for row in part), *head.rows]
    return tuple(reversed(known[max(0, stop - PAGE) - first : stop - first]))
