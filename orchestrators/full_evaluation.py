"""The full evaluation of a release: run beside the first deployment, or skipped and owed."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict
from typing import Any

from azure.durable_functions.models.Task import TaskBase

from activities.look_around import look_around
from activities.record_debt import record_debt
from domain import debts, messages, messages_promotion, opt_out, timeline
from domain.models import Debt, EvaluationSummary, Outcome, StageState
from domain.promotion import read_around
from domain.wire import read
from orchestrators.story import Ended, Steps, Story

MOST_RUNS = 5  # of one release: who stops more of them by hand ends it


def begin_full_evaluation(story: Story) -> Generator[Any, Any, TaskBase | None]:
    """Start it, unless every change opted out of it; then the release owes it from now on."""
    record = story.record
    if record.refused_opt_outs:
        refused = [(one.change, one.refused) for one in record.refused_opt_outs]
        story.note(messages_promotion.opt_outs_refused(refused))
    if opt_out.skips_full_evaluation(record.changes, record.opt_outs):
        if opt_out.has_ground(record):
            yield from _owe(story)
            return None
        story.note(messages_promotion.opt_out_without_ground())
    elif record.opt_outs:
        story.note(messages_promotion.opt_out_of_some(record.opt_outs))
    return (yield from evaluate_fully(story))


def evaluate_fully(story: Story) -> Generator[Any, Any, TaskBase]:
    """Start the full evaluation, under a name of its own: one that was cancelled keeps its name."""
    child = story.another("full")
    yield from story.begin_stage(timeline.FULL, f"{child}:shards")
    return story.call("evaluation", story.evaluation_order("full", child), child)


def full_evaluation_ended(story: Story, result: dict[str, Any], stopped: bool) -> Generator[Any, Any, TaskBase | None]:
    """Take in its verdict; who may override a bad one is asked when the deployment is over too.

    Returns the next run, when a label that stopped this one was taken off again.
    """
    if not result.get("cancelled"):
        yield from judged(story, timeline.FULL, result)
    elif stopped:
        yield from story.end(timeline.FULL, StageState.CANCELLED)
    elif (yield from _opted_out_late(story)):
        yield from _owe(story)
    elif story.times("full") < MOST_RUNS:
        return (yield from evaluate_fully(story))
    else:
        yield from story.end(timeline.FULL, StageState.CANCELLED)
        raise Ended(Outcome.FAILED, messages.could_not_evaluate(timeline.FULL, messages_promotion.CANCELLED))
    return None


def judged(story: Story, stage: str, result: dict[str, Any]) -> Generator[Any, Any, EvaluationSummary]:
    """Record what an evaluation came to, and return it. Raises Ended when it could not run."""
    if "error" in result:
        yield from story.end(stage, StageState.FAILED, result["error"])
        raise Ended(Outcome.FAILED, messages.could_not_evaluate(stage, result["error"]))
    summary = read(EvaluationSummary, result["summary"])
    story.record = timeline.add_evaluation(story.record, summary)
    yield from story.end(stage, timeline.STATE_OF_VERDICT[summary.verdict], messages.verdict_detail(summary))
    return summary


def _owe(story: Story) -> Steps:
    """Record the debt, and say who skipped the evaluation: it is never told as a passed one."""
    debt = debts.incur(story.record, story.config, story.now)
    kept = yield story.act(record_debt, {"debt": asdict(debt)})
    story.keep_debt(read(Debt, kept["debt"]))
    yield from story.end(timeline.FULL, StageState.SKIPPED, messages_promotion.skipped_because(story.record.opt_outs))


def _opted_out_late(story: Story) -> Generator[Any, Any, bool]:
    """Say whether every change opts out by now: a label may come while the evaluation runs, or before it begins."""
    seen = yield story.act(look_around, story.where(story.config.environments[0]))
    story.keep_opt_outs(read_around(seen).opt_outs)
    if not opt_out.skips_full_evaluation(story.record.changes, story.record.opt_outs):
        return False
    if not opt_out.has_ground(story.record):
        story.note(messages_promotion.opt_out_without_ground())
    return opt_out.has_ground(story.record)
