"""Keep the evidence true: debts that are paid, opt-outs withdrawn, verdicts overridden, newer commits gone past."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict
from typing import Any, NoReturn

from activities.look_around import look_around
from activities.settle_debt import settle_debt
from activities.take_debt import take_debt
from domain import debts, messages_promotion, timeline
from domain.config import Environment
from domain.models import Debt, DebtState, Outcome, Override, StageState, Verdict
from domain.promotion import known_by, read_around, withdrawn
from domain.wire import read
from orchestrators.asking import STATE_OF_DECISION, ask, keep_votes
from orchestrators.full_evaluation import evaluate_fully, judged
from orchestrators.story import Ended, Steps, Story


def take_in(story: Story, environment: Environment) -> Steps:
    """Bring the record up to date with the world: a newer release, a debt that was settled, an opt-out withdrawn."""
    seen = yield story.act(look_around, story.where(environment))
    around = read_around(seen)
    if around.superseded_by:
        superseded(story, environment, around.superseded_by)
    gone = withdrawn(known_by(story.record), around)
    if gone:
        yield from _pay_debt(story, gone)
    elif around.debt and around.debt != story.record.debt:
        story.keep_debt(around.debt)
        if seen["summary"] and around.debt.state in {DebtState.PAID, DebtState.FAILED}:
            yield from judged(story, timeline.FULL, {"summary": seen["summary"]})
    yield from override_if_needed(story)


def override_if_needed(story: Story) -> Steps:
    """A full evaluation that did not pass ends the release, unless a person named for it takes that on."""
    summary, known = (
        timeline.full_evaluation(story.record),
        {override.evaluation for override in story.record.overrides},
    )
    if summary is None or summary.verdict is Verdict.PASSED or summary.id in known:
        return
    rule = story.config.override
    if not rule.people:
        raise Ended(Outcome.FAILED, messages_promotion.no_override(summary))
    story.record = timeline.add_stage(story.record, timeline.OVERRIDE, after=timeline.FULL)
    people = Environment(
        name=timeline.OVERRIDE,
        approvers=rule.people,
        prevent_self_approval=rule.prevent_self_approval,
        exclude_merger=rule.exclude_merger,
        expires_after=rule.expires_after,
    )
    decided = yield from ask(story, people, timeline.OVERRIDE, messages_promotion.needs_override(summary, rule.people))
    if decided["decision"] == "news":
        yield from take_in(story, story.next_environment())
        return
    votes = keep_votes(story, people, decided)
    if decided["decision"] != "approved":
        reason = messages_promotion.not_overridden(summary, decided["decision"], votes)
        yield from story.end(timeline.OVERRIDE, STATE_OF_DECISION[decided["decision"]], reason)
        raise Ended(Outcome.FAILED, reason)
    for vote in votes:
        story.keep_override(
            Override(summary.id, summary.verdict, vote.principal, vote.comment, vote.at, decided["digest"])
        )
    yield from story.end(
        timeline.OVERRIDE, StageState.PASSED, messages_promotion.overridden(story.record.overrides[-1])
    )


def superseded(story: Story, environment: Environment, newer: str) -> NoReturn:
    """End the release: a newer one runs in the environment already."""
    story.supersede(newer)
    raise Ended(Outcome.SUPERSEDED, messages_promotion.superseded_reason(environment.name, newer))


def settle(
    story: Story, state: DebtState, by: str, evaluation: str = "", digest: str = ""
) -> Generator[Any, Any, Debt]:
    """Settle the release's debt, and return it: what somebody else has settled before stands."""
    order = {"debt": asdict(story.debt), "state": state, "by": by, "at": story.now, "evaluation": evaluation}
    production = story.config.environments[-1].name
    settled = yield story.act(settle_debt, {**order, "detail": "", "evidence": digest, "production": production})
    return read(Debt, settled["debt"])


def _pay_debt(story: Story, gone: tuple[int, ...]) -> Steps:
    """Run the full evaluation after all: the opt-out was withdrawn. Nothing to do when somebody else pays already."""
    story.note(messages_promotion.withdrawn(gone))
    taken = yield story.act(take_debt, {"debt": asdict(story.debt), "payer": story.record.id})
    if taken["debt"] is None:
        return
    result = yield (yield from evaluate_fully(story))
    if "summary" in result:
        summary = yield from judged(story, timeline.FULL, result)
        story.keep_debt((yield from settle(story, debts.paid_with(summary.verdict), story.record.id, summary.id)))
        return
    story.keep_debt((yield from settle(story, DebtState.OPEN, story.record.id)))
    if "error" in result:
        yield from judged(story, timeline.FULL, result)
    # Stopped by the label that was put on again: the next look says whether it still is.
    yield from story.end(timeline.FULL, StageState.SKIPPED, messages_promotion.skipped_because(story.record.opt_outs))
