"""A change's record, and what its rules say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.changes import (
    CHECKS,
    MERGE,
    SYNTAX,
    VALIDATE,
    ChangeFacts,
    ChangeRecord,
    ChangeState,
    Check,
    CheckState,
    Mergeable,
    Step,
    decided,
    due,
    end,
    foresee,
    keep,
    mergeable,
    over,
    planned,
    red,
    take_up,
    together,
    touches_rules,
    turned_green,
    with_step,
)
from domain.config import Config
from domain.models import ChangeRequest, OptOut, StageState
from tests import samples

OLD, NEW = "a" * 40, "b" * 40


def facts(**fields: Any) -> ChangeFacts:
    """Return change 7 of alex, to develop, that GitHub would merge."""
    known = ChangeFacts(
        samples.REPOSITORY,
        7,
        "Answer better",
        "alex",
        OLD,
        "alex/42-answer",
        "develop",
        False,
        False,
        True,
        "https://g/7",
    )
    return replace(known, **{"mergeable": True, "merge_state": "clean", **fields})


def request(sha: str = OLD, attempt: int = 1) -> ChangeRequest:
    """Return a request to validate a head."""
    return ChangeRequest(samples.REPOSITORY, 7, sha, "delivery", attempt)


def record(head: str = OLD, **fields: Any) -> ChangeRecord:
    """Return the record of a head that is being validated."""
    known = ChangeRecord(samples.REPOSITORY, 7, head=head, instance=f"change-{head[:1]}", state=ChangeState.RUNNING)
    return replace(known, **fields)


def test_same_head_again_is_the_same_attempt() -> None:
    """Deliveries come twice; a finished validation is not repeated either."""
    assert due(None, request()).attempt == 1
    assert due(record(attempt=2), request()).attempt == 2
    assert due(record(state=ChangeState.PASSED), request()).attempt == 1


def test_head_whose_validation_was_broken_off_gets_another_attempt() -> None:
    """Closed and opened again, or forced back to: its first instance has ended and cannot be started again."""
    reopened = end(record(), "closed")
    forced_back = take_up(record(OLD), record(NEW))

    assert due(reopened, request()).attempt == 2
    assert due(forced_back, request(OLD)).attempt == 2
    assert due(forced_back, request(NEW)).attempt == 1


def test_pressing_the_button_asks_for_the_attempt_it_names() -> None:
    """The button counts from the check it stands on."""
    assert due(record(attempt=1), request(attempt=2)).attempt == 2


def test_newer_head_takes_the_change_over() -> None:
    """The record then names who is to be stopped."""
    taken = take_up(record(OLD), record(NEW))

    assert (taken.head, taken.replaces, taken.broken_off) == (NEW, "change-a", {OLD: 1})


def test_taking_up_again_finds_the_same_record() -> None:
    """An activity may run twice."""
    taken = take_up(record(OLD), record(NEW))

    assert take_up(taken, record(NEW, updated_at="later")) == taken


def test_older_attempt_at_the_same_head_takes_nothing_over() -> None:
    """A delivery that comes late meets the attempt that somebody asked for."""
    second = record(instance="change-a.2", attempt=2)

    assert take_up(second, record()) == second
    assert take_up(record(), second).instance == "change-a.2"


def test_what_a_story_that_is_over_says_is_not_kept() -> None:
    """Neither after a newer push nor after the end of the change."""
    newer = take_up(record(OLD), record(NEW))
    ended = end(record(OLD), "closed")

    assert keep(newer, record(OLD, reason="old news", updated_at="9")) == newer
    assert keep(ended, record(OLD, reason="old news", updated_at="9")) == ended


def test_older_news_does_not_overwrite_newer() -> None:
    """An activity that runs again late."""
    newer = record(reason="newer", news=2)

    assert keep(newer, record(reason="older", news=1)) == newer


def test_news_of_a_host_whose_clock_is_behind_are_kept() -> None:
    """The end of a validation must not be lost to a time that another host told."""
    ahead = record(reason="running", news=1, updated_at="2026-11-23T10:00:00+00:00")

    assert keep(ahead, record(reason="passed", news=2, updated_at="2026-11-23T09:01:00+00:00")).reason == "passed"


def test_news_leave_alone_what_the_look_at_the_label_found() -> None:
    """Both write one record."""
    refused = OptOut("skip", 7, "alex", "2026", refused="no reason")
    stored = foresee(record(), refused, ["the full evaluation"])

    kept = keep(stored, record(reason="news", updated_at="1"))

    assert (kept.reason, kept.preview, kept.previewed, kept.forecast) == (
        "news",
        refused,
        True,
        ("the full evaluation",),
    )


def test_label_that_was_taken_off_is_remembered_as_such() -> None:
    """Its red status must become green again."""
    looked = foresee(foresee(record(), OptOut("skip", 7, "alex", "2026"), []), None, [])

    assert (looked.preview, looked.previewed) == (None, True)


def test_end_stops_what_runs_and_leaves_what_has_settled() -> None:
    """A validation that passed may still tell of the merge that closed the change."""
    running = end(with_step(record(), VALIDATE, StageState.RUNNING), "closed")
    passed = end(record(state=ChangeState.PASSED), "merged")

    assert (running.state, running.steps[0].state, over(running, "change-a")) == ("cancelled", "cancelled", True)
    assert (passed.state, passed.ended, over(passed, "change-a")) == ("passed", "merged", False)
    assert end(running, "merged").ended == "merged"


def config(**fields: Any) -> Config:
    """Return the sample config with sections replaced."""
    return Config.model_validate({**samples.wire_config(), **fields})


@pytest.mark.parametrize(
    ("change", "sections", "steps"),
    [
        (facts(), {}, ["branch", VALIDATE]),
        (facts(), {"merge": {"auto": True}}, ["branch", VALIDATE, MERGE]),
        (facts(base="main"), {"merge": {"auto": True}}, ["branch", VALIDATE, SYNTAX]),
        (facts(base="main", fork=True), {}, ["branch", VALIDATE]),
        (facts(base="release/1"), {"merge": {"auto": True}}, ["branch", VALIDATE]),
    ],
)
def test_steps_follow_from_where_the_change_goes(
    change: ChangeFacts, sections: dict[str, Any], steps: list[str]
) -> None:
    """Only changes to develop are merged; only those to main run from end to end, and never a fork's."""
    assert [step.name for step in planned(change, config(**sections))] == steps


def test_required_checks_are_a_step() -> None:
    """When the config names any."""
    rules = config(validate={**samples.wire_config()["validate"], "required_checks": ["ci"]})

    assert CHECKS in [step.name for step in planned(facts(), rules)]


def test_step_is_replaced_in_its_place() -> None:
    """Its line keeps its place in the table."""
    both = with_step(with_step(record(), "one", StageState.RUNNING), "two", StageState.WAITING)

    assert [step.name for step in with_step(both, "one", StageState.PASSED).steps] == ["one", "two"]
    assert with_step(both, "one", StageState.PASSED, "fine").steps[0] == Step("one", StageState.PASSED, "fine")


def test_each_required_name_has_the_worst_check_of_that_name() -> None:
    """Two workflows may have jobs of one name, and a check that never came is missing, not fine."""
    passed, failed = Check("test", CheckState.PASSED), Check("test", CheckState.FAILED, "failure")

    assert together(["test", "lint"], [passed, failed, Check("other", CheckState.FAILED)]) == (
        failed,
        Check("lint", CheckState.MISSING),
    )


def test_checks_to_turn_green_are_those_that_failed() -> None:
    """Else those that did not come in time; what succeeded is none of them."""
    passed, failed = Check("test", CheckState.PASSED), Check("lint", CheckState.FAILED)
    late, never = Check("docs", CheckState.PENDING), Check("e2e", CheckState.MISSING)

    assert red([passed, failed, late]) == ("lint",)
    assert red([passed, late, never]) == ("docs", "e2e")


def test_last_check_that_turned_green_stays_until_the_change_is_validated_again() -> None:
    """So that whoever dies in between is followed by somebody who starts it."""
    both = record(red=("test", "lint"))
    one = turned_green(both, "lint")

    assert one.red == ("test",)
    assert turned_green(one, "test") == turned_green(one, "other") == one
    assert take_up(one, record(attempt=2, instance="again")).red == ()


@pytest.mark.parametrize(
    ("states", "over_now"),
    [
        (["passed", "passed"], True),
        (["passed", "pending"], False),
        (["missing", "passed"], False),
        (["failed", "pending"], True),
    ],
)
def test_checks_are_decided_when_one_failed_or_all_passed(states: list[str], over_now: bool) -> None:
    """Nobody has to wait for the rest after a failure."""
    assert decided([Check(str(n), CheckState(state)) for n, state in enumerate(states)]) is over_now


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({}, Mergeable.YES),
        ({"merge_state": "unstable"}, Mergeable.YES),
        ({"mergeable": None, "merge_state": "unknown"}, Mergeable.UNKNOWN),
        ({"merge_state": "blocked"}, Mergeable.BLOCKED),
        ({"merge_state": "behind"}, Mergeable.BLOCKED),
        ({"mergeable": False, "merge_state": "dirty"}, Mergeable.CONFLICT),
        ({"draft": True}, Mergeable.GONE),
        ({"open": False}, Mergeable.GONE),
        ({"head": NEW}, Mergeable.GONE),
        ({"base": "main"}, Mergeable.GONE),
        ({"merge_state": "a word of next year"}, Mergeable.BLOCKED),
    ],
)
def test_only_what_github_calls_mergeable_is_merged(fields: dict[str, Any], answer: Mergeable) -> None:
    """A draft, a moved head and what nobody understands are not."""
    assert mergeable(facts(**fields), OLD, "develop") is answer


def test_change_of_more_files_than_github_lists_may_touch_the_rules() -> None:
    """Nobody hides their own rules behind three thousand files."""
    assert touches_rules(["a.py", "drawbridge.yaml"])
    assert touches_rules([f"a{number}.txt" for number in range(3000)])
    assert not touches_rules(["a.py", "flows/drawbridge.yaml"])
