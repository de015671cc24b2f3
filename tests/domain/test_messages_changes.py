"""The words on a change: what a person is to do stands in each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain import messages_changes as messages
from domain.change_news import news, parting
from domain.changes import CONFIG, VALIDATE, ChangeRecord, ChangeState, Check, CheckState, Mergeable, end, with_step
from domain.config import Branches
from domain.models import Debt, GateResult, OptOut, StageState, Verdict
from domain.outbox import Comment, Label, Status
from tests import samples
from tests.domain.test_changes import facts, record

RULE = Branches().feature
AT = "2026-11-23T09:00:00.000000+00:00"
SITE = "https://drawbridge.example/api"


def test_wrong_branch_is_shown_as_it_should_be() -> None:
    """With the commands to get there."""
    said = messages.wrong_branch(facts(branch="Fix Login 42"), RULE)

    assert "The branch `Fix Login 42` is not named developer-name/issue-id-feature-name." in said
    assert "`git branch -m alex/42-fix-login`" in said
    assert "stands for" not in said


def test_placeholder_issue_is_called_that() -> None:
    """Nobody should push a branch for issue 123 that is none."""
    assert "(123 stands for its issue's number)" in messages.wrong_branch(facts(branch="login"), RULE)


def test_a_pattern_of_the_teams_own_is_shown_as_it_is() -> None:
    """An example that breaks it as well would help nobody."""
    assert "does not match `JIRA-[0-9]+`" in messages.wrong_branch(facts(branch="login"), "JIRA-[0-9]+")


def test_backticks_in_a_branch_name_do_not_end_the_code() -> None:
    """Branch names may hold nearly everything."""
    assert "`a b @maria`" in messages.wrong_branch(facts(branch="a`b @maria"), RULE)


def test_comment_of_a_failure_says_what_why_and_who() -> None:
    """And where the log is."""
    failed = with_step(record(state=ChangeState.FAILED), VALIDATE, StageState.FAILED, "`pytest -q` failed")
    failed = replace(failed, reason="Validate failed", needed=messages.author_needed(facts()))

    body = messages.comment(failed, f"{SITE}/changes/change-a")

    assert body.startswith("### Drawbridge: `aaaaaaa` – a person is needed")
    assert "| ❌ failed | Validate | \\`pytest \\-q\\` failed |" in body
    assert "**Needed:** @alex mends it" in body
    assert f"[Log and details]({SITE}/changes/change-a)" in body


def test_config_problems_are_shown_whole_in_a_fence_they_cannot_leave() -> None:
    """A config may hold three backticks."""
    said = messages.broken_config('drawbridge.yaml:3: target: is "```"; expected a path')

    assert said.endswith('````\ndrawbridge.yaml:3: target: is "```"; expected a path\n````')


def test_missing_check_is_named_with_what_to_look_for() -> None:
    """A check that never comes is mostly a name that is wrong."""
    checks = [
        Check("ci / test", CheckState.MISSING),
        Check("lint", CheckState.FAILED, "timed_out", "https://ci/1"),
        Check("docs", CheckState.PASSED),
    ]

    said = messages.checks_failed(checks, 2)

    assert (
        "ci / test never came within 2 h. Does the repository have a check run, workflow or status of exactly" in said
    )
    assert "[lint](https://ci/1): timed\\_out" in said
    assert "docs" not in said
    assert said.endswith("once it is green this starts again by itself, within some minutes.")
    assert "by itself" not in messages.checks_failed(checks, 2, group=True)
    assert messages.checks_in_short(checks) == "ci / test never came, lint timed_out"


def test_link_of_a_check_that_is_no_link_is_left_out() -> None:
    """Whoever sets a status chooses its address."""
    assert "javascript" not in messages.checks_failed(
        [Check("x", CheckState.FAILED, "failure", "javascript:alert(1)")], 1
    )


@pytest.mark.parametrize(
    ("fields", "missing", "needed"),
    [
        ({"reviewers": ("maria", "acme/leads")}, "a review by maria, acme/leads", "@maria, @acme/leads review it"),
        ({"objections": ("jonas",)}, "the consent of jonas, who asked for changes", "@jonas review it"),
        ({"merge_state": "behind"}, "the newest commits of develop", "somebody with write access"),
        ({}, "something that the branch protection asks for", "somebody with write access"),
    ],
)
def test_what_blocks_a_merge_is_named_with_who_is_needed(fields: dict[str, Any], missing: str, needed: str) -> None:
    """As far as GitHub tells."""
    blocked = facts(**{"merge_state": "blocked", **fields})

    assert missing in messages.hindered(Mergeable.BLOCKED, blocked)
    assert needed in messages.needed_to_merge(Mergeable.BLOCKED, blocked)


def test_conflict_is_the_authors_to_solve() -> None:
    """With what to merge into what."""
    assert messages.hindered(Mergeable.CONFLICT, facts()) == "it conflicts with develop"
    assert (
        messages.needed_to_merge(Mergeable.CONFLICT, facts())
        == "@alex merges `develop` into `alex/42-answer`, solves the conflict, and pushes."
    )


def test_forecast_says_what_will_run_why_and_how_long() -> None:
    """Before anybody merges."""
    lately = {"minimal": 28 * 60.0, "full": 5 * 3600 + 40 * 60.0}

    minimal, full = messages.forecast(samples.CONFIG, None, lately, [])

    assert minimal == "the minimal evaluation on `data/minimal.jsonl` (lately 28 min), before dev is deployed"
    assert full == "the full evaluation on `data/full.jsonl` (lately 5 h 40 min): nobody has opted out"


def test_forecast_of_an_accepted_opt_out_says_what_it_will_leave() -> None:
    """A debt, and that production waits for it."""
    opt_out = OptOut("skip", 7, "alex", AT, reason="only docs @everyone")

    _, full = messages.forecast(samples.CONFIG, opt_out, {}, [])

    assert full.startswith("not the full evaluation on `data/full.jsonl` (not run here yet): @alex opted out, because")
    assert "@everyone" not in full
    assert "leaves a debt: the nightly run pays it, within 7 days, and production waits" in full


def test_forecast_names_open_debts() -> None:
    """They are paid first."""
    debt = Debt(samples.REPOSITORY, "r", "c0ffee" + "0" * 34, (), "full", AT, "2026-12-01T00:00:00Z")

    *_, last = messages.forecast(samples.CONFIG, None, {}, [debt])

    assert last.startswith("evaluation debt of 1 earlier release is open, the oldest of `c0ffee0`, due at 2026-12-01")


def by_kind(record_: ChangeRecord) -> tuple[list[Status], list[Label], list[Comment]]:
    """Return what GitHub is told, by kind."""
    said = news(record_, SITE, AT)
    return tuple([one for one in said if isinstance(one, kind)] for kind in (Status, Label, Comment))  # type: ignore[return-value]


def test_status_leads_to_the_page_of_the_validation() -> None:
    """And its external id names the attempt that a re-run counts from."""
    (status,), labels, (comment,) = by_kind(record(instance="change-a.2"))

    assert (status.context, status.state, status.sha) == ("drawbridge/change", "running", "a" * 40)
    assert (status.url, status.external_id) == (f"{SITE}/changes/change-a.2", "change-a.2")
    assert (comment.marker, comment.change) == ("change", 7)
    assert labels == []


@pytest.mark.parametrize(
    ("state", "needed", "on"),
    [(ChangeState.FAILED, "", True), (ChangeState.PASSED, "", False), (ChangeState.PASSED, "@maria reviews it", True)],
)
def test_label_asks_for_a_person_when_one_is_needed(state: ChangeState, needed: str, on: bool) -> None:
    """It is taken off when nobody is."""
    _, (label,), _ = by_kind(record(state=state, needed=needed, person="needs-a-person"))

    assert (label.label, label.on) == ("needs-a-person", on)


def test_refused_opt_out_has_a_red_status_of_its_own_until_the_label_is_gone() -> None:
    """The refusal stands on the change in words."""
    refused = OptOut("skip", 7, "alex", AT, refused="it changes flows/chat/x.py")
    (_, red), _, (comment,) = by_kind(record(preview=refused, previewed=True))
    (_, green), _, _ = by_kind(record(preview=None, previewed=True))

    assert (red.context, red.state) == ("drawbridge/opt-out", "failed")
    assert red.description == "refused: it changes flows/chat/x.py"
    assert "**The opt-out is refused:** it changes flows/chat/x.py. The check stays red until the label" in comment.body
    assert (green.context, green.state) == ("drawbridge/opt-out", "passed")


def test_lines_of_a_broken_config_are_annotated() -> None:
    """On GitHub they stand beside the change's own lines."""
    broken = with_step(record(state=ChangeState.FAILED), CONFIG, StageState.FAILED, "x")
    problems = "drawbridge.yaml:3: target: is missing\ndrawbridge.yaml:9: gates: is empty"

    (status,), _, _ = by_kind(replace(broken, problems=problems))

    assert [(one.path, one.line, one.text) for one in status.annotations] == [
        ("drawbridge.yaml", 3, "target: is missing"),
        ("drawbridge.yaml", 9, "gates: is empty"),
    ]


def test_head_that_was_pushed_over_keeps_only_its_status() -> None:
    """The comment is the newer head's."""
    (status,) = parting(record(state=ChangeState.SUPERSEDED, reason=messages.superseded("b" * 40)), SITE, AT)

    assert isinstance(status, Status)
    assert (status.state, status.description) == ("superseded", "superseded by bbbbbbb, which is validated instead")


def test_ended_change_says_why_and_needs_nobody() -> None:
    """A label that asks for a person would ask for nothing."""
    (status,), (label,), (comment,) = by_kind(end(record(person="needs-a-person"), "turned into a draft"))

    assert status.description == "the change was turned into a draft: what ran for it was ended"
    assert "The change was turned into a draft: what ran for it was ended." in comment.body
    assert not label.on


def test_merged_change_leaves_its_comment_to_its_release() -> None:
    """There is one comment: a validation that hears late of the merge must not take the approvers' links from it."""
    merged, closed = (end(record(), why) for why in ("merged", "closed"))

    assert not [one for one in news(merged, SITE, AT) if isinstance(one, Comment)]
    assert [one.marker for one in news(closed, SITE, AT) if isinstance(one, Comment)] == ["change"]


def test_nobody_is_asked_for_once_the_change_is_closed() -> None:
    """Also when its merge had been waiting for a review."""
    waiting = record(state=ChangeState.PASSED, needed="@maria reviews it", person="needs-a-person")

    (_, (label,), _) = by_kind(end(waiting, "closed"))

    assert not label.on


def test_nothing_is_told_of_a_change_that_nobody_validates() -> None:
    """A label may move before the first validation: its status would have no commit."""
    assert news(ChangeRecord(samples.REPOSITORY, 7, previewed=True), SITE, AT) == ()


def test_end_to_end_run_is_told_in_counts_and_ids() -> None:
    """Also when only the aggregation broke, which no row shows."""
    broken = (GateResult("every job ends well", Verdict.FAILED, "1 of 2 failed"),)

    assert messages.syntax_detail(samples.summary("syntax", rows=3)) == "3 sample rows answered and scored"
    assert (
        messages.syntax_detail(samples.summary("syntax", rows=3, errored=2, failed_rows=("a", "b")))
        == "2 of 3 sample rows failed: a, b"
    )
    assert messages.syntax_detail(samples.summary("syntax", gates=broken)) == "every job ends well: 1 of 2 failed"
