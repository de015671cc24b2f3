"""Bring a release into an environment: approved, in its turn, deployed."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from azure.durable_functions.models.Task import TaskBase

from activities.enter_lane import enter_lane
from activities.leave_lane import leave_lane
from activities.look_around import look_around
from domain import debts, messages, messages_promotion, timeline
from domain.config import Environment
from domain.lanes import Answer
from domain.models import DebtState, Deployment, Outcome, StageState, Vote
from domain.promotion import is_news, known_by
from domain.wire import read
from orchestrators.asking import STATE_OF_DECISION, ask, keep_votes
from orchestrators.evidence import settle, superseded, take_in
from orchestrators.story import Ended, Steps, Story

OUTCOME_OF_DECISION = {"rejected": Outcome.REJECTED, "expired": Outcome.EXPIRED}


def promote(story: Story, environment: Environment) -> Steps:
    """Ask the environment's approvers, wait for its turn, then deploy the same image there.

    What changes while the release waits for its turn sends it back to the approvers, with the new evidence.
    """
    entered = False
    while not entered:
        yield from _approve(story, environment)
        waiting = yield from queue(story, environment)
        if waiting:
            admit(story, environment, (yield waiting))
        seen = yield story.act(look_around, story.where(environment))
        entered = not is_news(known_by(story.record), seen)
        if not entered:
            yield story.act(leave_lane, story.departure(environment, None))
    result = yield (yield from begin_deployment(story, environment))
    yield from deployed(story, environment, result)


def queue(story: Story, environment: Environment) -> Generator[Any, Any, TaskBase | None]:
    """Ask for a turn in the environment. Returns None when the release is in, else the child that waits, visibly."""
    order = story.lane_order(environment)
    entry = yield story.act(enter_lane, order)
    if entry["answer"] != Answer.WAITS:
        admit(story, environment, entry)
        return None
    child = story.another(f"lane-{environment.name}")
    yield from story.begin_stage(timeline.deploy(environment.name), child, entry["why"])
    return story.call("lane", order, child)


def admit(story: Story, environment: Environment, entry: dict[str, Any]) -> None:
    """Go on when the environment's lane let the release in. Raises Ended when it never will."""
    if entry["answer"] == Answer.SUPERSEDED:
        superseded(story, environment, entry["by"])
    if entry["answer"] == Answer.BARRED:
        raise Ended(Outcome.CANCELLED, entry["why"])


def begin_deployment(story: Story, environment: Environment) -> Generator[Any, Any, TaskBase]:
    """Start the deployment, and return it: the caller may have other things to wait for."""
    stage = timeline.deploy(environment.name)
    yield from story.begin_stage(stage, story.child(stage))
    return story.call("deployment", story.deployment_order(environment), story.child(stage))


def deployed(story: Story, environment: Environment, result: dict[str, Any]) -> Steps:
    """Leave the lane and record what the deployment came to. Raises Ended when it did not hold."""
    stage = timeline.deploy(environment.name)
    deployment = read(Deployment, result["deployment"]) if result["ok"] else None
    yield story.act(leave_lane, story.departure(environment, deployment))
    if deployment is None:
        yield from story.end(stage, StageState.FAILED, result["detail"])
        raise Ended(Outcome.FAILED, messages.deployment_failed(environment.name, result["detail"]))
    story.record = timeline.add_deployment(story.record, deployment)
    yield from story.end(stage, StageState.PASSED, result["detail"], deployment.url)


def _approve(story: Story, environment: Environment) -> Steps:
    """Come back when the approvers have let the release through, on evidence that says all there is to say."""
    let_through = False
    while not let_through:
        yield from take_in(story, environment)
        owes = environment is story.config.environments[-1] and debts.block_production(story.record)
        if not environment.approvers and not owes:
            return
        story.record = timeline.add_question(story.record, environment.name)
        needed = messages_promotion.votes_needed(environment, story.record.debt if owes else None)
        decided = yield from ask(story, environment, timeline.approve(environment.name), needed)
        if decided["decision"] == "news":
            continue
        votes = yield from _decided(story, environment, decided)
        let_through = not owes or (yield from _waive(story, environment, votes))


def _decided(story: Story, environment: Environment, decided: dict[str, Any]) -> Generator[Any, Any, tuple[Vote, ...]]:
    """Record what the votes came to, and return them. Raises Ended when they do not let the release through."""
    decision, votes = decided["decision"], keep_votes(story, environment, decided)
    yield from story.end(timeline.approve(environment.name), STATE_OF_DECISION[decision], messages.decided(votes))
    if decision in OUTCOME_OF_DECISION:
        raise Ended(OUTCOME_OF_DECISION[decision], messages.not_approved(environment.name, decision, votes))
    return votes


def _waive(story: Story, environment: Environment, votes: tuple[Vote, ...]) -> Generator[Any, Any, bool]:
    """The approvers let the release through without its full evaluation, each in so many words.

    Says whether that counts: when a payment came to its verdict first, they have to see it before anything goes on.
    """
    names = [vote.principal for vote in votes if vote.waives]
    debt = yield from settle(story, DebtState.WAIVED, ", ".join(names), digest=story.digests[environment.name])
    if debt.state is not DebtState.WAIVED:
        return False
    story.keep_debt(debt)
    yield from story.publish(timeline.FULL)
    return True
