"""What people ask for in comments or with a check's button: who may, and which evaluation or validation it is."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from domain import messages_schedules as words
from domain.commands import KINDS
from domain.errors import Ignored
from domain.git_flow import ALL, VALIDATION, Ask, CheckEvent, ask_key, rerun
from domain.models import ChangeRequest, EvaluationRequest
from domain.schedules import ON_DEMAND, may_write


@dataclass(frozen=True)
class OwnCheck:
    """A check run of ours that has ended, the newest of its name on its commit."""

    id: int
    name: str
    external_id: str  # what it is about


@dataclass(frozen=True)
class Standing:
    """Who asks, as GitHub knows them, and about what commit; without write access nobody looked."""

    permission: str
    sha: str = ""
    fork: bool = False
    checks: tuple[OwnCheck, ...] = ()  # of the commit; only looked at when all are to run again
    validation: ChangeRequest | None = None  # that is to run again, as its attempt is due


def is_bot(login: str) -> bool:
    """Say whether an account is an App's: what it writes starts nothing, whoever made it write that."""
    return login.lower().endswith("[bot]")


def objection(ask: Ask, standing: Standing) -> str:
    """Return why an evaluation is not started, in words for whoever asked; nothing when it is."""
    if not may_write(standing.permission):
        return words.no_write_access(ask.by)
    if ask.kind == ALL:
        return "" if each(ask, standing) else words.nothing_to_rerun(ask.by, ask.sha)
    if ask.kind not in (*KINDS, VALIDATION):
        return words.how_to_ask(ask.by)
    if standing.fork and ask.kind in KINDS:  # a validation gives a fork's code no secrets
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
        key=ask_key(ask),
        change=ask.number,
    )


def validation(ask: Ask) -> ChangeRequest:
    """Return the validation that is to run again; the same one however often it is told."""
    return ChangeRequest(ask.repository, ask.number or 0, ask.sha, ask_key(ask), ask.attempt)


def each(ask: Ask, standing: Standing) -> tuple[Ask, ...]:
    """Return what running all checks of a commit again comes to: each validation, each kind of evaluation once."""
    found: dict[tuple[str, int | None], Ask] = {}
    for check in standing.checks:
        event = CheckEvent(
            repository=ask.repository,
            id=check.id,
            sha=standing.sha,
            name=check.name,
            external_id=check.external_id,
            action="rerequested",
            sender=ask.by,
            delivery="",
            change=ask.number,
        )
        with contextlib.suppress(Ignored):
            again = rerun(event)
            found.setdefault((again.kind, again.number if again.kind == VALIDATION else None), again)
    return tuple(found.values())
