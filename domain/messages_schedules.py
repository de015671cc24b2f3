"""The words of evaluations on demand, continuous and nightly ones, and of the debts a night pays."""

from __future__ import annotations

import re
from collections.abc import Mapping

from domain import messages
from domain.models import Debt, DebtState, EvaluationRequest, EvaluationSummary, Verdict
from domain.nightly import HEAD, Night, Payment, Seen
from domain.schedules import CANCELLED, ERROR, RUNNING

AWAY = "GitHub did not answer for too long."
NIGHTLY_OFF = "Nothing is evaluated at night: drawbridge.yaml does not ask for it (schedule: nightly)."
WAS_CANCELLED = "it was cancelled while it ran."
NOT_CONTINUOUS = "A push starts no evaluation here: drawbridge.yaml says schedule: on-demand."
_FORMS = "`/evaluate minimal` or `/evaluate full`, alone on a line"


def unknown_kind(kind: str) -> str:
    """Say which evaluations there are."""
    return f"there is no evaluation {kind!r}: ask for minimal or full"


def no_write_access(by: str) -> str:
    """Say who may start evaluations."""
    return (
        f"{_person(by)}, an evaluation is started by people who can write to this repository, and GitHub says that you "
        "cannot. Ask one of them to write the comment."
    )


def how_to_ask(by: str) -> str:
    """Say how an evaluation is asked for."""
    return f"{_person(by)}, that is no evaluation I know. Write {_FORMS}."


def nothing_to_rerun(by: str, sha: str) -> str:
    """Say that no check of a commit can be run again by itself."""
    return (
        f"{_person(by)}, no check of `{sha[:7]}` can be run again by itself: push a new commit, or comment on its "
        f"change {_FORMS}."
    )


def no_fork(by: str) -> str:
    """Say why a fork's code is not evaluated."""
    return (
        f"{_person(by)}, this change comes from a fork, whose code must not run beside the model's key. Push the "
        "commits to a branch of this repository to have them evaluated."
    )


def cannot_answer(by: str, why: str) -> str:
    """Say that nobody could be asked about a request."""
    return f"{_person(by)}, the evaluation could not be started: {messages.plain(why)} Ask again later."


def started(request: EvaluationRequest, url: str) -> str:
    """Say that an evaluation runs, and where to follow it."""
    return (
        f"{_person(request.asked_by)}, the {request.kind} evaluation of `{request.sha[:7]}` [runs now]({url}). "
        "The result comes here."
    )


def finished(request: EvaluationRequest, summary: EvaluationSummary, site: str) -> str:
    """Say what an evaluation came to, for a change."""
    return f"`{request.sha[:7]}` has been evaluated.\n\n{messages.evaluation_section(summary, site)}"


def ended_without(request: EvaluationRequest, state: str, reason: str) -> str:
    """Say that an evaluation has no verdict, for a change."""
    what = "was cancelled" if state == CANCELLED else "could not run"
    return f"The {request.kind} evaluation of `{request.sha[:7]}` {what}: {messages.plain(reason)}"


def status_detail(state: str, summary: EvaluationSummary | None, reason: str) -> str:
    """Say in one line how an evaluation stands."""
    if summary:
        return messages.verdict_detail(summary)
    return {RUNNING: "rows are being evaluated", ERROR: f"could not run: {reason}"}.get(state, reason)


def same_as_before(seen: Seen, on: str) -> str:
    """Say why a commit was not evaluated."""
    verdict = seen.verdict.value if seen.verdict else "evaluated"
    return f"target, data and evaluators are those of {seen.evaluated} ({verdict} on {on})"


def regression_title(name: str) -> str:
    """Title the issue of a target that got worse."""
    return f"Nightly evaluation: {_target(name)} got worse"


def regression(seen: Seen, night: Night, summary: EvaluationSummary | None, site: str) -> str:
    """Describe a regression while it lasts: ids and numbers only."""
    parts = [
        f"Since {seen.since}, now at `{seen.commit[:7]}` ({_target(seen.name)}):",
        "\n".join(f"- {messages.plain(reason)}" for reason in seen.worse),
        _when(seen, night),
        messages.evaluation_section(summary, site) if summary else "",
        f"The last good night: [report]({site}/evaluations/{seen.good})." if seen.good else "",
        "This issue is kept up to date every night, and closed when the regression is gone.",
    ]
    return "\n\n".join(part for part in parts if part)


def _when(seen: Seen, night: Night) -> str:
    if seen.evaluated == night.date and not seen.error:
        return f"Evaluated on {night.date}."
    why = messages.plain(seen.error) if seen.error else "nothing that matters has changed"
    return f"Evaluated on {seen.evaluated}, and not again on {night.date}: {why}."


def regression_gone(seen: Seen, night: Night, site: str) -> str:
    """Say that a regression is over."""
    if seen.error or seen.evaluated != night.date:
        return f"Gone on {night.date}: {_target(seen.name)} is no longer what it was, at `{seen.commit[:7]}`."
    return (
        f"Gone on {night.date}: {_target(seen.name)} at `{seen.commit[:7]}` is as good as it was "
        f"([report]({site}/evaluations/{seen.evaluation}))."
    )


def payment(debt: Debt, paid: Payment, site: str) -> str:
    """Say on a change what became of the evaluation that it skipped."""
    report = f"[report]({site}/evaluations/{paid.evaluation})"
    release = f"[release of `{debt.commit[:7]}`]({site}/releases/{debt.release})"
    if paid.state is DebtState.PAID:
        return f"The full evaluation that was skipped here has been made up for, and passed ({report}). {release}"
    if paid.state is DebtState.OPEN:
        return (
            f"The full evaluation that was skipped here could not run: {messages.plain(paid.detail)} The next night "
            f"tries again; until then production waits. {release}"
        )
    return (
        f"**The full evaluation that was skipped here did not pass**: {messages.plain(paid.detail)} ({report}). "
        f"The {release} carries it and goes no further, unless the people named in drawbridge.yaml override it."
    )


def payment_detail(summary: EvaluationSummary) -> str:
    """Say in one line why a debt is paid or not."""
    if summary.verdict is Verdict.PASSED:
        return messages.verdict_detail(summary)
    return f"{summary.verdict.value}: {messages.verdict_detail(summary)}"


def why_none(result: Mapping[str, object]) -> str:
    """Say why an evaluation has no verdict."""
    return WAS_CANCELLED if result.get("cancelled") else str(result["error"])


def _target(name: str) -> str:
    return f"the {HEAD}" if name == HEAD else f"what runs in {name}"


def _person(login: str) -> str:
    # GitHub's own rule for logins; anything else could be Markdown.
    return f"@{login}" if re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,99})", login) else messages.plain(login)
