"""The order of commits, also over rewritten branches."""

from __future__ import annotations

import pytest

from domain.branch_line import (
    AHEAD,
    BEHIND,
    DIVERGED,
    IDENTICAL,
    Compared,
    Place,
    counts,
    following,
    is_newer,
    position,
)

NEWEST = following(Place(), Place("n" * 40, position(Place(), 20, Compared())))
MINE, OTHER = Place("m" * 40, NEWEST.position + 1), Place("o" * 40, NEWEST.position)


def placed(count: int, relation: str = AHEAD, on_branch: bool = True, newest_on_branch: bool = True) -> int:
    """Return the position of a commit that stands so to the newest one, which has 20 commits."""
    return position(NEWEST, count, Compared(relation, on_branch, newest_on_branch))


def test_descendant_is_newer_than_its_ancestor() -> None:
    """Whoever of them is placed first."""
    assert placed(21) > NEWEST.position
    assert placed(19, BEHIND) < NEWEST.position
    assert placed(19, BEHIND, on_branch=False, newest_on_branch=False) < NEWEST.position


def test_what_the_branch_has_now_comes_after_what_it_lost() -> None:
    """Rewritten with fewer commits, or forced back to an old one."""
    assert placed(3, DIVERGED, newest_on_branch=False) > NEWEST.position
    assert placed(3, BEHIND, newest_on_branch=False) > NEWEST.position


def test_what_the_branch_lost_comes_before_however_late_it_is_placed() -> None:
    """Its release was slow, or its webhook late; it may have more commits than what replaced it."""
    assert placed(500, DIVERGED, on_branch=False) < NEWEST.position


def test_counting_tells_only_of_commits_that_no_rewrite_lies_between() -> None:
    """What was lost late shares no generation with what the branch had before: they may stand side by side."""
    rewritten = Place("r" * 40, placed(3, DIVERGED, newest_on_branch=False))
    lost = position(rewritten, 30, Compared(DIVERGED, on_branch=False))

    assert counts(placed(21), NEWEST.position)
    assert not counts(rewritten.position, NEWEST.position)
    assert not counts(lost, NEWEST.position)
    assert not counts(lost, rewritten.position)


def test_line_keeps_its_newest_commit() -> None:
    """A late one does not take its place; placed again, a commit stays where it was."""
    assert following(NEWEST, Place("o" * 40, placed(19, BEHIND))) == NEWEST
    assert following(NEWEST, Place("p" * 40, placed(21))).sha == "p" * 40
    assert position(NEWEST, 20, Compared(IDENTICAL)) == NEWEST.position


@pytest.mark.parametrize(
    ("compared", "newer"),
    [
        (Compared(AHEAD), False),
        (Compared(IDENTICAL), False),
        (Compared(BEHIND), True),
        (Compared(BEHIND, on_branch=False, other_on_branch=False), True),
        (Compared(BEHIND, other_on_branch=False), False),  # the branch was forced back
        (Compared(DIVERGED, on_branch=False), True),
        (Compared(DIVERGED, other_on_branch=False), False),
    ],
)
def test_ancestry_and_the_branch_say_what_is_newer_whatever_the_positions(compared: Compared, newer: bool) -> None:
    """A descendant is; of two that stand side by side, the one that the branch has."""
    assert is_newer(OTHER, MINE, compared) is newer
    assert is_newer(Place(OTHER.sha, MINE.position + 1), MINE, compared) is newer


def test_of_two_that_the_branch_lost_one_is_newer_and_not_both() -> None:
    """Otherwise each would give way to the other, or replace it."""
    both_lost = Compared(DIVERGED, on_branch=False, other_on_branch=False)

    assert is_newer(MINE, OTHER, both_lost)
    assert not is_newer(OTHER, MINE, both_lost)
