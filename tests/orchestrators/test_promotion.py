"""The story of a release that owes its full evaluation, needs an override, is overtaken, or meets news on its way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest

from domain.models import Debt, DebtState, OptOut, Verdict
from domain.wire import digest_of
from tests import samples
from tests.orchestrators.stage import Stage
from tests.orchestrators.test_release import AROUND, ENTERED, VOTES, play, stage_with, told

OPT_OUT = OptOut("skip-e2e-evaluation", 7, "alex", "2026-11-23T08:00:00Z", "documentation only")
NEWS = {"decision": "news"}
OVERRIDE = {
    "override": {"people": ["priya"], "prevent_self_approval": True, "exclude_merger": True, "expires_after": 3600}
}
BY_PRIYA = {"approver": "priya", "principal": "priya@helpdesk.example", "comment": "known outlier"}
APPROVED = {"decision": "approved", "votes": VOTES, "digest": "d"}


def opted_out(**changes: Any) -> Stage:
    """Return a stage where the release's only change opted out."""
    origin = asdict(samples.origin(opt_outs=(OPT_OUT,)))
    stage = stage_with(find_origin=lambda _: {"origin": origin})
    stage.activities["look_around"] = lambda _: around(opt_outs=[asdict(OPT_OUT)], debt=debt_of(stage))
    for name, answer in changes.items():
        (stage.activities if name in stage.activities else stage.children)[name] = answer
    return stage


def debt_of(stage: Stage) -> dict[str, Any] | None:
    """Return the debt as the story left it in the blob."""
    kept = [*stage.payloads("record_debt"), *stage.payloads("settle_debt")]
    return {**kept[-1]["debt"], "state": kept[-1].get("state", "open")} if kept else None


def around(**seen: Any) -> dict[str, Any]:
    """Return what looking around shows, apart from what a test changes."""
    return {**AROUND, **seen}


def debt(**fields: Any) -> dict[str, Any]:
    """Return the release's debt."""
    known = Debt(
        samples.REPOSITORY, samples.RELEASE, samples.SHA, (OPT_OUT,), "the full evaluation", "2026-11-23T09:00:00Z",
        "2026-11-30T09:00:00Z",
    )  # fmt: skip
    return asdict(replace(known, **fields))


def evaluate(**verdicts: Verdict) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return evaluations that come to these verdicts, by kind."""
    return lambda payload: {
        "summary": asdict(
            replace(samples.summary(payload["kind"], verdicts.get(payload["kind"], Verdict.PASSED)), id=payload["id"])
        )
    }


def one_after_the_other(*answers: Any) -> Callable[[Any], Any]:
    """Return an activity or child that answers these, then the last one for ever."""
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def last(stage: Stage) -> dict[str, Any]:
    """Return the record as it was saved last."""
    found: dict[str, Any] = stage.payloads("save_record")[-1]
    return found


def detail(stage: Stage, name: str) -> str:
    """Return what a stage said last."""
    return next(str(entry["detail"]) for entry in last(stage)["stages"] if entry["name"] == name)


def with_config(config: dict[str, Any], **changes: Any) -> Stage:
    """Return a stage whose config has these sections instead."""
    wire = {**samples.wire_config(), **config}
    return stage_with(**{"read_config": lambda _: {"config": wire}} | changes)


# Opt-out is debt.


def test_opt_out_skips_the_full_evaluation_and_leaves_a_debt() -> None:
    """The stage is skipped, never passed, says by whom and why; the debt says what was not evaluated, until when."""
    stage = opted_out()

    play(stage)

    assert told(stage)["evaluate-full"] == "skipped"
    assert detail(stage, "evaluate-full") == "skipped by @alex because documentation only (#7)"
    assert [order["kind"] for order in stage.payloads("evaluation")] == ["minimal"]
    incurred = stage.payloads("record_debt")[0]["debt"]
    assert incurred["owed"] == "the full evaluation on data/full.jsonl: f1 >= 0.45, f1 drop <= 0.05"
    assert incurred["expires_at"] > incurred["at"]


def test_only_the_way_to_production_waits_for_the_debt() -> None:
    """Nonprod is asked as always; for production the question says what is owed."""
    stage = opted_out()

    play(stage)

    assert [order["last"] for order in stage.payloads("open_approval")] == [False, True]
    details = {
        entry["name"]: entry["detail"]
        for saved in stage.payloads("save_record")
        for entry in saved["stages"]
        if entry["state"] == "running" and entry["name"].startswith("approve-")
    }
    assert "owes" not in details["approve-nonprod"]
    assert "owes the full evaluation on data/full.jsonl" in details["approve-prod"]


def test_approval_of_production_with_open_debt_waives_it() -> None:
    """The approvers' names and the evidence they saw go with the waiver."""
    votes = [{**VOTES[0], "waives": True, "comment": "hotfix"}]
    stage = opted_out(approval=lambda _: {"decision": "approved", "votes": votes, "digest": "seen"})

    assert play(stage)["outcome"] == "released"
    (waiver,) = stage.payloads("settle_debt")
    assert (waiver["state"], waiver["by"], waiver["evidence"]) == ("waived", "maria@helpdesk.example", "seen")
    assert last(stage)["debt"]["state"] == "waived"


def test_waiver_that_comes_behind_a_failed_payment_opens_nothing() -> None:
    """The nightly run's verdict came in while the votes were counted: they were not given on it."""
    bad = debt(state=DebtState.FAILED, evaluation="e")
    summary = {**asdict(samples.summary("full", Verdict.FAILED)), "id": "e"}
    quiet = around(opt_outs=[asdict(OPT_OUT)])
    votes = [{**VOTES[0], "waives": True, "comment": "hotfix"}]
    stage = opted_out(
        look_around=one_after_the_other(*[quiet] * 3, around(debt=bad, summary=summary)),
        approval=lambda _: {"decision": "approved", "votes": votes, "digest": "seen"},
        settle_debt=lambda _: {"debt": bad},
    )

    assert play(stage)["outcome"] == "failed"
    assert [order["environment"]["name"] for order in stage.payloads("deployment")] == ["dev", "nonprod"]


def test_waiver_that_did_not_count_is_asked_about_anew() -> None:
    """The debt says why, so that people see it before they decide again."""
    settled = [debt(), debt(detail="A waiver did not count"), debt(state=DebtState.WAIVED)]
    votes = [{**VOTES[0], "waives": True, "comment": "hotfix"}]
    stage = opted_out(approval=lambda _: {"decision": "approved", "votes": votes, "digest": "seen"})

    def stands(_: Any) -> dict[str, Any]:
        return {"debt": settled[len(stage.payloads("settle_debt"))]}

    stage.activities["settle_debt"] = stands
    stage.activities["look_around"] = lambda _: around(opt_outs=[asdict(OPT_OUT)], **stands(_))

    assert play(stage)["outcome"] == "released"
    asked = [order["record"]["debt"]["detail"] for order in stage.payloads("open_approval") if order["last"]]
    assert asked == ["", "A waiver did not count"]


def test_paid_debt_is_new_evidence_for_the_approvers_of_production() -> None:
    """The nightly run paid it while they were asked: they are asked again, and nothing is waived."""
    paid = debt(state=DebtState.PAID, evaluation="e")
    summary = {**asdict(samples.summary("full")), "id": "e"}
    looks = one_after_the_other(
        *[around(opt_outs=[asdict(OPT_OUT)])] * 3, around(debt=paid, summary=summary, opt_outs=[asdict(OPT_OUT)])
    )
    stage = opted_out(look_around=looks, approval=one_after_the_other(APPROVED, NEWS, APPROVED))

    assert play(stage)["outcome"] == "released"
    asked = stage.payloads("open_approval")
    assert [order["instance"].rpartition(".")[2] for order in asked] == ["approve-nonprod", "approve-prod", "2"]
    assert [entry["id"] for entry in asked[2]["record"]["evaluations"]] == [samples.summary("minimal").id, "e"]
    assert told(stage)["evaluate-full"] == "passed"
    assert stage.payloads("settle_debt") == []


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.INCONCLUSIVE])
def test_failed_payment_stops_the_promotion(verdict: Verdict) -> None:
    """Nobody can override it here: the release ends, and production keeps what it has."""
    bad = debt(state=DebtState.FAILED, evaluation="e")
    summary = asdict(samples.summary("full", verdict))
    looks = one_after_the_other(around(opt_outs=[asdict(OPT_OUT)]), around(debt=bad, summary=summary))
    stage = opted_out(look_around=looks, approval=lambda _: NEWS)

    output = play(stage)

    assert output["outcome"] == "failed"
    assert output["reason"].startswith("The full evaluation ")
    assert [order["environment"]["name"] for order in stage.payloads("deployment")] == ["dev"]


def test_overridden_payment_lets_production_go_on_without_a_waiver() -> None:
    """There is nothing left to waive: a named person has taken the failed evaluation upon them."""
    bad = debt(state=DebtState.FAILED, evaluation="e")
    summary = {**asdict(samples.summary("full", Verdict.FAILED)), "id": "e"}
    wire = {**samples.wire_config(), **OVERRIDE}
    looks = [around(opt_outs=[asdict(OPT_OUT)])] * 3 + [around(debt=bad, summary=summary, opt_outs=[asdict(OPT_OUT)])]
    overriding = {"decision": "approved", "votes": [{**VOTES[0], **BY_PRIYA}], "digest": "seen"}
    stage = opted_out(
        read_config=lambda _: {"config": wire},
        look_around=one_after_the_other(*looks),
        approval=one_after_the_other(APPROVED, NEWS, overriding, APPROVED),
    )

    assert play(stage)["outcome"] == "released"
    assert stage.payloads("settle_debt") == []
    assert [order["environment"]["name"] for order in stage.payloads("open_approval")] == [
        "nonprod",
        "prod",
        "override",
        "prod",
    ]


def test_label_taken_off_after_the_merge_starts_the_full_evaluation() -> None:
    """The release pays its own debt before anybody is asked about nonprod."""
    stage = opted_out(evaluation=evaluate())
    stage.activities["look_around"] = lambda _: around(debt=debt_of(stage))

    assert play(stage)["outcome"] == "released"
    assert [order["kind"] for order in stage.payloads("evaluation")] == ["minimal", "full"]
    names = [name for name, _ in stage.asked]
    assert names.index("settle_debt") < names.index("open_approval")
    assert stage.payloads("settle_debt")[0]["state"] == "paid"
    assert "#7 opts out no more" in last(stage)["notes"][0]


def test_debt_that_somebody_else_pays_is_not_evaluated_twice() -> None:
    """The nightly run was faster: the release waits for it."""
    stage = opted_out(take_debt=lambda _: {"debt": None})
    states = ["open", "paying"]

    def look(_: Any) -> dict[str, Any]:
        kept = debt_of(stage)
        state = states.pop(0) if len(states) > 1 else states[0]
        return around(debt={**kept, "state": state} if kept and kept["state"] == "open" else kept)

    stage.activities["look_around"] = look

    play(stage)

    assert [order["kind"] for order in stage.payloads("evaluation")] == ["minimal"]


def test_payment_is_taken_in_although_the_label_was_taken_off_as_well() -> None:
    """Between two looks the nightly run paid, and somebody withdrew the opt-out: nobody is asked for ever again."""
    paid = around(
        debt=debt(state=DebtState.PAID, evaluation="e"), summary={**asdict(samples.summary("full")), "id": "e"}
    )
    stage = opted_out(
        look_around=one_after_the_other(around(opt_outs=[asdict(OPT_OUT)]), paid),
        take_debt=lambda _: {"debt": None},
        approval=one_after_the_other(NEWS, APPROVED),
    )

    assert play(stage)["outcome"] == "released"
    assert last(stage)["debt"]["state"] == "paid"
    assert [order["environment"]["name"] for order in stage.payloads("open_approval")] == ["nonprod", "nonprod", "prod"]


def test_label_put_on_while_the_evaluation_runs_turns_it_into_debt() -> None:
    """The run was cancelled without a verdict, and every change opts out by now."""
    cancelled = lambda payload: {"cancelled": True} if payload["kind"] == "full" else evaluate()(payload)  # noqa: E731
    stage = stage_with(evaluation=cancelled, look_around=lambda _: around(opt_outs=[asdict(OPT_OUT)]))

    assert play(stage)["outcome"] == "released"
    assert told(stage)["evaluate-full"] == "skipped"
    assert len(stage.payloads("record_debt")) == 1


def test_late_label_without_a_passed_minimal_evaluation_skips_nothing() -> None:
    """It came before that verdict, and stopped the evaluation as it began: another one runs, and that is said."""
    minimal = evaluate(minimal=Verdict.INCONCLUSIVE)
    stage = stage_with(
        evaluation=lambda payload: {"cancelled": True} if payload["id"].endswith(".full") else minimal(payload),
        look_around=lambda _: around(opt_outs=[asdict(OPT_OUT)]),
    )

    play(stage)

    full = [order["id"] for order in stage.payloads("evaluation") if order["kind"] == "full"]
    assert full == [f"{samples.RELEASE}.full", f"{samples.RELEASE}.full.2"]
    assert stage.payloads("record_debt") == []
    assert "The full evaluation runs in spite of the opt-out" in " ".join(last(stage)["notes"])


def test_label_that_is_taken_off_again_starts_the_evaluation_anew() -> None:
    """It had stopped the first run before anybody looked; the second one has a name of its own."""
    runs = iter([{"cancelled": True}])
    stage = stage_with(
        evaluation=lambda payload: (
            next(runs, None) or evaluate()(payload) if payload["kind"] == "full" else evaluate()(payload)
        )
    )

    assert play(stage)["outcome"] == "released"
    full = [order["id"] for order in stage.payloads("evaluation") if order["kind"] == "full"]
    assert full == [f"{samples.RELEASE}.full", f"{samples.RELEASE}.full.2"]
    assert told(stage)["evaluate-full"] == "passed"


def test_evaluation_that_is_stopped_again_and_again_ends_the_release() -> None:
    """Somebody stops it by hand: without a verdict nothing goes on."""
    cancelled = lambda payload: {"cancelled": True} if payload["kind"] == "full" else evaluate()(payload)  # noqa: E731
    stage = stage_with(evaluation=cancelled)

    output = play(stage)

    assert output["reason"] == "Full evaluation could not run: it was cancelled, and nobody opted out of it"


def test_opt_out_needs_a_passed_minimal_evaluation() -> None:
    """Without any verdict that stands, the full evaluation runs in spite of the label, and that is said."""
    stage = opted_out(evaluation=evaluate(minimal=Verdict.INCONCLUSIVE))

    play(stage)

    assert [order["kind"] for order in stage.payloads("evaluation")] == ["minimal", "full"]
    assert last(stage)["notes"][0] == (
        "The full evaluation runs in spite of the opt-out: that needs a minimal evaluation that passed, an environment "
        "before production, and no commit that came without a change."
    )


def test_opt_out_needs_a_second_environment() -> None:
    """With one environment nothing would stand before production."""
    wire = {**samples.wire_config(), "environments": samples.wire_config()["environments"][:1]}
    stage = opted_out(read_config=lambda _: {"config": wire})

    play(stage)

    assert [order["kind"] for order in stage.payloads("evaluation")] == ["minimal", "full"]
    assert "an environment before production" in last(stage)["notes"][0]


def test_opt_out_speaks_for_no_commit_that_came_without_a_change() -> None:
    """Somebody pushed it beside the change that opts out."""
    origin = samples.origin(opt_outs=(OPT_OUT,), direct=1)
    stage = stage_with(find_origin=lambda _: {"origin": asdict(origin)})

    play(stage)

    assert [order["kind"] for order in stage.payloads("evaluation")] == ["minimal", "full"]
    assert "no commit that came without a change" in last(stage)["notes"][0]


def test_refused_opt_out_is_said_with_every_reason() -> None:
    """The policy refused it: the full evaluation runs."""
    refused = replace(OPT_OUT, refused="it changes flows/chat/flow.dag.yaml, and flows/** may not skip it")
    origin = asdict(replace(samples.origin(), refused=(refused,)))
    stage = stage_with(find_origin=lambda _: {"origin": origin})

    play(stage)

    assert [order["kind"] for order in stage.payloads("evaluation")] == ["minimal", "full"]
    assert last(stage)["notes"][0].startswith("The opt-out of #7 is refused: it changes flows/chat/flow.dag.yaml")


def test_release_of_a_push_that_is_too_long_says_what_nobody_knows_of_it() -> None:
    """Its approvers are told that somebody may have had a part in it whom the rules do not exclude."""
    stage = stage_with(find_origin=lambda _: {"origin": asdict(samples.origin(unseen=12))})

    play(stage)

    assert "Nobody has looked for the changes of 12 commits of this push" in last(stage)["notes"][0]


def test_release_of_a_merge_that_github_never_linked_says_what_nobody_knows_of_it() -> None:
    """Each look that finds no link is waited for; in the end its approvers read what the rules do not know."""
    looks = iter([{"retry_after": 5.0}] * 4 + [{"origin": asdict(samples.origin(changes=(), unlinked=True))}])
    stage = stage_with(find_origin=lambda _: next(looks))

    play(stage)

    assert next(looks, None) is None
    assert "GitHub names no change for all that came with c0ffee0, though it looks as" in last(stage)["notes"][0]


def test_production_without_approvers_waits_for_the_payment() -> None:
    """Nobody is there who could waive the debt, so the question stays open until it is paid or expires."""
    wire = samples.wire_config()
    environments = [*wire["environments"][:2], {**wire["environments"][2], "approvers": [], "approvals": 1}]
    expired = {"decision": "expired", "votes": [], "digest": "d"}
    stage = opted_out(
        read_config=lambda _: {"config": {**wire, "environments": environments}},
        approval=one_after_the_other(APPROVED, expired),
    )

    assert play(stage)["outcome"] == "expired"
    assert [order["environment"]["name"] for order in stage.payloads("deployment")] == ["dev", "nonprod"]
    assert told(stage)["approve-prod"] == "expired"  # people see what it waited for


# Overrides.


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.INCONCLUSIVE])
def test_full_evaluation_that_did_not_pass_needs_a_named_person(verdict: Verdict) -> None:
    """With the override the release goes on; it is shown for ever, with who, why and on what evidence."""
    vote = {**VOTES[0], **BY_PRIYA}
    stage = with_config(
        OVERRIDE,
        evaluation=evaluate(full=verdict),
        approval=one_after_the_other({"decision": "approved", "votes": [vote], "digest": "seen"}, APPROVED),
    )

    assert play(stage)["outcome"] == "released"
    asked = stage.payloads("open_approval")
    assert [order["environment"]["name"] for order in asked] == ["override", "nonprod", "prod"]
    assert asked[0]["environment"]["approvers"] == ["priya"]
    assert (asked[0]["environment"]["prevent_self_approval"], asked[0]["environment"]["exclude_merger"]) == (True, True)
    (override,) = last(stage)["overrides"]
    assert (override["by"], override["reason"], override["digest"]) == (
        "priya@helpdesk.example",
        "known outlier",
        "seen",
    )
    assert asked[1]["record"]["overrides"] == [override]
    assert told(stage)["override"] == "passed"
    assert told(stage)["evaluate-full"] == verdict.value


@pytest.mark.parametrize(
    ("decision", "end"),
    [("rejected", "priya did not override it: known outlier"), ("expired", "Nobody overrode it in time.")],
)
def test_without_the_override_the_release_ends(decision: str, end: str) -> None:
    """The reason has the gate that failed, and who said no."""
    votes = [{**VOTES[0], **BY_PRIYA, "decision": "reject"}] if decision == "rejected" else []
    stage = with_config(
        OVERRIDE,
        evaluation=evaluate(full=Verdict.FAILED),
        approval=lambda _: {"decision": decision, "votes": votes, "digest": "d"},
    )

    output = play(stage)

    assert output == {
        "outcome": "failed",
        "reason": f"The full evaluation failed: f1 >= 0.45 (0.61 over 30 rows). {end}",
    }
    assert told(stage)["override"] == decision


def test_nobody_named_means_nobody_can_override() -> None:
    """An inconclusive verdict ends the release as well: fail closed."""
    stage = stage_with(evaluation=evaluate(full=Verdict.INCONCLUSIVE))

    assert play(stage)["reason"].startswith("The full evaluation came to no conclusion: ")
    assert stage.payloads("open_approval") == []


# One deployment per environment, and never back by accident.


def test_release_waits_visibly_for_its_turn() -> None:
    """The stage says why, and the release goes on when it is let in."""
    waits = {**ENTERED, "answer": "waits", "why": "abc1234 deploys to dev"}
    stage = stage_with(enter_lane=one_after_the_other(waits, ENTERED))

    assert play(stage)["outcome"] == "released"
    shown = [
        entry["detail"]
        for saved in stage.payloads("save_record")
        for entry in saved["stages"]
        if entry["name"] == "deploy-dev" and entry["state"] == "running"
    ]
    assert shown[0] == "abc1234 deploys to dev"
    assert [payload["turn"]["release"] for payload in stage.payloads("lane")] == [samples.RELEASE]


def test_release_waits_for_its_turn_behind_the_approval_too() -> None:
    """The approval stands while it waits; nothing is asked twice."""
    waits = {**ENTERED, "answer": "waits", "why": "the window is closed"}
    stage = stage_with(enter_lane=one_after_the_other(ENTERED, waits, ENTERED))

    assert play(stage)["outcome"] == "released"
    assert [payload["environment"]["name"] for payload in stage.payloads("lane")] == ["nonprod"]
    assert len(stage.payloads("open_approval")) == 2


@pytest.mark.parametrize("where", ["at once", "in line"])
def test_release_that_a_newer_one_has_overtaken_ends_as_superseded(where: str) -> None:
    """Whether it finds the newer one there or meets it while it waits."""
    newer = {**ENTERED, "answer": "superseded", "by": "release-acme.helpdesk-" + "f" * 40}
    waits = {**ENTERED, "answer": "waits", "why": "behind"}
    stage = stage_with(enter_lane=lambda _: newer if where == "at once" else waits, lane=lambda _: newer)

    output = play(stage)

    assert output["outcome"] == "superseded"
    assert output["reason"].startswith("A newer commit reached dev first: fffffff. It holds this one's changes too")
    assert last(stage)["superseded_by"].endswith("f" * 40)
    assert stage.payloads("deployment") == []
    assert len(stage.payloads("end_release")) == 1


@pytest.mark.parametrize("where", ["at once", "after waiting"])
def test_release_that_somebody_was_about_to_cancel_ends_instead_of_deploying(where: str) -> None:
    """Its orchestration could not be ended then; nobody has to try again."""
    barred = {**ENTERED, "answer": "barred", "why": "Cancelled by maria: wrong branch"}
    waits = {**ENTERED, "answer": "waits", "why": "abc1234 deploys to dev"}
    stage = stage_with(enter_lane=lambda _: barred if where == "at once" else waits, lane=lambda _: barred)

    assert play(stage) == {"outcome": "cancelled", "reason": "Cancelled by maria: wrong branch"}
    assert stage.payloads("deployment") == []
    assert len(stage.payloads("end_release")) == 1


def test_release_that_is_overtaken_while_people_are_asked_ends_as_superseded() -> None:
    """Nobody decides about a commit that is history."""
    newer = "release-acme.helpdesk-" + "f" * 40
    looks = one_after_the_other(AROUND, around(superseded_by=newer))
    stage = stage_with(look_around=looks, approval=lambda _: NEWS)

    assert play(stage)["outcome"] == "superseded"
    assert told(stage)["approve-nonprod"] == "cancelled"


def test_news_while_it_waits_for_its_turn_sends_it_back_to_the_approvers() -> None:
    """It leaves the lane to others, deploys nothing, and asks again on the new evidence."""
    failed = debt(state=DebtState.FAILED, evaluation="e")
    summary = asdict(samples.summary("full", Verdict.FAILED))
    quiet = around(opt_outs=[asdict(OPT_OUT)])
    looks = one_after_the_other(*[quiet] * 3, around(debt=failed, summary=summary))
    stage = opted_out(look_around=looks)

    output = play(stage)

    assert output["outcome"] == "failed"
    assert [order["environment"]["name"] for order in stage.payloads("deployment")] == ["dev", "nonprod"]


def test_lane_is_left_with_what_was_deployed_and_on_whose_word() -> None:
    """The audit log and the environment's page are made from it."""
    stage = stage_with()

    play(stage)

    left = stage.payloads("leave_lane")
    assert [payload["environment"] for payload in left] == ["dev", "nonprod", "prod"]
    assert [payload["by"] for payload in left] == ["drawbridge", "maria@helpdesk.example", "maria@helpdesk.example"]
    assert {payload["deployed"]["release"] for payload in left} == {samples.RELEASE}
    assert left[2]["evidence"] == "d"


def test_deployment_is_ordered_on_the_word_and_evidence_that_allow_it() -> None:
    """Where nobody is asked it is the app's, on the newest verdict: the digest that its own record in the log has."""
    stage = stage_with()

    play(stage)

    dev, nonprod, prod = stage.payloads("deployment")
    minimal = replace(samples.summary("minimal"), id=f"{samples.RELEASE}.minimal")
    assert (dev["by"], dev["evidence"]) == ("drawbridge", digest_of(asdict(minimal)))
    assert {(one["by"], one["evidence"]) for one in (nonprod, prod)} == {("maria@helpdesk.example", "d")}


def test_failed_deployment_leaves_the_lane_as_it_was() -> None:
    """Another release may go next; what ran before still runs."""
    stage = stage_with(deployment=lambda _: {"ok": False, "detail": "not healthy"}, evaluation=evaluate())

    play(stage)

    (left,) = stage.payloads("leave_lane")
    assert left["deployed"] is None


def test_votes_on_older_evidence_are_told_to_be_void() -> None:
    """Whoever voted reads that it has to be done again."""
    opened = one_after_the_other(
        {"request": {}, "voided": []}, {"request": {}, "voided": ["maria", "jonas"]}, {"request": {}, "voided": []}
    )
    stage = stage_with(open_approval=opened, approval=one_after_the_other(NEWS, APPROVED))

    play(stage)

    assert last(stage)["notes"] == [
        "@maria, @jonas: your vote about nonprod was on evidence that has changed since. Please look again."
    ]
