"""When to look, and what follows from what was found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain import reconcile
from domain.reconcile import Deliveries, Page, Pass, Seen

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def ago(**time: float) -> str:
    """Return a moment of the past."""
    return (NOW - timedelta(**time)).isoformat()


@pytest.mark.parametrize(
    ("last", "due"),
    [
        (Pass(), True),
        (Pass(ago(minutes=4)), False),
        (Pass(ago(minutes=5)), True),
        (Pass(ago(minutes=5, seconds=-0.5)), True),
        (Pass(ago(minutes=6), "somebody"), False),
        (Pass(ago(minutes=15), "somebody"), True),
        (Pass(ago(hours=-1)), True),
        (Pass(ago(hours=-1), "somebody"), True),
        (Pass(ago(seconds=-0.5)), False),
        (Pass(ago(seconds=50), failed=True), False),
        (Pass(ago(seconds=60), failed=True), True),
    ],
)
def test_pass_is_due_after_its_interval_or_soon_after_trouble_or_the_death_of_its_maker(last: Pass, due: bool) -> None:
    """A beginning in the future was written by a clock that is off, and holds nobody up."""
    assert reconcile.due(last, NOW, 300) is due


@pytest.mark.parametrize(
    ("last", "late"),
    [(Pass(), False), (Pass(ago(minutes=15)), False), (Pass(ago(minutes=16)), True), (Pass(ago(hours=-1)), False)],
)
def test_passes_that_stopped_coming_are_noticed(last: Pass, late: bool) -> None:
    """Three intervals are enough to tell; before the first there is nothing to miss."""
    assert reconcile.overdue(last, NOW, 300) is late


def test_short_intervals_are_not_late_before_minutes() -> None:
    """A pass may take longer than its interval."""
    assert not reconcile.overdue(Pass(ago(minutes=2)), NOW, 1)


@pytest.mark.parametrize(
    ("released", "start"), [([], "z"), (["d"], "z"), (["c"], "c"), (["a", "b"], "b"), (["elsewhere"], "z")]
)
def test_push_that_nobody_told_of_begins_at_the_newest_release(released: list[str], start: str) -> None:
    """Else where the branch was seen last: there, at `z`. `d` is its head."""
    assert reconcile.beginning(["d", "c", "b", "a"], "z", released) == start


def event(number: int, label: str, what: str, pull: bool = True) -> dict[str, Any]:
    """Return an issue event of a label."""
    issue = {"number": number, **({"pull_request": {"merged_at": None}} if pull else {})}
    return {"event": what, "label": {"name": label}, "issue": issue}


def test_of_a_label_that_went_back_and_forth_the_last_move_counts() -> None:
    """Of each label on each pull request, whatever its case; issues and other events are not asked about."""
    events = [
        event(1, "skip", "labeled"),
        event(1, "Skip", "unlabeled"),
        event(2, "skip", "labeled"),
        event(1, "docs", "labeled"),
        event(3, "skip", "labeled", pull=False),
        {"event": "closed", "issue": {"number": 1, "pull_request": {}}},
        {"event": "renamed", "issue": None},
    ]

    assert reconcile.last_toggles(events) == [events[1], events[2], events[3]]


def test_labels_moved_before_the_merge_are_left_out() -> None:
    """The merge counted them; within its second nobody can tell, and looking once more hurts nobody."""
    moments = ["2026-11-23T08:59:59Z", "2026-11-23T09:00:00Z", "2026-11-23T09:00:01Z"]
    merged = {"number": 1, "pull_request": {"merged_at": "2026-11-23T09:00:00Z"}}
    events = [{**event(1, at, "labeled"), "created_at": at, "issue": merged} for at in moments]

    assert reconcile.last_toggles(events) == events[1:]


def delivery(guid: str, status: int, name: str = "push") -> dict[str, Any]:
    """Return a line of the log of deliveries."""
    return {"guid": guid, "status_code": status, "event": name}


def test_deliveries_of_which_no_attempt_arrived_are_retried_once() -> None:
    """Not those that arrived later, those retried before, and those that start nothing."""
    log = [
        delivery("lost", 502),
        delivery("late", 502),
        delivery("late", 202),
        delivery("old", 500),
        delivery("star", 500, "star"),
        delivery("lost", 504),
    ]
    found = reconcile.to_retry(log, Deliveries(retried={"old": ago(days=1)}))

    assert [one["guid"] for one in found] == ["lost"]


def test_retries_are_forgotten_when_github_has_forgotten_the_delivery() -> None:
    """Three days."""
    known = Deliveries(7, {"new": ago(days=2), "old": ago(days=4)})

    assert reconcile.forget(known, NOW.isoformat()) == Deliveries(7, {"new": ago(days=2)})


@pytest.mark.parametrize(
    ("status", "orphan"),
    [
        ("Running", False),
        ("Completed", False),
        ("Terminated", True),
        ("Canceled", True),
        ("Failed", True),
        (None, True),
    ],
)
def test_orphan_is_a_release_without_orchestration(status: str | None, orphan: bool) -> None:
    """A story that came to its end has left nothing undone."""
    assert reconcile.is_orphan(status) is orphan


def test_etags_of_paths_that_are_asked_no_more_are_dropped() -> None:
    """The path of comments changes with every new one."""
    pages = {"/a": Page("1"), "/b": Page("2")}

    assert reconcile.still_asked(pages, {"/b", "/c"}) == {"/b": Page("2")}


def test_trouble_is_told_with_its_beginning() -> None:
    """And nothing while there is none."""
    seen = Seen(trouble="GitHub is away.", trouble_since="2026-11-23T09:00:00Z")

    assert reconcile.lost_sight("acme/helpdesk", seen) == "acme/helpdesk, since 2026-11-23T09:00:00Z: GitHub is away."
    assert reconcile.lost_sight("acme/helpdesk", Seen()) == ""


def test_health_says_where_events_come_from() -> None:
    """And when GitHub was looked at last."""
    assert reconcile.source_of_events("poll", 60, Pass(ago())) == (
        "GitHub is polled every 60 s, last at 2026-11-23T09:00:00+00:00"
    )
    assert reconcile.source_of_events("webhook", 300, Pass()) == "webhooks; GitHub is compared every 300 s, not yet"
