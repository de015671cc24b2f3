"""The words of opt-outs, debts, turns, overrides and rollbacks. One function per message."""

from __future__ import annotations

from collections.abc import Sequence

from domain.config import Environment
from domain.models import Debt, EvaluationSummary, OptOut, Override, Verdict, Vote


def superseded(environment: str, newer: str) -> str:
    """Say that a newer commit went past."""
    return f"a newer commit runs in {environment} already ({short(newer)})"


def superseded_reason(environment: str, newer: str) -> str:
    """Say why the release ended."""
    lost = "unless a forced push took them off the branch"
    return f"A newer commit reached {environment} first: {short(newer)}. It holds this one's changes too, {lost}."


def order_unknown(there: str) -> str:
    """Say why nobody can say yet whose turn it is."""
    return f"the branch was rewritten, and GitHub has to say whether {short(there)}, which runs there, is newer"


def held(by: str, reason: str) -> str:
    """Say that nobody is promoted."""
    because = f": {reason}" if reason else ""
    return f"promotion is held by {by} since a rollback{because}; it goes on when somebody lifts the hold"


def window_closed(environment: Environment, opens: str) -> str:
    """Say when the deployment window opens."""
    return f"the window {environment.window} is closed; it opens at {opens}"


def soaks(environment: Environment, until: str) -> str:
    """Say how long the release must stay where it is."""
    return f"it stays in the environment before {environment.name} until {until}"


def behind(release: str, environment: str, deploys: bool = False) -> str:
    """Say who is first."""
    return f"{short(release)} {'deploys to' if deploys else 'is first in line for'} {environment}"


def deploys_now(environment: str) -> str:
    """Say why a release cannot be cancelled."""
    return (
        f"It is being deployed to {environment} right now, and half a deployment helps nobody. Cancel it when that is "
        "over; it rolls back by itself when the deployment goes wrong."
    )


def short(release: str) -> str:
    """Shorten a release's id to its commit."""
    return release.rpartition("-")[2][:7]


def debt_blocks(debt: Debt) -> str:
    """Say why production waits."""
    return f"owes {debt.owed}; due at {debt.expires_at}. The nightly run pays it, or the approvers waive it"


def skipped_because(opt_outs: Sequence[OptOut]) -> str:
    """Say who opted out of the full evaluation and why. Never shown as a passed evaluation."""
    return "; ".join(
        f"skipped by @{one.by} because {one.reason or 'of nothing said'} (#{one.change})" for one in opt_outs
    )


def opt_out_of_some(opt_outs: Sequence[OptOut]) -> str:
    """Say why a label did not skip the full evaluation."""
    numbers = ", ".join(f"#{opt_out.change}" for opt_out in opt_outs)
    return f"The full evaluation runs: only {numbers} opted out, and this release brings other changes too."


CANCELLED = "it was cancelled, and nobody opted out of it"


def opt_out_without_ground() -> str:
    """Say why an honoured label does not skip the full evaluation."""
    return (
        "The full evaluation runs in spite of the opt-out: that needs a minimal evaluation that passed, an environment "
        "before production, and no commit that came without a change."
    )


def no_ground() -> str:
    """Say why a late label stops nothing."""
    return (
        "the full evaluation goes on: it can only be skipped after a passed minimal one, before production, and when "
        "no commit came without a change"
    )


def votes_needed(environment: Environment, debt: Debt | None) -> str:
    """Say how many approvals an environment needs, and what production waits for."""
    votes = f"needs {environment.approvals} of {', '.join(environment.approvers)}" if environment.approvers else ""
    return "; ".join(part for part in (votes, debt_blocks(debt) if debt else "") if part)


def opt_outs_refused(changes: Sequence[tuple[int, str]]) -> str:
    """Say why labels were not honoured."""
    return "; ".join(f"The opt-out of #{number} is refused: {why}" for number, why in changes) + "."


def needs_override(summary: EvaluationSummary, people: Sequence[str]) -> str:
    """Say who may let the release go on."""
    return f"{summary.verdict.value}: only {' or '.join(people)} can override it, with a reason"


def no_override(summary: EvaluationSummary) -> str:
    """Say that nobody may let the release go on."""
    rules = [f"{gate.rule} ({gate.detail})" for gate in summary.gates if gate.verdict is not Verdict.PASSED]
    verdict = "failed" if summary.verdict is Verdict.FAILED else "came to no conclusion"
    return f"The {summary.kind} evaluation {verdict}: {'; '.join(rules)}."


def overridden(override: Override) -> str:
    """Say, for ever, that a verdict did not stop the release."""
    return f"{override.by} overrode the {override.verdict.value} full evaluation: {override.reason}"


def not_overridden(summary: EvaluationSummary, decision: str, votes: Sequence[Vote]) -> str:
    """Say why a failed or inconclusive evaluation ended the release."""
    if decision == "expired":
        return f"{no_override(summary)} Nobody overrode it in time."
    against = next(vote for vote in votes if vote.decision == "reject")
    because = f": {against.comment}" if against.comment else "."
    return f"{no_override(summary)} {against.approver} did not override it{because}"


def new_evidence(environment: str, voters: Sequence[str]) -> str:
    """Tell those who voted on older evidence that their votes are void."""
    names = ", ".join(f"@{name}" for name in voters)
    return f"{names}: your vote about {environment} was on evidence that has changed since. Please look again."


def commits_unseen(count: int) -> str:
    """Say what nobody knows about a release."""
    return (
        f"Nobody has looked for the changes of {count} commits of this push: it was too long. No opt-out counts, and "
        "environments that bar authors or mergers will not ask their approvers: who that is, is not known."
    )


def unlinked(sha: str) -> str:
    """Say what nobody knows of a push that looks merged."""
    return (
        f"GitHub names no change for all that came with {sha[:7]}, though it looks as if merged there. No opt-out "
        "counts, and environments that bar authors or mergers look again before they ask their approvers."
    )


def people_unknown(environment: str) -> str:
    """Say why approvers are not asked where those who had a part in a release are barred."""
    return (
        f"{environment} bars those who wrote or merged a release, and nobody knows who they all are: GitHub does not "
        "name the change of every commit that looks merged there, and who merged it, or the push was too long to be "
        "looked through. Revert it, and bring it again through a pull request."
    )


def withdrawn(changes: Sequence[int]) -> str:
    """Say why a full evaluation starts late."""
    return f"The full evaluation runs after all: {', '.join(f'#{number}' for number in changes)} opts out no more."


def nothing_to_go_back_to(release: str, environment: str) -> str:
    """Say why a rollback is impossible."""
    return f"{short(release)} never ran in {environment}: go back to a release that did"


def gone_back(environment: str, by: str) -> str:
    """Say that an environment was rolled back by hand."""
    return f"{environment} was rolled back to this release by {by}"


def rollback_ended(environment: str) -> str:
    """Say why a rollback was taken out of its lane."""
    return (
        f"the rollback was ended from outside before it left {environment}: see what runs there, and go back again if "
        "it is not what should"
    )


def going_back(release: str, environment: str, again: bool) -> str:
    """Tell who asked for a rollback what happens now; `again`: it is under way already."""
    until = "Nobody is promoted to it until somebody lifts the hold."
    if again:
        return f"{environment} is going back to {short(release)} already, so nothing new was started. {until}"
    return f"{environment} goes back to {short(release)} as soon as nothing else is deployed there. {until}"


def cancelled(release: str, reason: str) -> str:
    """Tell who cancelled a release what that means."""
    return f"{short(release)} goes no further, and what is deployed stays. Push a new commit to release again. {reason}"


def no_release_carries(change: int) -> str:
    """Say why a label changes nothing."""
    return f"no release carries change #{change}"


def not_weighed(on: bool) -> str:
    """Say that the opt-out label changes nothing because nobody could look at it."""
    moved = "put on" if on else "taken off"
    return (
        f"That the opt-out label was {moved} after the merge changes nothing: GitHub did not answer for too long. "
        "Do it again to have it looked at."
    )


def other_label(label: str) -> str:
    """Say why a label changes nothing."""
    return f"{label} is not the opt-out label"


def opt_out_stands(honoured: Sequence[OptOut], refused: Sequence[OptOut]) -> str:
    """Say which changes of a release opt out now."""
    words = [f"#{one.change} opts out" for one in honoured] + [
        f"#{one.change} may not: {one.refused}" for one in refused
    ]
    return "; ".join(words) or "no change opts out: the full evaluation is owed"


def verdict_stays() -> str:
    """Say why a late label stops nothing."""
    return "no full evaluation runs that could be stopped; a verdict that is in stays"


def evaluation_cancelled(honoured: Sequence[OptOut]) -> str:
    """Say that a late label stopped the full evaluation."""
    return f"the full evaluation is stopped: {', '.join(f'#{one.change}' for one in honoured)} opted out"
