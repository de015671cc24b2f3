"""The order of commits, also over rewritten branches."""

from __future__ import annotations

from domain.branch_line import AHEAD, BEHIND, DIVERGED, Commit, Line, following, position

NEWEST = following(Line(), "n" * 40, position(Line(), Commit("n" * 40, 20)))


def placed(count: int, relation: str = AHEAD, on_branch: bool = True, newest_on_branch: bool = True) -> int:
    """Return the position of a commit that stands so to the newest one, which has 20 commits."""
    return position(NEWEST, Commit("c" * 40, count, relation, on_branch, newest_on_branch))


def test_descendant_is_newer_than_its_ancestor() -> None:
    """Whoever of them is placed first."""
    assert placed(21) > NEWEST.position
    assert placed(19, BEHIND) < NEWEST.position


def test_what_the_branch_has_now_is_newer_than_what_it_lost() -> None:
    """Rewritten with fewer commits, or forced back to an old one."""
    assert placed(3, DIVERGED, newest_on_branch=False) > NEWEST.position
    assert placed(3, BEHIND, newest_on_branch=False) > NEWEST.position


def test_what_the_branch_lost_is_older_however_late_it_is_placed() -> None:
    """Its release was slow, or its webhook late; it may have more commits than what replaced it."""
    assert placed(500, DIVERGED, on_branch=False) < NEWEST.position


def test_line_keeps_its_newest_commit() -> None:
    """A late one does not take its place; placed again, a commit stays where it was."""
    assert following(NEWEST, "o" * 40, placed(19, BEHIND)) == NEWEST
    assert following(NEWEST, "p" * 40, placed(21)).sha == "p" * 40
    assert position(NEWEST, Commit(NEWEST.sha, 20, "identical")) == NEWEST.position
