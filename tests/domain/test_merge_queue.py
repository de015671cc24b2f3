"""What a merge queue's branches say."""

from __future__ import annotations

import pytest

from domain.merge_queue import base_of, members

BASE, FIRST, SECOND = "a" * 40, "b" * 40, "c" * 40
ONE, TWO = f"gh-readonly-queue/main/pr-5-{BASE}", f"gh-readonly-queue/main/pr-7-{FIRST}"


@pytest.mark.parametrize(
    ("branch", "base"),
    [
        (ONE, "main"),
        (f"gh-readonly-queue/release/1.0/pr-5-{BASE}", "release/1.0"),
        ("gh-readonly-queue/main/pr-5-abc", ""),
        (f"x/gh-readonly-queue/main/pr-5-{BASE}", ""),
        ("main", ""),
    ],
)
def test_branch_names_where_it_lands(branch: str, base: str) -> None:
    """A branch that is called otherwise is none of a queue's."""
    assert base_of(branch) == base


def test_group_holds_the_changes_before_it_as_well() -> None:
    """Each is built on the head of the one before; below the first is what the base had."""
    assert members(TWO, {ONE: FIRST, TWO: SECOND}) == ((7, 5), BASE)


def test_change_before_that_has_landed_is_below() -> None:
    """Its branch is gone, so the base has its head by now."""
    assert members(TWO, {TWO: SECOND}) == ((7,), FIRST)


def test_branch_that_names_its_own_head_is_read_to_an_end() -> None:
    """Whoever can write may call a branch anything."""
    own = f"gh-readonly-queue/main/pr-7-{SECOND}"

    assert members(own, {own: SECOND}) == ((7, 7), SECOND)


def test_branch_of_another_name_holds_nothing_known() -> None:
    """So nobody can say whose code it is."""
    assert members("gh-readonly-queue/main/odd", {}) == ((), "")
