"""Made-up releases for the preview of the pages, and for their tests."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from domain import messages_promotion as messages
from domain.changes import ChangeRecord, ChangeState, Step
from domain.gates import compare, judge, verdict
from domain.lanes import Hold, Holder, Lane, Occupant, Waiting
from domain.models import (
    ApprovalRequest,
    Change,
    Commit,
    Debt,
    DebtState,
    Deployment,
    EvaluationSummary,
    Evidence,
    Image,
    Metric,
    OptOut,
    Outcome,
    Override,
    ReleaseRecord,
    RowChange,
    Stage,
    StageState,
    Vote,
)
from domain.schedules import EvaluationRecord
from domain.statistics import mean_interval, percentile
from triggers.views import Round

NOW = datetime(2026, 11, 22, 15, 33, tzinfo=UTC)
HELD_BECAUSE = "refund answers name the wrong number of days"
REPOSITORY = "contoso/helpdesk"
SHA = "4f2a91c07be8d6355a0c9e17f3b82d4466c1e0a9"
BASELINE_SHA = "9b07d3e2c1f4a85b6d7e80912a3c4b5d6e7f8091"
DIGEST = "c0ffee5a17e4b2d98f6301bb7a42e95dd08c6613f7ab54e2901d38cc46aef270"
IMAGE = Image("sha256:" + "7d1e5ac2" * 8, "drawbridge.azurecr.io/helpdesk@sha256:" + "7d1e5ac2" * 8)
GROUP = "entra:8d2f6c1e-3b7a-4f10-9a55-1c0f4e7d2b90"
GATES = ("f1 >= 0.45", "f1 drop <= 0.05", "errors <= 0.02")

TOPICS = (
    ("How long do refunds take?", "Refunds reach the card within 5 working days."),
    ("Can I change the delivery address after ordering?", "Yes, until the parcel is packed, under Orders."),
    ("Which plans include phone support?", "Phone support is part of Business and Enterprise."),
    ("How do I reset the two-factor device?", "Use a recovery code, then add the new device under Security."),
    ("What is the largest attachment?", "Attachments may be up to 25 MB."),
    ("Where can I download my invoices?", "Invoices are under Billing, as PDF, for the last seven years."),
)

HOSTILE = """<script>alert(1)</script>"><img src=x onerror=alert(1)> {{ 7*7 }} '; rm -rf /"""


def iso(minutes_ago: float) -> str:
    """Return the time so many minutes before the preview's now."""
    return (NOW - timedelta(minutes=minutes_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


def commit(sha: str = SHA, message: str = "Merge pull request #41 from alex/38-shorter-answers") -> Commit:
    return Commit(REPOSITORY, sha, "alex", message, iso(64), f"https://github.example/{REPOSITORY}/commit/{sha}")


def change(number: int = 41, title: str = "Answer in one sentence, name the article", author: str = "alex") -> Change:
    url = f"https://github.example/{REPOSITORY}/pull/{number}"
    return Change(number, title, author, "sam", iso(62), (), url)


def result_rows(count: int, drift: float = 0.0, errored: int = 0) -> list[dict[str, Any]]:
    """Make result rows whose scores lie lower by `drift`; the last `errored` of them have no score."""
    dice = random.Random(7)  # noqa: S311 - sample data
    rows = []
    for index in range(count):
        question, expected = TOPICS[index % len(TOPICS)]
        score = min(1.0, max(0.0, dice.gauss(0.58, 0.2) - (drift if index % 3 == 0 else drift / 4)))
        answer = expected if score > 0.5 else "Please contact the help desk, they can tell you more about this."
        failed = index >= count - errored
        rows.append(
            {
                "id": f"q{index:03}",
                "inputs": {"question": question, "answer": expected, "category": "billing"},
                "output": None if failed else {"answer": answer},
                "scores": {} if failed else {"f1": score, "exact": float(score > 0.5)},
                "error": "node answer: no reply within 120 s (tried 3 times)" if failed else None,
                "latency": None if failed else dice.uniform(0.4, 2.1),
                "tokens": dice.randint(120, 260),
                "attempts": 3 if failed else 1,
            }
        )
    return rows


def summary(
    rows: list[dict[str, Any]],
    kind: str = "full",
    sha: str = SHA,
    baseline: tuple[EvaluationSummary, list[dict[str, Any]]] | None = None,
    gates: tuple[str, ...] = GATES,
) -> EvaluationSummary:
    """Summarise result rows with the real gates and the real comparison."""
    scored = [row for row in rows if not row["error"]]
    latencies = [row["latency"] for row in scored]
    bare = EvaluationSummary(
        id=f"{kind}-{REPOSITORY.replace('/', '.')}-{sha[:12]}",
        kind=kind,
        repository=REPOSITORY,
        commit=sha,
        dataset=f"data/{kind}.jsonl",
        fingerprint="same",
        rows=len(rows),
        scored=len(scored),
        errored=len(rows) - len(scored),
        metrics=tuple(_metric(name, scored) for name in ("f1", "exact")),
        gates=(),
        verdict=verdict(()),
        latency_p50=percentile(latencies, 50) if latencies else None,
        latency_p95=percentile(latencies, 95) if latencies else None,
        tokens=sum(row["tokens"] for row in rows),
        seconds=41.5 * len(rows) / 30,
        lowest=tuple(
            RowChange(row["id"], "f1", None, row["scores"]["f1"])
            for row in sorted(scored, key=lambda row: row["scores"]["f1"])[:5]
        ),
        failed_rows=tuple(row["id"] for row in rows if row["error"])[:20],
        finished_at=iso(12),
    )
    comparison = None
    if baseline:
        before, before_rows = baseline
        comparison = compare(_scores(rows), _scores(before_rows), before, bare.fingerprint)
    results = judge(gates, bare, comparison)
    return replace(bare, comparison=comparison, gates=results, verdict=verdict(results))


def _metric(name: str, scored: list[dict[str, Any]]) -> Metric:
    estimate = mean_interval([row["scores"][name] for row in scored])
    return Metric(name, len(scored), estimate.mean, estimate.low, estimate.high)


def _scores(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    return {row["id"]: row["scores"] for row in rows if not row["error"]}


def evaluations(
    drift: float = 0.0, count: int = 300
) -> tuple[EvaluationSummary, list[dict[str, Any]], list[dict[str, Any]]]:
    """Return a full evaluation, its rows and the baseline's rows."""
    before, rows = result_rows(count), result_rows(count, drift, errored=count // 100)
    baseline = summary(before, sha=BASELINE_SHA)
    return summary(rows, baseline=(baseline, before)), rows, before


def deployment(environment: str, minutes_ago: float) -> Deployment:
    url = f"https://helpdesk-{environment}.internal.contoso.example"
    return Deployment(environment, f"release-contoso.helpdesk-{SHA}", IMAGE, url, iso(minutes_ago), None)


def stages(*states: tuple[str, StageState, str]) -> tuple[Stage, ...]:
    """Lay stages out one after the other, so that each begins where the one before ended."""
    laid, minutes = [], 64.0
    for name, state, detail in states:
        begun = state not in (StageState.WAITING, StageState.CANCELLED)
        start, end = iso(minutes), iso(minutes - 7)
        over = begun and state is not StageState.RUNNING
        laid.append(Stage(name, state, start if begun else None, end if over else None, detail))
        minutes -= 7 if over else 0
    return tuple(laid)


P, R, W, S = StageState.PASSED, StageState.RUNNING, StageState.WAITING, StageState.SKIPPED
F, X, C, E = StageState.FAILED, StageState.REJECTED, StageState.CANCELLED, StageState.EXPIRED

BEGUN = (
    ("prepare", P, ""),
    ("validate", P, "2 commands, 5 sample rows"),
    ("evaluate-minimal", P, "f1 0.561 over 30 rows"),
    ("build", P, "sha256:7d1e5ac27d1e"),
)
RUNNING = stages(
    *BEGUN,
    ("deploy-dev", P, "12 requests, 0 errors, p95 1.20 s"),
    ("evaluate-full", R, ""),
    *((name, W, "") for name in ("approve-nonprod", "deploy-nonprod", "approve-prod", "deploy-prod")),
)
APPROVING = stages(
    *BEGUN,
    ("deploy-dev", P, "12 requests, 0 errors, p95 1.20 s"),
    ("evaluate-full", P, "f1 0.585 over 300 rows"),
    ("approve-nonprod", P, "1 of 1 approval"),
    ("deploy-nonprod", P, "12 requests, 0 errors, p95 1.31 s"),
    ("approve-prod", R, "1 of 2 approvals"),
    ("deploy-prod", W, ""),
)


def record(outcome: Outcome = Outcome.RUNNING, laid: tuple[Stage, ...] = RUNNING, **more: Any) -> ReleaseRecord:
    """Make the record of a release; `more` replaces any of its fields."""
    plain = ReleaseRecord(
        id=f"release-contoso.helpdesk-{SHA}",
        repository=REPOSITORY,
        branch="main",
        commit=commit(),
        changes=(change(),),
        opt_outs=(),
        created_at=iso(64),
        updated_at=iso(1),
        outcome=outcome,
        stages=laid,
        image=IMAGE,
    )
    return replace(plain, **more)


def minimal() -> EvaluationSummary:
    return summary(result_rows(30), "minimal", gates=("f1 >= 0.45", "errors <= 0.02"))


def running_release() -> ReleaseRecord:
    return record(evaluations=(minimal(),), deployments=(deployment("dev", 20),))


def released() -> ReleaseRecord:
    full, _, _ = evaluations()
    laid = tuple(replace(stage, state=P, ended_at=iso(1)) for stage in APPROVING)
    return record(
        Outcome.RELEASED,
        laid,
        evaluations=(minimal(), full),
        deployments=(deployment("dev", 40), deployment("nonprod", 18), deployment("prod", 2)),
        votes={
            "nonprod": (vote("maria", minutes=20),),
            "prod": (vote("jonas", minutes=6), vote("priya", minutes=4, comment="")),
        },
    )


def stopped() -> ReleaseRecord:
    full, _, _ = evaluations(drift=0.3)
    laid = stages(
        *BEGUN,
        ("deploy-dev", P, "12 requests, 0 errors"),
        ("evaluate-full", F, "f1 drop <= 0.05 does not hold"),
        *((name, C, "") for name in ("approve-nonprod", "deploy-nonprod", "approve-prod", "deploy-prod")),
    )
    reason = "The full evaluation failed: f1 fell more than 0.05 against the baseline."
    return record(
        Outcome.FAILED, laid, reason=reason, evaluations=(minimal(), full), deployments=(deployment("dev", 20),)
    )


def opt_out(change: int = 42, by: str = "sam", **more: Any) -> OptOut:
    plain = OptOut("skip-e2e-evaluation", change, by, iso(70), "Only the opening hours on the contact page change.")
    return replace(plain, **more)


def debt(state: DebtState = DebtState.OPEN, due: float = 6 * 1440, **more: Any) -> Debt:
    """Make the debt of a release, due in so many minutes."""
    plain = Debt(
        repository=REPOSITORY,
        release=f"release-contoso.helpdesk-{SHA}",
        commit=SHA,
        opt_outs=(opt_out(), opt_out(43, "alex", reason="A link to a form, no answer changes.")),
        owed="the full evaluation on data/full.jsonl: f1 >= 0.45, f1 drop <= 0.05",
        at=iso(60),
        expires_at=iso(-due),
        state=state,
    )
    return replace(plain, **more)


def opted_out() -> ReleaseRecord:
    laid = tuple(replace(stage, state=S, detail="") if stage.name == "evaluate-full" else stage for stage in APPROVING)
    changes = (change(42, "Fix a typo in the opening hours", "sam"), change(43, "Link the new returns form", "alex"))
    places = (deployment("dev", 40), deployment("nonprod", 18))
    return record(
        laid=laid,
        opt_outs=debt().opt_outs,
        debt=debt(),
        changes=changes,
        evaluations=(minimal(),),
        deployments=places,
    )


def superseded() -> ReleaseRecord:
    laid = tuple(replace(stage, state=C) if stage.state in (R, W) else stage for stage in APPROVING)
    reason = messages.superseded_reason("prod", "release-contoso.helpdesk-9b07d3e")
    newer = f"release-contoso.helpdesk-{BASELINE_SHA}"
    return record(
        Outcome.SUPERSEDED,
        laid,
        reason=reason,
        superseded_by=newer,
        evaluations=(minimal(), evaluations()[0]),
        deployments=(deployment("dev", 40), deployment("nonprod", 18)),
    )


def overridden() -> ReleaseRecord:
    """Return a release that went on although its full evaluation failed, and whose opt-out was refused before."""
    full, _, _ = evaluations(drift=0.3)
    laid = tuple(
        replace(stage, state=F, detail="f1 drop <= 0.05") if stage.name == "evaluate-full" else stage
        for stage in APPROVING
    )
    at = next(number for number, stage in enumerate(laid, 1) if stage.name == "evaluate-full")
    laid = (*laid[:at], Stage("override", P, iso(25), iso(21), "by maria@contoso.example"), *laid[at:])
    reason = "The judge marks the new wording down; ten rows read by hand are fine."
    given = Override(full.id, full.verdict, "maria@contoso.example", reason, iso(21), DIGEST)
    refused = opt_out(
        41, "alex", reason="Prompt only.", refused="the change touches flows/chat/answer.jinja2 (flows/**)"
    )
    return record(
        laid=laid,
        overrides=(given,),
        refused_opt_outs=(refused,),
        evaluations=(minimal(), full),
        deployments=(deployment("dev", 40), deployment("nonprod", 18)),
    )


def rejected() -> ReleaseRecord:
    laid = stages(
        *BEGUN,
        ("deploy-dev", P, ""),
        ("evaluate-full", P, ""),
        ("approve-nonprod", X, "by @maria"),
        *((name, C, "") for name in ("deploy-nonprod", "approve-prod", "deploy-prod")),
    )
    no = vote("maria", "reject", "Answers about refunds name the wrong number of days (q006, q012).", 9)
    return record(Outcome.REJECTED, laid, reason="@maria rejected nonprod.", votes={"nonprod": (no,)})


def expired() -> ReleaseRecord:
    laid = stages(*BEGUN, ("deploy-dev", P, ""), ("evaluate-full", P, ""), ("approve-nonprod", E, "0 of 1 approval"))
    note = "GitHub did not take the last comment: 502 after five tries."
    return record(Outcome.EXPIRED, laid, reason="Nobody decided about nonprod in 3 days.", changes=(), notes=(note,))


def vote(
    approver: str,
    decision: str = "approve",
    comment: str = "Looks good on the worst rows too.",
    minutes: float = 5,
    waives: bool = False,
) -> Vote:
    return Vote(approver, f"{approver}@contoso.example", decision, comment, DIGEST, iso(minutes), waives)


def evidence(opted: bool = False, owed: Debt | None = None) -> Evidence:
    """Return what the approvers of prod see."""
    full, _, _ = evaluations(drift=0.04)
    source = opted_out() if opted else released()
    return Evidence(
        release=source.id,
        repository=REPOSITORY,
        environment="prod",
        commit=source.commit,
        changes=source.changes,
        image=IMAGE,
        evaluations=(minimal(),) if opted else (minimal(), full),
        opt_outs=source.opt_outs,
        deployments=(deployment("dev", 40), deployment("nonprod", 18)),
        approvers=("maria", "jonas", "priya"),
        approvals=2,
        prevent_self_approval=True,
        debt=owed or source.debt,
    )


def stopped_evidence() -> Evidence:
    """Return what those who may override see."""
    full, _, _ = evaluations(drift=0.3)
    places = (deployment("dev", 20),)
    known = replace(evidence(), environment="override", evaluations=(minimal(), full), deployments=places)
    return replace(known, prevent_self_approval=False, approvals=1)


def approval_request(expires_in_minutes: float = 60 * 50, **more: Any) -> ApprovalRequest:
    people = ("maria", "jonas", "priya", "alex")
    plain = ApprovalRequest(
        release=f"release-contoso.helpdesk-{SHA}",
        environment="prod",
        digest=DIGEST,
        approvers=people,
        nonces=("n",) * len(people),
        approvals=2,
        excluded=("alex",),
        opened_at=iso(30),
        remind_at=iso(-60),
        expires_at=iso(-expires_in_minutes),
        instance="approval",
        groups={"jonas": "contoso/release-managers", "priya": "contoso/release-managers"},
    )
    return replace(plain, **more)


def group_request() -> ApprovalRequest:
    return approval_request(approvers=("maria", GROUP), nonces=("n", "n"), round=2, groups={})


def override_request() -> ApprovalRequest:
    return approval_request(environment="override", approvers=("maria", "jonas"), approvals=1, excluded=(), groups={})


def rounds() -> list[Round]:
    """Return votes of two rounds: new evidence came after the first."""
    return [
        Round("nonprod", 1, False, (vote("maria", minutes=26),)),
        Round("prod", 1, True, (vote("jonas", minutes=12),)),
        Round("prod", 2, False, (vote("priya", minutes=4, comment=""),)),
    ]


def other_evaluations() -> list[EvaluationRecord]:
    """Return one that runs and one that has ended, both of the release's commit."""
    name = f"on-demand-contoso.helpdesk-{SHA}-full-1"
    running = EvaluationRecord(name, REPOSITORY, SHA, "full", "on-demand", "maria", iso(9), f"{name}.run")
    night = f"nightly-contoso.helpdesk-{SHA}-full-2026-11-22"
    return [running, replace(running, id=night, source="nightly", asked_by="", started_at=iso(700), state="passed")]


def validation_lines() -> list[dict[str, Any]]:
    """Return what the steps of a validation printed; the last one failed."""
    pytest = (
        "F..\n____ test_opening_hours ____\n>   assert hours('Sun') == 'closed'\nE   AssertionError: '9-17'\n1 failed"
    )
    return [
        {"step": "ruff check .", "ok": True, "seconds": 0.8, "output_tail": "All checks passed!"},
        {"step": "pytest -q", "ok": False, "seconds": 74.2, "output_tail": pytest},
        {"step": "flow flows/chat", "ok": True, "seconds": 3.1, "output_tail": ""},
    ]


def change_record(**more: Any) -> ChangeRecord:
    """Return a change whose validation failed."""
    plain = ChangeRecord(
        repository=REPOSITORY,
        number=41,
        title="Answer in one sentence, name the article",
        author="alex",
        url=f"https://github.example/{REPOSITORY}/pull/41",
        head=SHA,
        base="main",
        instance=f"change-contoso.helpdesk-41-{SHA}.2",
        attempt=2,
        state=ChangeState.FAILED,
        steps=(
            Step("branch", P),
            Step("validate", F, "pytest -q failed"),
            Step("evaluate-syntax", W),
            Step("checks", P, "build: success", f"https://github.example/{REPOSITORY}/runs/1"),
        ),
        reason="pytest -q failed: 1 failed",
        needed="alex: fix it and push again.",
        forecast=(
            "Minimal evaluation on data/minimal.jsonl, 5 min lately.",
            "Full evaluation: skipped, see the opt-out.",
        ),
        preview=opt_out(41, "alex"),
        updated_at=iso(3),
    )
    return replace(plain, **more)


def running_change() -> ChangeRecord:
    steps = (Step("branch", P), Step("validate", R), Step("merge", W))
    return change_record(
        state=ChangeState.RUNNING, steps=steps, reason="", needed="", attempt=1, base="develop", forecast=()
    )


def merged_change() -> ChangeRecord:
    steps = (Step("branch", P), Step("validate", P, "2 commands"), Step("merge", P))
    return change_record(state=ChangeState.PASSED, steps=steps, reason="", needed="", ended="merged", preview=None)


def release_id(number: int) -> str:
    return f"release-contoso.helpdesk-{number:02}b07d3e2c1f4a85b6d7e80912a3c4b5d6e7f80"


def lanes() -> list[Lane]:
    """Return what runs where: a queue for nonprod, a hold on prod, and a second repository."""
    here = f"release-contoso.helpdesk-{SHA}"
    waits = Waiting(release_id(11), "", 11, iso(14), messages.behind(here, "nonprod", deploys=True), iso(-5), True)
    soaks = Waiting(release_id(12), "", 12, iso(3), messages.behind(release_id(11), "nonprod"), iso(-5), True)
    held = Waiting(here, SHA, 10, iso(20), messages.held("maria@contoso.example", HELD_BECAUSE), iso(-5), True)
    hold = Hold("maria@contoso.example", HELD_BECAUSE, iso(50), release_id(9))
    return [
        Lane(REPOSITORY, "dev", occupant(12, 16)),
        Lane(REPOSITORY, "nonprod", occupant(9, 300), Holder(here, iso(2)), (waits, soaks), None, ("maria", "jonas")),
        Lane(REPOSITORY, "prod", occupant(9, 48), None, (held,), hold, ("contoso/release-managers", "priya")),
        Lane("contoso/travel", "prod", approvers=(GROUP,)),
    ]


def occupant(number: int, minutes: float) -> Occupant:
    return Occupant(
        release_id(number), f"{number:040}", number, IMAGE, iso(minutes), "https://helpdesk.contoso.example"
    )


def debts() -> list[Debt]:
    """Return debts in every state, oldest first."""
    states = [DebtState.PAID, DebtState.WAIVED, DebtState.PAID, DebtState.FAILED, DebtState.PAYING, DebtState.OPEN]
    details = {
        DebtState.PAID: "f1 0.585 over 300 rows",
        DebtState.FAILED: "f1 drop <= 0.05",
        DebtState.WAIVED: "waived by jonas@contoso.example",
    }
    return [
        debt(
            state,
            due=(number - 3) * 1440,
            release=release_id(number),
            commit=f"{number:02}{SHA[2:]}",
            opt_outs=(opt_out(40 + number, "sam" if number % 3 else "alex"),),
            detail=details.get(state, ""),
            at=iso((7 - number) * 1440),
            settled_at=iso((6 - number) * 1440) if state in details else "",
            settled_by="nightly" if state is DebtState.PAID else "jonas@contoso.example",
            evaluation=f"{release_id(number)}.full-2026-11-{16 + number}"
            if state in (DebtState.PAID, DebtState.FAILED)
            else "",
        )
        for number, state in enumerate(states)
    ]


def progress(done: int = 132, total: int = 300) -> list[dict[str, Any]]:
    """Return the live status of the running stages, as orchestrations report it."""
    full = {"stage": "evaluate-full", "done": done, "total": total, "since": iso(9), "expected_end": iso(-11)}
    return [full]


def hostile() -> ReleaseRecord:
    """Return a release in which every text from outside tries to break the page."""
    bad = Commit(HOSTILE, HOSTILE, HOSTILE, HOSTILE, iso(64), "javascript:alert(1)")
    title = Change(7, HOSTILE, HOSTILE, HOSTILE, iso(62), (HOSTILE,), "data:text/html,<script>alert(1)</script>")
    full, _, _ = evaluations()
    spoiled = replace(full, id=HOSTILE, dataset=HOSTILE, gates=(replace(full.gates[0], detail=HOSTILE),))
    skip = OptOut(HOSTILE, 7, HOSTILE, iso(70))
    stage = Stage(HOSTILE, StageState.RUNNING, iso(9), None, HOSTILE, "javascript:alert(1)")
    return record(
        id=HOSTILE,
        repository=HOSTILE,
        branch=HOSTILE,
        commit=bad,
        changes=(title,),
        opt_outs=(skip,),
        reason=HOSTILE,
        stages=(stage,),
        evaluations=(spoiled,),
        deployments=(replace(deployment("dev", 1), environment=HOSTILE, url="javascript:alert(1)"),),
        votes={HOSTILE: (vote(HOSTILE, comment=HOSTILE),)},
        notes=(HOSTILE,),
    )
