"""What GitHub is told of nights, of debts that are paid, and of evaluations outside of releases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain import schedule_news as news
from domain.commands import read_command
from domain.models import Debt, DebtState, EvaluationRequest, GateResult, Metric, OptOut, RowChange, Verdict
from domain.nightly import HEAD, Night, Payment, Seen
from domain.outbox import Comment, Issue, Message, Reply, Status
from tests import samples

SITE = "https://drawbridge.example/api"
AT = "2026-11-23T05:00:00+00:00"
NAME = f"nightly-acme.helpdesk-{samples.SHA}-nightly-2026-11-23"
BAD = Seen(
    HEAD,
    samples.SHA,
    "print",
    NAME,
    "2026-11-23",
    Verdict.FAILED,
    good="nightly-before",
    worse=("f1 >= 0.45: f1 = 0.4, expected at least 0.45 (over 30 rows)", "f1 fell by 0.2"),
    since="2026-11-21",
)
SUMMARY = samples.summary(
    "nightly",
    Verdict.FAILED,
    id=NAME,
    metrics=(Metric("f1", 30, 0.4, 0.3, 0.5),),
    gates=(GateResult("f1 >= 0.45", Verdict.FAILED, "f1 = 0.4"),),
    lowest=(RowChange("row-7", "f1", None, 0.0),),
)
DEBT = Debt(
    samples.REPOSITORY,
    samples.RELEASE,
    samples.SHA,
    (OptOut("skip-e2e-evaluation", 9, "alex", ""), OptOut("skip-e2e-evaluation", 7, "alex", "")),
    "the full evaluation",
    "2026-11-20T09:00:00Z",
    "2026-11-27T09:00:00Z",
)


def told(*targets: Seen, summaries: Any = None) -> list[Message]:
    night = Night(samples.REPOSITORY, "2026-11-23", "n", AT, AT, targets=targets)
    return list(news.night(night, {NAME: SUMMARY} if summaries is None else summaries, SITE, AT))


def only(kind: type[Message], messages: list[Message]) -> Any:
    (found,) = (message for message in messages if isinstance(message, kind))
    return found


def test_regression_is_one_open_issue_with_metrics_and_links() -> None:
    """Ids and numbers only: rows stay in the private network."""
    issue = only(Issue, told(BAD))

    assert (issue.marker, issue.open) == ("nightly:main branch", True)
    assert issue.title == "Nightly evaluation: the main branch got worse"
    for part in ("Since 2026-11-21", "f1 fell by 0.2", "| f1 | 0.400 |", f"({SITE}/evaluations/{NAME})"):
        assert part in issue.body
    assert f"[report]({SITE}/evaluations/nightly-before)" in issue.body


def test_each_target_has_an_issue_of_its_own_that_stays_the_same() -> None:
    """Whatever the night, the marker is the target's."""
    issues = [message for message in told(BAD, replace(BAD, name="prod")) if isinstance(message, Issue)]

    assert [issue.marker for issue in issues] == ["nightly:main branch", "nightly:prod"]
    assert issues[1].title == "Nightly evaluation: what runs in prod got worse"


def test_regression_that_lasts_without_a_new_evaluation_says_so() -> None:
    """Skipped, or impossible: the issue is up to date all the same."""
    skipped = only(Issue, told(replace(BAD, evaluated="2026-11-22")))
    broken = only(Issue, told(replace(BAD, evaluated="2026-11-22", error="no <b>dataset</b>")))

    assert "Evaluated on 2026-11-22, and not again on 2026-11-23: nothing that matters has changed." in skipped.body
    assert "not again on 2026-11-23: no \\<b\\>dataset\\</b\\>." in broken.body


def test_regression_that_is_gone_closes_its_issue() -> None:
    """With the evaluation that shows it, or because the target itself is gone."""
    gone = replace(BAD, worse=(), gone=True, verdict=Verdict.PASSED)

    better = only(Issue, told(gone))
    departed = only(Issue, told(replace(gone, evaluated="2026-11-20")))

    assert (better.marker, better.open, departed.open) == ("nightly:main branch", False, False)
    assert "is as good as it was" in better.body
    assert "is no longer what it was" in departed.body


def test_good_night_says_nothing_more_than_its_verdict() -> None:
    """The evaluation itself has told it."""
    assert told(replace(BAD, worse=(), verdict=Verdict.PASSED)) == []


def test_night_that_skipped_a_commit_says_so_on_it_and_not_in_green() -> None:
    """The same target, data and evaluators as another commit."""
    status = only(Status, told(replace(BAD, commit="5" * 40, worse=(), evaluated="2026-11-22")))

    assert (status.sha, status.context, status.state) == ("5" * 40, "drawbridge/evaluate-nightly", "skipped")
    assert status.description == f"target, data and evaluators are those of 2026-11-22 (failed on {samples.SHA[:7]})"


def test_drop_behind_a_passed_verdict_turns_the_status_red() -> None:
    """The verdict's own status was green."""
    status = only(Status, told(replace(BAD, verdict=Verdict.PASSED, worse=("f1 fell by 0.2",))))

    assert (status.state, status.description) == ("failed", "f1 fell by 0.2")


def test_commit_that_could_not_be_evaluated_says_why() -> None:
    """Also when nothing is known of it yet."""
    status = only(Status, told(Seen("prod", samples.SHA, error="drawbridge.yaml:3: unknown key"), summaries={}))

    assert (status.state, status.description) == ("failed", "could not run: drawbridge.yaml:3: unknown key")


@pytest.mark.parametrize(
    ("state", "detail", "words"),
    [
        (DebtState.PAID, "f1 0.610 over 30 rows", "has been made up for, and passed"),
        (
            DebtState.FAILED,
            "failed: f1 >= 0.45",
            f"[release of `{samples.SHA[:7]}`]({SITE}/releases/{samples.RELEASE})",
        ),
        (DebtState.OPEN, "GitHub was away.", "The next night tries again"),
    ],
)
def test_payment_is_told_to_every_change_that_owed_it(state: DebtState, detail: str, words: str) -> None:
    """A failed one says which release carries it; the comment is updated in place."""
    payment = Payment(DEBT.release, DEBT.commit, f"{DEBT.release}.full-2026-11-23", state, detail)

    messages: list[Any] = list(news.paid(DEBT, payment, SITE, AT))

    assert [message.change for message in messages] == [7, 9]
    assert {message.marker for message in messages} == {f"debt-{DEBT.release}"}
    assert words in messages[0].body


@pytest.mark.parametrize("state", [DebtState.PAYING, DebtState.WAIVED])
def test_payment_that_runs_or_was_waived_is_no_news(state: DebtState) -> None:
    """The release tells the waiver."""
    assert list(news.paid(DEBT, Payment(DEBT.release, DEBT.commit, "e", state, ""), SITE, AT)) == []


def test_what_may_become_too_long_leads_to_the_rest() -> None:
    """GitHub cuts nothing by itself: we do, and say where all of it stands."""
    request = EvaluationRequest(samples.REPOSITORY, samples.SHA, "full", "on-demand", "sam", "501", change=7)
    payment = Payment(DEBT.release, DEBT.commit, "the-payment", DebtState.PAID, "")
    status, reply = news.evaluated(request, "passed", SUMMARY, "", SITE, at=AT, released=False)

    assert isinstance(status, Status)
    assert isinstance(reply, Reply)
    assert reply.link == status.url
    assert {only(Comment, [one]).link for one in news.paid(DEBT, payment, SITE, AT)} == {
        f"{SITE}/evaluations/the-payment"
    }


def test_nothing_we_write_is_a_command() -> None:
    """Signed in with a person's token, our own comments come back as theirs."""
    payment = Payment(DEBT.release, DEBT.commit, "e", DebtState.FAILED, "x\n/evaluate full")
    bodies = [message.body for message in (*told(BAD), *news.paid(DEBT, payment, SITE, AT)) if hasattr(message, "body")]

    assert len(bodies) == 3
    assert [read_command(body) for body in bodies] == [None] * 3
