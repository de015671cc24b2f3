"""The story of a release, told with fake effects."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import pytest

from domain.models import OptOut, ReleaseRecord, Verdict
from domain.wire import read
from orchestrators.release import release
from tests import drawing, samples
from tests.orchestrators.stage import START, Stage

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


AROUND: dict[str, Any] = {"superseded_by": "", "debt": None, "summary": None, "opt_outs": []}
ENTERED = {"answer": "entered", "why": "", "until": "", "by": "", "own": False, "look": 5.0}


def told(stage: Stage) -> dict[str, str]:
    """Return the last state of each stage that was saved."""
    record = stage.payloads("save_record")[-1]
    return {entry["name"]: entry["state"] for entry in record["stages"]}


def stage_with(**changes: Any) -> Stage:
    """Return a stage where everything goes well, apart from what a test changes."""
    activities = {
        "fetch_snapshot": lambda _: {"snapshot": {"sha256": "5" * 64, "size": 10}},
        "read_config": lambda _: {"config": samples.wire_config()},
        "find_origin": lambda _: {"origin": asdict(samples.origin())},
        "save_record": lambda _: None,
        "tell_github": lambda _: {"delivered": True, "refused": ""},
        "plan_validation": lambda _: {"plan": "p", "part": "validation", "poll": 1, "stage": "validate"},
        "open_approval": lambda payload: {
            "request": {"environment": payload["environment"]["name"]},
            "voided": [],
        },
        "look_around": lambda _: AROUND,
        "enter_lane": lambda _: ENTERED,
        "leave_lane": lambda _: None,
        "record_debt": lambda payload: payload,
        "take_debt": lambda payload: payload,
        "settle_debt": lambda payload: {"debt": {**payload["debt"], "state": payload["state"]}},
        "end_release": lambda payload: drawing.check_end(read(ReleaseRecord, payload["record"])),
        "keep_baseline": lambda _: None,
        "cancel_evaluation": lambda _: None,
    }
    children = {
        "run_jobs": lambda _: [{"ok": True, "error": ""}],
        "build": lambda _: {"image": asdict(samples.IMAGE)},
        "evaluation": lambda payload: {"summary": asdict(samples.summary(payload["kind"]))},
        "deployment": lambda payload: {
            "ok": True,
            "detail": "5 requests, 0 errors",
            "deployment": asdict(samples.deployment(payload["environment"]["name"])),
        },
        "approval": lambda _: {"decision": "approved", "votes": VOTES, "digest": "d"},
        "lane": lambda _: ENTERED,
    }
    for name, answer in changes.items():
        (activities if name in activities else children)[name] = answer
    return Stage(activities, children, pace=timedelta(seconds=1))


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
    kept = stage.payloads("keep_baseline")[0]["evaluations"]
    assert [summary["id"] for summary in kept] == [f"{samples.RELEASE}.minimal", f"{samples.RELEASE}.full"]


def test_image_is_built_once_and_promoted_unchanged() -> None:
    """All environments get the digest that was built."""
    stage = stage_with()

    play(stage)

    assert len(stage.payloads("build")) == 1
    assert {order["image"]["digest"] for order in stage.payloads("deployment")} == {samples.IMAGE.digest}


@pytest.mark.parametrize("last_first", [False, True])
def test_dev_is_deployed_before_the_full_evaluation_ends_and_after_it_alike(last_first: bool) -> None:
    """Whichever ends first, both have been started before, and the release goes on only after both."""
    stage = stage_with()
    stage.last_first = last_first

    output = play(stage)

    assert output["outcome"] == "released"
    order = [name for name, payload in stage.asked if name in {"build", "deployment"} or payload.get("kind") == "full"]
    both = ["evaluation", "build", "deployment"] if last_first else ["build", "deployment", "evaluation"]
    assert order == [*both, "deployment", "deployment"]


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


def cancelled_full(payload: dict[str, Any]) -> dict[str, Any]:
    """Answer as an evaluation does: the full one has been cancelled."""
    return {"cancelled": True} if payload["kind"] == "full" else {"summary": asdict(samples.summary(payload["kind"]))}


def test_failed_dev_deployment_cancels_the_full_evaluation() -> None:
    """Nobody waits six hours for the verdict on a commit that does not run, and the reason is the deployment."""
    stage = stage_with(
        deployment=lambda _: {"ok": False, "detail": "dev: it is not healthy"}, evaluation=cancelled_full
    )

    output = play(stage)

    assert output["reason"] == "The deployment to dev did not hold: dev: it is not healthy"
    assert stage.payloads("cancel_evaluation") == [{"id": f"{samples.RELEASE}.full"}]
    assert told(stage)["evaluate-full"] == "cancelled"


def test_image_that_cannot_be_built_cancels_the_full_evaluation() -> None:
    """The build is tried while the evaluation runs; its failure stops both."""
    stage = stage_with(build=lambda _: {"error": "flows/chat/flow.dag.yaml is missing"}, evaluation=cancelled_full)

    output = play(stage)

    assert output["reason"] == "The image could not be built: flows/chat/flow.dag.yaml is missing"
    assert stage.payloads("deployment") == []
    assert stage.payloads("cancel_evaluation") == [{"id": f"{samples.RELEASE}.full"}]


def test_crash_of_the_deployment_still_ends_the_full_evaluation() -> None:
    """No evaluation runs on for hours behind a release that is over."""

    def crash(_: Any) -> Any:
        raise RuntimeError("disk on fire\nsecond line")

    stage = stage_with(deployment=crash, evaluation=cancelled_full)

    with pytest.raises(RuntimeError, match="disk on fire"):
        play(stage)

    assert stage.payloads("cancel_evaluation") == [{"id": f"{samples.RELEASE}.full"}]
    record = stage.payloads("save_record")[-1]
    assert (record["outcome"], record["reason"]) == ("failed", "Drawbridge itself failed here: disk on fire")


def test_failed_full_evaluation_waits_for_the_deployment_it_runs_beside() -> None:
    """The evaluation ends first; dev is seen through, and then the release ends."""

    def evaluate(payload: dict[str, Any]) -> dict[str, Any]:
        verdict = Verdict.FAILED if payload["kind"] == "full" else Verdict.PASSED
        return {"summary": asdict(samples.summary(payload["kind"], verdict))}

    stage = stage_with(evaluation=evaluate)
    stage.last_first = True

    output = play(stage)

    assert output["reason"] == "The full evaluation failed: f1 >= 0.45 (0.61 over 30 rows)."
    assert told(stage)["deploy-dev"] == "passed"
    assert stage.payloads("cancel_evaluation") == []


def test_opt_out_of_one_change_does_not_speak_for_another() -> None:
    """The full evaluation runs, and the release says why the label had no effect."""
    other = replace(samples.origin().changes[0], number=8, author="kim")
    opt_outs = (OptOut("skip-e2e-evaluation", 7, "alex", "2026-11-23T08:00:00Z"),)
    origin = samples.origin(changes=(*samples.origin().changes, other), opt_outs=opt_outs)
    stage = stage_with(find_origin=lambda _: {"origin": asdict(origin)})

    play(stage)

    assert [order["kind"] for order in stage.payloads("evaluation")] == ["minimal", "full"]
    assert "only #7 opted out" in stage.payloads("save_record")[-1]["notes"][0]


@pytest.mark.parametrize("failing", ["fetch_snapshot", "find_origin"])
def test_repository_that_cannot_be_fetched_is_told(failing: str) -> None:
    """Before anything is known about the commit, its pusher already hears why it goes no further."""
    stage = stage_with(**{failing: lambda _: {"error": "acme/helpdesk is larger than 512 MB"}})

    output = play(stage)

    assert output == {"outcome": "failed", "reason": "acme/helpdesk is larger than 512 MB"}
    assert len(stage.payloads(failing)) == 1
    record = stage.payloads("save_record")[-1]
    assert (record["outcome"], record["commit"]["sha"]) == ("failed", samples.SHA)
    assert stage.payloads("tell_github")[-1]["record"]["outcome"] == "failed"


def test_outage_of_github_at_the_start_is_waited_out() -> None:
    """As long as GitHub says: an hour here."""
    answers = [{"retry_after": 3600.0}, {"snapshot": {"sha256": "5" * 64, "size": 10}}]
    stage = stage_with(fetch_snapshot=lambda _: answers.pop(0))

    assert play(stage)["outcome"] == "released"
    assert (stage.now - START).total_seconds() > 3600


def test_outage_of_github_without_an_end_ends_the_release() -> None:
    """After a day of asking it is over, in words."""
    stage = stage_with(fetch_snapshot=lambda _: {"retry_after": 60.0})

    assert play(stage)["reason"].startswith("GitHub did not answer for too long.")
    assert stage.now - START > timedelta(hours=24)


def test_baseline_that_cannot_be_kept_does_not_undo_a_release() -> None:
    """Production runs: the release is released, with a note."""

    def crash(_: Any) -> Any:
        raise RuntimeError("storage away")

    stage = stage_with(keep_baseline=crash)

    assert play(stage)["outcome"] == "released"
    assert "storage away" in stage.payloads("save_record")[-1]["notes"][0]


@pytest.mark.parametrize(("decision", "outcome"), [("rejected", "rejected"), ("expired", "expired")])
def test_release_ends_when_it_is_not_approved(decision: str, outcome: str) -> None:
    """The environment behind the approval is never deployed."""
    votes = [{**VOTES[0], "decision": "reject", "comment": "wrong week"}] if decision == "rejected" else []
    stage = stage_with(approval=lambda _: {"decision": decision, "votes": votes, "digest": "d"})

    output = play(stage)

    assert output["outcome"] == outcome
    assert [order["environment"]["name"] for order in stage.payloads("deployment")] == ["dev"]
    assert told(stage)["deploy-prod"] == "cancelled"


def test_rejection_says_who_and_why() -> None:
    """The author reads the approver's own words."""
    votes = [{**VOTES[0], "decision": "reject", "comment": "wrong week"}]
    stage = stage_with(approval=lambda _: {"decision": "rejected", "votes": votes, "digest": "d"})

    assert play(stage)["reason"] == "maria rejected the deployment to nonprod: wrong week"


def test_refused_message_is_noted_on_the_record() -> None:
    """A token without a permission is seen on the release page."""
    stage = stage_with(tell_github=lambda _: {"delivered": True, "refused": "GitHub refused it"})

    play(stage)

    assert stage.payloads("save_record")[-1]["notes"] == ["GitHub refused it"]


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
    assert len(set(times)) > 10


def test_evidence_has_all_that_happened_before_the_question() -> None:
    """The approvers of prod see both evaluations and both earlier environments."""
    stage = stage_with()

    play(stage)

    shown = stage.payloads("open_approval")[-1]["record"]
    assert [entry["environment"] for entry in shown["deployments"]] == ["dev", "nonprod"]
    assert [entry["kind"] for entry in shown["evaluations"]] == ["minimal", "full"]
    assert replace(samples.IMAGE).digest == shown["image"]["digest"]
