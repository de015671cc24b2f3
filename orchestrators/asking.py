"""Put the evidence before people, and come back with what they decided."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict
from typing import Any

from activities.open_approval import open_approval
from domain import messages_promotion
from domain.config import Environment
from domain.models import StageState, Vote
from domain.promotion import known_by
from domain.wire import read
from orchestrators.story import Ended, Story

STATE_OF_DECISION = {
    "approved": StageState.PASSED,
    "rejected": StageState.REJECTED,
    "expired": StageState.EXPIRED,
}


def ask(story: Story, environment: Environment, stage: str, needed: str) -> Generator[Any, Any, dict[str, Any]]:
    """Put the evidence before people, and return what they decided, or that there is news."""
    child = story.another(stage)
    try:
        opened = yield from story.ask_github(open_approval, story.approval_order(environment, child))
    except Ended as end:
        yield from story.end(stage, StageState.FAILED, end.reason)
        raise
    if opened["voided"]:
        story.note(messages_promotion.new_evidence(environment.name, opened["voided"]))
    yield from story.begin_stage(stage, child, needed)
    order = {
        "request": opened["request"],
        "where": story.where(environment),
        "known": asdict(known_by(story.record)),
    }
    decided: dict[str, Any] = yield story.call("approval", order, child)
    return decided


def keep_votes(story: Story, environment: Environment, decided: dict[str, Any]) -> tuple[Vote, ...]:
    """Add the votes on an environment, with the digest of what was seen, and return them."""
    votes = tuple(read(Vote, vote) for vote in decided["votes"])
    story.keep_votes(environment.name, votes)
    story.digests[environment.name] = decided["digest"]
    return votes
