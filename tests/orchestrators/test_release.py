"""The story of a release, told with fake effects."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from domain.models import OptOut, Verdict
from orchestrators.release import release
from tests import samples
from tests.orchestrators.stage import Stage

VOTES = [
    {
        "approver": "maria",
        "principal": "maria@helpdesk.example",
        "decision": "approve",
        "comment": "",
        "digest": "d",
        "at": "2026-11-23T10:00:00Z",
    }
]


def told(stage: Stage) -> dict[str, str]:
    """Return the last state of each stage that was saved."""
    record = stage.payloads("save_record")[-1]
    return {entry["name"]: entry["state"] for entry in record["stages"]}


def stage_with(**changes: Any) -> Stage:
    """Return a stage where everything goes well, apart from what a test changes."""
    activities = {
        "fetch_snapshot": lambda _: {"sha256": "5" * 64, "size": 10},
        "read_config": lambda _: {"config": samples.wire_config()},
        "find_origin": lambda _: asdict(samples.origin()),
        "save_record": lambda _: None,
        "tell_github": lambda _: {"delivered": True},
        "plan_validation": lambda _: {"plan": "p", "part": "validation", "poll": 1, "stage": "validate"},
        "build_image": lambda _: {"image": asdict(samples.IMAGE)},
        "open_approval": lambda payload: {"request": {"environment": payload["environment"]["name"]}},
        "keep_baseline": lambda _: None,
        "cancel_evaluation": lambda _: None,
    }
    children = {
        "run_jobs": lambda _: [{"ok": True, "error": ""}],
        "evaluation": lambda payload: {"summary": asdict(samples.summary(payload["kind"]))},
        "deployment": lambda payload: {
            "ok": True,
            "detail": "5 requests, 0 errors",
            "deployment": asdict(samples.deployment(payload["environment"]["name"])),
        },
        "approval": lambda _: {"decision": "approved", "votes": VOTES},
    }
    for name, answer in changes.items():
        (activities if name in activities else children)[name] = answer
    return Stage(activities, children)


def play(stage: Stage) -> Any:
    """Play the release of samples.SHA."""
    return stage.play(release, asdict(samples.request()), samples.RELEASE)


def test_good_commit_reaches_production() -> None:
    """Every stage passes, in the order of the config, and the evaluations become the baseline."""
    stage = stage_with()

    output = play(stage)

    assert output["outcome"] == "released"
    assert set(told(stage).values()) == {"passed"}
    assert [order["environment"]["name"] for order in stage.payloads("deployment")] == ["dev", "nonprod", "prod"]
    assert stage.payloads("keep_baseline")[0]["evaluations"] == [
        f"{samples.RELEASE}.minimal",
        f"{samples.RELEASE}.full",
    ]


def test_image_is_built_once_and_promoted_unchanged() -> None:
    """All environments get the digest that was built."""
    stage = stage_with()

    play(stage)

    assert len(stage.payloads("build_image")) == 1
    assert {order["image"]["digest"] for order in stage.payloads("deployment")} == {samples.IMAGE.digest}


def test_full_evaluation_runs_beside_the_dev_deployment() -> None:
    """Both are running in the record before either has ended."""
    stage = stage_with()

    play(stage)

    states = [{entry["name"]: entry["state"] for entry in record["stages"]} for record in stage.payloads("save_record")]
    assert any(state["build"] == "running" and state["evaluate-full"] == "running" for state in states[1:] if state)


def test_opt_out_skips_the_full_evaluation_and_says_by_whom() -> None:
    """The stage is skipped, never passed, and only the minimal evaluation ran."""
    opt_outs = (OptOut("skip-e2e-evaluation", 7, "alex", "2026-11-23T08:00:00Z"),)
    stage = stage_with(find_origin=lambda _: asdict(samples.origin(opt_outs=opt_outs)))

    output = play(stage)

    assert output["outcome"] == "released"
    assert told(stage)["evaluate-full"] == "skipped"
    assert [order["kind"] for order in stage.payloads("evaluation")] == ["minimal"]
    last = stage.payloads("save_record")[-1]["stages"]
    assert (
        next(entry["detail"] for entry in last if entry["name"] == "evaluate-full")
        == "skipped by @alex: label skip-e2e-evaluation on change #7"
    )


def test_failed_minimal_evaluation_stops_before_anything_is_deployed() -> None:
    """The reason names the gate that failed."""
    stage = stage_with(evaluation=lambda payload: {"summary": asdict(samples.summary(payload["kind"], Verdict.FAILED))})

    output = play(stage)

    assert output["outcome"] == "failed"
    assert output["reason"] == "The minimal evaluation failed: f1 >= 0.45 (0.61 over 30 rows)."
    assert stage.payloads("deployment") == []
    assert stage.payloads("keep_baseline") == []


def test_failed_full_evaluation_stops_before_the_second_environment() -> None:
    """Dev was deployed in parallel; nobody is asked about nonprod."""

    def evaluate(payload: dict[str, Any]) -> dict[str, Any]:
        verdict = Verdict.FAILED if payload["kind"] == "full" else Verdict.PASSED
        return {"summary": asdict(samples.summary(payload["kind"], verdict))}

    stage = stage_with(evaluation=evaluate)

    output = play(stage)

    assert output["outcome"] == "failed"
    assert [order["environment"]["name"] for order in stage.payloads("deployment")] == ["dev"]
    assert stage.payloads("open_approval") == []


def test_inconclusive_full_evaluation_is_put_before_the_approvers() -> None:
    """Nobody can tell, so people decide, with the verdict in the evidence."""

    def evaluate(payload: dict[str, Any]) -> dict[str, Any]:
        verdict = Verdict.INCONCLUSIVE if payload["kind"] == "full" else Verdict.PASSED
        return {"summary": asdict(samples.summary(payload["kind"], verdict))}

    stage = stage_with(evaluation=evaluate)

    play(stage)

    assert told(stage)["evaluate-full"] == "inconclusive"
    shown = stage.payloads("open_approval")[0]["record"]["evaluations"]
    assert [(entry["kind"], entry["verdict"]) for entry in shown] == [("minimal", "passed"), ("full", "inconclusive")]


def test_failed_validation_stops_with_the_step_that_failed() -> None:
    """The author reads which command failed."""
    stage = stage_with(run_jobs=lambda _: [{"ok": False, "error": "pytest -q failed: 1 failed, 12 passed"}])

    output = play(stage)

    assert output["reason"] == "Validation failed: pytest -q failed: 1 failed, 12 passed"
    assert stage.payloads("evaluation") == []


def test_config_that_cannot_be_read_ends_the_release_with_its_line() -> None:
    """Without a config there are no stages but the first, and it says why."""
    stage = stage_with(read_config=lambda _: {"error": "drawbridge.yaml:3: targt: unknown key"})

    output = play(stage)

    assert output == {"outcome": "failed", "reason": "drawbridge.yaml:3: targt: unknown key"}
    assert told(stage) == {"prepare": "failed"}


def test_failed_dev_deployment_cancels_the_full_evaluation() -> None:
    """Nobody waits six hours for the verdict on a commit that does not run."""
    stage = stage_with(deployment=lambda _: {"ok": False, "detail": "dev: it is not healthy"})

    output = play(stage)

    assert output["reason"] == "The deployment to dev did not hold: dev: it is not healthy"
    assert stage.payloads("cancel_evaluation") == [{"id": f"{samples.RELEASE}.full"}]


def test_image_that_cannot_be_built_cancels_the_full_evaluation() -> None:
    """The build is tried while the evaluation runs; its failure stops both."""
    stage = stage_with(build_image=lambda _: {"error": "flows/chat/flow.dag.yaml is missing"})

    output = play(stage)

    assert output["reason"] == "The image could not be built: flows/chat/flow.dag.yaml is missing"
    assert stage.payloads("deployment") == []
    assert stage.payloads("cancel_evaluation") == [{"id": f"{samples.RELEASE}.full"}]


@pytest.mark.parametrize(("decision", "outcome"), [("rejected", "rejected"), ("expired", "expired")])
def test_release_ends_when_it_is_not_approved(decision: str, outcome: str) -> None:
    """The environment behind the approval is never deployed."""
    votes = [{**VOTES[0], "decision": "reject", "comment": "wrong week"}] if decision == "rejected" else []
    stage = stage_with(approval=lambda _: {"decision": decision, "votes": votes})

    output = play(stage)

    assert output["outcome"] == outcome
    assert [order["environment"]["name"] for order in stage.payloads("deployment")] == ["dev"]
    assert told(stage)["deploy-prod"] == "cancelled"


def test_rejection_says_who_and_why() -> None:
    """The author reads the approver's own words."""
    votes = [{**VOTES[0], "decision": "reject", "comment": "wrong week"}]
    stage = stage_with(approval=lambda _: {"decision": "rejected", "votes": votes})

    assert play(stage)["reason"] == "maria rejected the deployment to nonprod: wrong week"


def test_github_outage_does_not_stop_a_release() -> None:
    """What was not taken is told again with the next news, and insisted on at the end."""
    stage = stage_with(tell_github=lambda payload: {"delivered": payload["insist"]})

    output = play(stage)

    assert output["outcome"] == "released"
    last = stage.payloads("tell_github")[-1]
    assert last["insist"] is True
    assert {"validate", "evaluate-full", "deploy-prod"} <= set(last["stages"])


def test_crash_in_a_child_is_told_before_it_is_raised() -> None:
    """People hear of it, and the instance shows the error."""

    def crash(_: Any) -> Any:
        raise RuntimeError("disk on fire\nsecond line")

    stage = stage_with(deployment=crash)

    with pytest.raises(RuntimeError, match="disk on fire"):
        play(stage)

    record = stage.payloads("save_record")[-1]
    assert record["outcome"] == "failed"
    assert record["reason"] == "Drawbridge itself failed here: disk on fire"


def test_too_few_approvers_ends_the_release_before_anybody_waits() -> None:
    """A bridge that nobody can open is said at once."""
    stage = stage_with(open_approval=lambda _: {"error": "prod needs 2 approvals"})

    output = play(stage)

    assert output["reason"] == "prod needs 2 approvals"
    assert stage.payloads("approval") == []


def test_record_never_goes_back_in_time() -> None:
    """Each saved record is at least as new as the one before."""
    stage = stage_with()

    play(stage)

    times = [record["updated_at"] for record in stage.payloads("save_record")]
    assert times == sorted(times)


def test_evidence_has_all_that_happened_before_the_question() -> None:
    """The approvers of prod see both evaluations and both earlier environments."""
    stage = stage_with()

    play(stage)

    shown = stage.payloads("open_approval")[-1]["record"]
    assert [entry["environment"] for entry in shown["deployments"]] == ["dev", "nonprod"]
    assert [entry["kind"] for entry in shown["evaluations"]] == ["minimal", "full"]
    assert replace(samples.IMAGE).digest == shown["image"]["digest"]
