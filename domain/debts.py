"""Evaluation debt: what an honoured opt-out leaves behind, and when it is settled. Clocks come from the caller."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter

from domain.branch_line import AHEAD, BEHIND, DIVERGED, IDENTICAL, Place, Relations, counts, generation, has
from domain.config import Config
from domain.models import Debt, DebtState, ReleaseRecord, Verdict

OWED = frozenset({DebtState.OPEN, DebtState.PAYING})


def incur(record: ReleaseRecord, config: Config, at: str) -> Debt:
    """Return the debt of a release that skips its full evaluation from now on."""
    due = datetime.fromisoformat(at) + timedelta(seconds=config.opt_out.expires_after)
    return Debt(
        repository=record.repository,
        release=record.id,
        commit=record.commit.sha,
        opt_outs=record.opt_outs,
        owed=f"the full evaluation on {config.evaluation.full.data}: {', '.join(config.evaluation.full.gates)}",
        at=at,
        expires_at=due.strftime("%Y-%m-%dT%H:%M:%SZ"),
        position=record.position,
    )


@dataclass(frozen=True)
class Branch:
    """What is known of the commits of a branch that have a release.

    `released` are those that have their place, without those that approvers have waived; of the `unplaced` the release
    has not come so far, or ended before it did. `evaluated` are those whose full evaluation passed.
    """

    released: tuple[Place, ...] = ()
    unplaced: tuple[str, ...] = ()
    evaluated: tuple[Place, ...] = ()


def stack(debt: Debt, branch: Branch, production: Place, relations: Relations) -> Debt:
    """Return the debt with the commits it stands on whose own full evaluations have not passed, newest first.

    What `production` has already is history, and what is behind a commit whose evaluation passed was evaluated with it.
    Where neither counting nor `relations` tell how two commits stand to each other, the debt counts as standing on the
    other one.
    """
    mine, under = place(debt), []
    for line in _lines(branch.released):
        under += _missing(mine, line, branch.evaluated, production, relations)
    unplaced = [
        sha for sha in branch.unplaced if sha != mine.sha and _carries(mine, sha, branch, production, relations)
    ]
    return replace(debt, on_top_of=(*(one.sha for one in reversed(under)), *unplaced))


def place(debt: Debt) -> Place:
    """Return where a debt's commit is on the branch."""
    return Place(debt.commit, debt.position)


def _missing(
    mine: Place, line: list[Place], evaluated: Iterable[Place], production: Place, relations: Relations
) -> list[Place]:
    """Return what a commit stands on and nobody has evaluated, of one line, so that few have to be asked about."""
    line = line[_behind(production, line, relations) :]
    above = _behind(mine, line, relations)
    passed = set(evaluated)
    under, rest = (
        [one for one in part if one not in passed and one.sha != mine.sha] for part in (line[:above], line[above:])
    )
    known = _evaluated_behind(mine, evaluated, relations)
    while under and (one := next(known, None)):
        under = under[_behind(one, under, relations) :]
    if rest and has(mine, rest[0], relations) is None:
        return under + rest
    # What the branch lost, the rewritten one may hold under another name, until production has gone past it.
    lost = [one for one in rest if production.position < one.position < mine.position]
    return under + lost[: _first(lost, lambda one: relations.get((mine.sha, one.sha)) == BEHIND)]


def _evaluated_behind(mine: Place, evaluated: Iterable[Place], relations: Relations) -> Iterator[Place]:
    """Yield of each line the newest commit behind another one whose evaluation passed, those of its own line first."""
    others = [one for one in evaluated if one.sha != mine.sha]
    for line in sorted(_lines(others), key=lambda line: not counts(line[0].position, mine.position)):
        yield from line[: _behind(mine, line, relations)][-1:]


def _carries(mine: Place, sha: str, branch: Branch, production: Place, relations: Relations) -> bool:
    """Say whether a commit stands on one without a place, that neither production nor an evaluation has seen."""
    if relations.get((production.sha, sha)) in (AHEAD, IDENTICAL):
        return False
    if relations.get((mine.sha, sha)) in (DIVERGED, BEHIND):
        return False
    known = _evaluated_behind(mine, branch.evaluated, relations)
    return not any(relations.get((one.sha, sha)) == AHEAD for one in known)


def _lines(places: Iterable[Place]) -> list[list[Place]]:
    """Return commits by generation, oldest first: there each commit descends from those before it."""
    in_order = sorted(places, key=attrgetter("position"))
    return [list(line) for _, line in groupby(in_order, key=lambda one: generation(one.position))]


def _behind(there: Place, line: Sequence[Place], relations: Relations) -> int:
    """Count the commits of a line that a commit is known to have behind it."""
    return _first(line, lambda one: not has(there, one, relations))


def _first(line: Sequence[Place], wanted: Callable[[Place], bool]) -> int:
    """Return the index of the first one that is wanted, where all behind it are wanted as well."""
    return bisect_left(line, True, key=wanted)


def block_production(record: ReleaseRecord) -> bool:
    """Say whether production has to wait: the release's debt is neither paid nor waived.

    A payment that failed blocks as well, until a named person has overridden that very evaluation.
    """
    debt = record.debt
    if debt is None or debt.state in {DebtState.PAID, DebtState.WAIVED}:
        return False
    return debt.state in OWED or debt.evaluation not in {override.evaluation for override in record.overrides}


def can_be_waived(debt: Debt, now: str) -> bool:
    """Say whether approvers may still let a release through without its full evaluation.

    Not on top of what has no passed evaluation itself: they would waive what they are not shown.
    """
    return debt.state in OWED and now < debt.expires_at and not debt.on_top_of


def is_overdue(debt: Debt, now: str) -> bool:
    """Say whether an evaluation is owed for longer than the policy allows; a failed one is owed no more."""
    return debt.state in OWED and now >= debt.expires_at


def take(debt: Debt, payer: str, over_from: str = "") -> Debt | None:
    """Return the debt as being paid by the instance `payer`, or None when somebody else pays it or it is settled.

    `over_from` names a payer that is known to be gone: its payment is taken over.
    """
    free = debt.state is DebtState.OPEN
    mine = debt.state is DebtState.PAYING and debt.settled_by in {payer, over_from}
    return replace(debt, state=DebtState.PAYING, settled_by=payer) if free or mine else None


def settle(debt: Debt, state: DebtState, by: str, at: str, evaluation: str = "", detail: str = "") -> Debt:
    """Return the debt settled, or open again after a payment that could not run. A verdict or a waiver is final."""
    if debt.state in {DebtState.PAID, DebtState.FAILED, DebtState.WAIVED}:
        return debt
    return replace(
        debt,
        state=state,
        settled_by="" if state is DebtState.OPEN else by,
        settled_at="" if state is DebtState.OPEN else at,
        evaluation=evaluation or debt.evaluation,
        detail=detail,
    )


def paid_with(verdict: Verdict) -> DebtState:
    """Return what a full evaluation makes of the debt: only a pass pays it."""
    return DebtState.PAID if verdict is Verdict.PASSED else DebtState.FAILED
