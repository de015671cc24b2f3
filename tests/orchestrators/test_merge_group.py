"""The story of what a merge queue is about to merge, told with fake effects."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from domain.changes import ChangeRecord, ChangeState
from domain.git_flow import GroupRequest, group_id
from orchestrators.merge_group import merge_group
from tests import samples
from tests.domain.test_changes import facts
from tests.orchestrators.stage import Stage
from tests.orchestrators.test_pull_request import CHECKED, stage_with, steps, told

HEAD = "a" * 40
REQUEST = GroupRequest(samples.REPOSITORY, HEAD, "develop", f"gh-readonly-queue/develop/pr-7-{'b' * 40}")
INSTANCE = group_id(REQUEST)


def queued(base: str = "develop", rules: dict[str, Any] | None = None, fork: bool = False, **answers: Any) -> Stage:
    """Return a stage where everything goes well with a group, apart from what a test changes."""
    group = replace(facts(base=base, branch=REQUEST.branch, fork=fork), head=HEAD, group=True)
    record = ChangeRecord(samples.REPOSITORY, 7, head=HEAD, base=base, instance=INSTANCE, group=True)
    found = {"facts": asdict(group), "record": asdict(replace(record, state=ChangeState.RUNNING))}
    stage = stage_with(group, rules, **answers)
    stage.activities.setdefault("take_up_group", lambda _: {**found, "branch": "main", "look": 300})
    return stage


def play(stage: Stage) -> Any:
    """Play the validation of HEAD."""
    return stage.play(merge_group, asdict(REQUEST), INSTANCE)


def test_group_is_validated_as_it_would_land() -> None:
    """Nothing of what is the changes' own: no rule for its branch, no forecast, no merge."""
    stage = queued(rules={"merge": {"auto": True}})

    output = play(stage)

    assert output == {"state": "passed", "reason": "Everything passed."}
    assert steps(stage) == {"validate": "passed"}
    assert {name for name, _ in stage.asked} == {
        *("take_up_group", "tell_change", "fetch_snapshot", "read_config", "plan_validation", "run_jobs"),
    }
    assert stage.payloads("fetch_snapshot")[0]["sha"] == HEAD


def test_group_on_its_way_to_the_release_branch_runs_end_to_end() -> None:
    """As each of its changes did."""
    stage = queued("main")

    play(stage)

    assert steps(stage) == {"validate": "passed", "evaluate-syntax": "passed"}


def test_group_with_a_strangers_code_is_sealed() -> None:
    """A fork gets no secrets, also not in company."""
    stage = queued("main", fork=True)

    play(stage)

    assert stage.payloads("plan_validation")[0]["sealed"] is True
    assert steps(stage) == {"validate": "passed"}


def test_group_waits_for_the_required_checks_on_its_own_head() -> None:
    """Its record has no number: it is asked for by the head."""
    stage = queued(rules=CHECKED)

    play(stage)

    (wait,) = stage.payloads("required_checks")
    assert (wait["number"], wait["sha"], wait["names"]) == (HEAD, HEAD, ["ci"])
    assert steps(stage) == {"validate": "passed", "checks": "passed"}


def test_group_whose_check_failed_is_not_started_again() -> None:
    """The queue has thrown its change out by then, so nobody is told to run the check again."""
    stage = queued(rules=CHECKED, required_checks=lambda _: {"checks": [{"name": "ci", "state": "failed"}]})

    play(stage)

    assert told(stage)["red"] == []
    assert "by itself" not in told(stage)["reason"]


def test_failed_group_says_how_its_change_comes_back() -> None:
    """A push alone does not put it into the queue again."""
    stage = queued(run_jobs=lambda _: [{"ok": False, "error": "`pytest -q` failed"}])

    assert play(stage)["state"] == "failed"
    assert told(stage)["needed"] == "whoever it is mends their change, and puts it into the merge queue again."


@pytest.mark.parametrize("answer", [{"moved": ""}, {"over": "the change was taken out of the merge queue"}])
def test_group_that_is_none_any_more_is_not_validated(answer: dict[str, Any]) -> None:
    """The queue's branch may show up a moment late, so it is looked for a few times."""
    stage = queued()
    stage.activities["take_up_group"] = lambda _: answer

    assert play(stage)["state"] == "cancelled"
    assert len(stage.payloads("take_up_group")) == (5 if "moved" in answer else 1)
    assert stage.payloads("tell_change") == []


def test_group_that_is_taken_out_meanwhile_ends() -> None:
    """Its status is closed with the last word."""
    why = "the change was taken out of the merge queue: what ran for it was ended"
    stage = queued(tell_change=lambda _: {"over": why, "state": "cancelled"})

    assert play(stage) == {"state": "cancelled", "reason": why}
    assert stage.payloads("tell_change")[-1]["last"] is True
