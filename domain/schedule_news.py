"""What GitHub is told about evaluations that are no part of a release, about nights, and about debts that are paid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from domain import messages_schedules as words
from domain.git_flow import Ask, ask_key, evaluation_id
from domain.messages import STATUS_PREFIX
from domain.models import Debt, DebtState, EvaluationRequest, EvaluationSummary
from domain.nightly import Night, Payment, Seen
from domain.outbox import Comment, Issue, Message, Reply, Status
from domain.schedules import ERROR, NIGHTLY, RUNNING

ISSUE_LABEL = "evaluation-regression"


def answered(ask: Ask, request: EvaluationRequest | None, text: str, at: str) -> Message:
    """Answer whoever asked for an evaluation: on the change, or without one on the commit."""
    marker = f"asked-{ask_key(ask) if ask.rerun else ask.check or ask.comment}"
    if ask.number is None:
        return Comment(ask.repository, None, request.sha if request else ask.sha, marker, text, at=at, urgent=True)
    return Reply(ask.repository, ask.number, marker, text, at=at, urgent=True)


def evaluated(
    request: EvaluationRequest,
    state: str,
    summary: EvaluationSummary | None,
    reason: str,
    site: str,
    *,
    at: str,
    released: bool,
) -> Iterator[Message]:
    """Say on the commit how an evaluation stands, and on the change, if it was asked for there, how it ended.

    `released` says that a release of this commit has evaluations of its own: what it said is never written over, since
    a skipped evaluation must not turn green behind its back.
    """
    name = evaluation_id(request)
    url = f"{site}/evaluations/{name}"
    own = f"-{request.source}" if released and request.source != NIGHTLY else ""
    yield Status(
        request.repository,
        request.sha,
        f"{STATUS_PREFIX}/evaluate-{request.kind}{own}",
        "failed" if state == ERROR else state,
        words.status_detail(state, summary, reason),
        url,
        summary=words.finished(request, summary, site) if summary else "",
        external_id=name,
        at=at,
    )
    if request.change is not None and state != RUNNING:
        text = words.finished(request, summary, site) if summary else words.ended_without(request, state, reason)
        yield Reply(request.repository, request.change, name, text, url, at=at)


def paid(debt: Debt, payment: Payment, site: str, at: str) -> Iterator[Message]:
    """Say on each change that skipped its full evaluation what became of it; that it runs is no news."""
    if payment.state not in {DebtState.PAID, DebtState.FAILED, DebtState.OPEN}:
        return
    body, link = words.payment(debt, payment, site), f"{site}/evaluations/{payment.evaluation}"
    for change in sorted({opt_out.change for opt_out in debt.opt_outs}):
        yield Comment(debt.repository, change, debt.commit, f"debt-{debt.release}", body, link, at=at)


def night(ended: Night, summaries: Mapping[str, EvaluationSummary], site: str, at: str) -> Iterator[Message]:
    """Say on each commit that was not evaluated why, and keep an issue open for each target that is worse than it was.

    What was evaluated tonight has told its verdict itself; that it is worse than the last good night is said here.
    """
    for seen in ended.targets:
        summary = summaries.get(seen.evaluation)
        yield from _status(seen, ended, summary, site, at)
        if seen.worse or seen.gone:
            yield _issue(seen, ended, summary, site, at)


def _status(seen: Seen, ended: Night, summary: EvaluationSummary | None, site: str, at: str) -> Iterator[Message]:
    url = f"{site}/evaluations/{seen.evaluation}" if seen.evaluation else f"{site}/releases"
    if seen.error:
        state, detail = "failed", words.status_detail(ERROR, None, seen.error)
    elif summary and summary.commit != seen.commit:
        state, detail = "skipped", words.same_as_before(seen, summary.commit[:7])
    elif seen.worse and seen.evaluated == ended.date:
        state, detail = "failed", seen.worse[0]
    else:
        return
    yield Status(ended.repository, seen.commit, f"{STATUS_PREFIX}/evaluate-{NIGHTLY}", state, detail, url, at=at)


def _issue(seen: Seen, ended: Night, summary: EvaluationSummary | None, site: str, at: str) -> Message:
    body = words.regression(seen, ended, summary, site) if seen.worse else words.regression_gone(seen, ended, site)
    return Issue(
        ended.repository,
        f"nightly:{seen.name}",
        words.regression_title(seen.name),
        body,
        open=bool(seen.worse),
        labels=(ISSUE_LABEL,),
        link=f"{site}/evaluations/{seen.evaluation}",
        at=at,
    )
