"""What people read on GitHub."""

from __future__ import annotations

import pytest

from domain import messages, timeline
from domain.models import Comparison, Outcome, RowChange, StageState, Verdict, Vote
from tests import samples

AT = "2026-11-23T09:00:00Z"
SITE = "https://drawbridge.contoso.com/api"


def test_comment_says_where_the_release_is_and_what_comes_next() -> None:
    """The headline, the stages and the next step stand in one comment."""
    running = timeline.begin(timeline.end(samples.record(), "prepare", StageState.PASSED, AT), "validate", AT)

    body = messages.release_comment(running, SITE, {})

    assert body.startswith("### Drawbridge: `c0ffee0` – Validate")
    assert "| ⏳ running | Validate |  |" in body
    assert "**Next:** Then: Minimal evaluation." in body
    assert body.endswith(f"[Release page]({SITE}/releases/{samples.RELEASE})")


def test_comment_has_a_link_for_each_approver() -> None:
    """They are mentioned, so that GitHub tells them."""
    body = messages.release_comment(samples.record(), SITE, {"prod": {"maria": "https://x/1", "jonas": "https://x/2"}})

    assert "**Approval for prod** – each link works only for its person, signed in:" in body
    assert "- @maria: [look at the evidence and decide](https://x/1)" in body
    assert "- @jonas: [look at the evidence and decide](https://x/2)" in body


def test_rows_that_got_worse_are_named_by_id_only() -> None:
    """Row text stays in the private network; an id from a dataset cannot carry markup."""
    worse = (RowChange("vpn-3", "f1", 0.9, 0.1), RowChange("<img src=x>`", "f1", 0.8, 0.2))
    comparison = Comparison("other", "e" * 40, None, (), worse)
    evaluated = timeline.add_evaluation(
        samples.record(), samples.summary(verdict=Verdict.FAILED, comparison=comparison)
    )

    body = messages.release_comment(evaluated, SITE, {})

    assert "Rows that got worse: `vpn-3` (f1 0.90 → 0.10), `?img?src?x??` (f1 0.80 → 0.20)" in body


def test_refused_comparison_says_why_there_are_no_deltas() -> None:
    """Nobody takes a missing delta for "no change"."""
    comparison = Comparison("other", "e" * 40, "the dataset changed")
    evaluated = timeline.add_evaluation(samples.record(), samples.summary(comparison=comparison))

    assert "Not compared with the baseline: the dataset changed" in messages.release_comment(evaluated, SITE, {})


def test_vote_and_its_comment_are_shown() -> None:
    """With the approver's words, made harmless."""
    vote = Vote("maria", "maria@x", "reject", "not **now** @all", "d", AT)

    body = messages.release_comment(samples.record(votes={"prod": (vote,)}), SITE, {})

    assert "- prod: rejected by maria – not \\*\\*now\\*\\* @\u200ball" in body


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("a\nb\r\n# c", "a b \\# c"),
        ("@everyone", "@\u200beveryone"),
        ("[click](http://evil)", "\\[click\\]\\(http:\u200b//evil\\)"),
        ("<script>", "\\<script\\>"),
        ("a|b", "a\\|b"),
        ("`code`", "\\`code\\`"),
        ("![x](y)", "\\!\\[x\\]\\(y\\)"),
        ("see https://evil.example", "see https:\u200b//evil.example"),
        ("WWW.evil.example", "W\u200bWW.evil.example"),
    ],
)
def test_text_from_outside_is_harmless_in_markdown(text: str, harmless: str) -> None:
    """No markup, no HTML, no mention, no line break, no new table cell."""
    assert messages.plain(text) == harmless


@pytest.mark.parametrize(
    ("outcome", "advice"),
    [
        (Outcome.RELEASED, "baseline for the next release"),
        (Outcome.FAILED, "Fix it in a new change"),
        (Outcome.REJECTED, "Talk to the approver"),
        (Outcome.EXPIRED, "Nobody decided in time"),
    ],
)
def test_every_end_says_what_to_do_next(outcome: Outcome, advice: str) -> None:
    """No end leaves the author alone."""
    assert advice in messages.next_step(timeline.close(samples.record(), outcome, "because", AT))


def test_waiting_for_approval_says_whose_turn_it_is() -> None:
    """While two stages could be next, the people come first."""
    waiting = timeline.begin(samples.record(), "approve-nonprod", AT)

    assert messages.next_step(waiting).startswith("The approvers of nonprod decide.")


def test_failed_evaluation_names_the_gates_that_failed() -> None:
    """With what was seen, so that nobody has to open the report to understand."""
    failed = samples.summary(verdict=Verdict.FAILED)

    assert messages.stopped_by_evaluation(failed) == ("The minimal evaluation failed: f1 >= 0.45 (0.61 over 30 rows).")
    assert messages.verdict_detail(failed) == "f1 >= 0.45 – 0 of 30 rows errored"
    assert messages.verdict_detail(samples.summary()) == "f1 0.610 over 30 rows"
