"""Evaluations that people ask for in comments or with a check's button: who may, and which evaluation it is."""

from __future__ import annotations

from dataclasses import dataclass

from domain import messages_schedules as words
from domain.commands import KINDS
from domain.git_flow import Ask
from domain.models import EvaluationRequest
from domain.schedules import ON_DEMAND, may_write


@dataclass(frozen=True)
class Standing:
    """Who asks for an evaluation, as GitHub knows them, and of what commit; without write access nobody looked."""

    permission: str
    sha: str = ""
    fork: bool = False


def is_bot(login: str) -> bool:
    """Say whether an account is an App's: what it writes starts nothing, whoever made it write that."""
    return login.lower().endswith("[bot]")


def objection(ask: Ask, standing: Standing) -> str:
    """Return why an evaluation is not started, in words for whoever asked; nothing when it is."""
    if not may_write(standing.permission):
        return words.no_write_access(ask.by)
    if ask.kind not in KINDS:
        return words.how_to_ask(ask.by)
    if standing.fork:
        return words.no_fork(ask.by)
    return ""


def requested(ask: Ask, standing: Standing) -> EvaluationRequest:
    """Return the evaluation that is asked for; the same one however often it is told."""
    return EvaluationRequest(
        repository=ask.repository,
        sha=standing.sha,
        kind=ask.kind,
        source=ON_DEMAND,
        asked_by=ask.by,
        key=f"check{ask.check}" if ask.check else f"comment{ask.comment}",
        change=ask.number,
    )
