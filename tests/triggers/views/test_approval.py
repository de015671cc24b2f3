"""The approval page shows the evidence, and the form only to those who may vote now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.models import DebtState
from scripts import preview_data as data
from triggers.views import Viewer, approval_page


def shown(page, viewer="maria", votes=(), minutes=3000, **options):
    view = approval_page(
        options.pop("evidence", data.evidence()),
        options.pop("request", data.approval_request(minutes)),
        votes,
        data.NOW,
        viewer=Viewer(viewer, f"{viewer}@contoso.example", viewer.lower() == "alex"),
        action="/api/approvals/token",
        csrf="seal",
        **options,
    )
    return page("approval.html", view)


def test_an_approver_gets_the_form(page):
    """Comment, two different buttons, and what binds the vote."""
    form = shown(page).one("form")
    hidden = {field.attributes["name"]: field.attributes["value"] for field in form.css("input[type=hidden]")}
    buttons = form.css("button[type=submit][name=decision]")

    assert (form.attributes["method"], form.attributes["action"]) == ("post", "/api/approvals/token")
    assert hidden == {"csrf": "seal", "digest": data.DIGEST}
    assert [button.attributes["value"] for button in buttons] == ["approve", "reject"]
    assert [button.text(strip=True) for button in buttons] == ["Approve for prod", "Reject and end the release"]
    assert form.css_first("textarea[name=comment]").attributes["maxlength"] == "2000"


def test_the_page_says_exactly_what_will_be_deployed(page):
    """Image digest in full, commit, author, changes."""
    text = shown(page).text("section[aria-labelledby=what]")

    for words in (data.IMAGE.digest, "4f2a91c0", "@alex", "#41 Answer in one sentence"):
        assert words in text


def test_the_evidence_digest_is_short_with_the_full_one_beside_it(page):
    """People compare twelve characters; the page keeps all."""
    assert shown(page).one(f'code[title="{data.DIGEST}"]').text() == data.DIGEST[:12]


def test_the_page_shows_where_it_runs_and_how_it_was_evaluated(page):
    """Deployments, gates and both evaluations, the full one first."""
    approval = shown(page)

    assert "nonprod" in approval.text("section[aria-labelledby=where]")
    assert [title.text() for title in approval.all("h3[id^=evaluation-]")] == ["Full evaluation", "Minimal evaluation"]
    assert approval.all("section[aria-labelledby=evaluation-full] .chip.passed")


def test_worst_rows_show_text_of_their_own_evaluation(page):
    """Row ids repeat between datasets, so rows come by evaluation."""
    full, rows, before = data.evaluations(0.04)
    known = {full.id: rows, full.comparison.baseline: before}
    worst = shown(page, rows=known).text("section[aria-labelledby=evaluation-full] details")
    other = shown(page, rows=known).text("section[aria-labelledby=evaluation-minimal] details")

    assert "Answer before" in worst
    assert "Answer now" in worst
    assert "Answer now" not in other


def test_the_rules_are_told(page):
    """Who, how many, and that authors do not count."""
    text = shown(page, votes=[data.vote("jonas")]).text()

    assert "1 of 2 approvals" in text
    assert "May approve: @maria, @jonas (of contoso/release-managers), @priya (of contoso/release-managers)." in text
    assert "2 approvals needed, one vote per person" in text
    assert "May not approve, as authors: @alex." in text
    assert "expires 24 Nov 2026, 17:33 UTC (in 2 days)" in text


def test_own_approval_is_said_to_be_allowed_where_it_is(page):
    """The rule follows the configuration."""
    lenient = replace(data.evidence(), prevent_self_approval=False)

    assert "Authors may approve their own release." in shown(page, evidence=lenient).text()


def test_a_merger_who_is_barred_is_named_as_such(page):
    """The rule follows the configuration."""
    strict = replace(data.evidence(), exclude_merger=True)

    assert "May not approve, as authors and who merged it: @alex." in shown(page, evidence=strict).text()


def test_evaluation_debt_stands_before_everything_else(page):
    """Who, why, what was not evaluated, until when; and the refused opt-outs beside it."""
    refused = data.opt_out(41, "alex", refused="the change touches flows/chat (flows/**)")
    known = data.record(refused_opt_outs=(refused,))
    approval = shown(page, evidence=data.evidence(opted=True), record=known)
    text = approval.text(".debt")

    for words in (
        "@sam put skip-e2e-evaluation on #42",
        "Only the opening hours on the contact page change.",
        "the full evaluation on data/full.jsonl",
        "28 Nov 2026, 15:33 UTC (in 6 days)",
    ):
        assert words in text
    assert "Refused: the change touches flows/chat (flows/**)" in approval.text("section[aria-labelledby=refused]")


OWING = data.approval_request(debt_open=True)


def test_open_debt_asks_for_an_explicit_waiver(page):
    """A tick of its own, not ticked beforehand; without open debt there is none."""
    approval = shown(page, evidence=data.evidence(opted=True), request=OWING)
    tick = approval.one("form input[type=checkbox][name=waives]")

    assert tick.attributes["value"] == "yes"
    assert "checked" not in tick.attributes
    assert not shown(page).all("form input[type=checkbox]")


@pytest.mark.parametrize(
    ("debt", "words"),
    [
        (data.debt(due=-30), "cannot be waived any more"),
        (data.debt(DebtState.FAILED), "failed, so there is nothing left to waive"),
        (data.debt(DebtState.PAID), "you are asked again on the new evidence"),
    ],
)
def test_debt_that_nobody_can_waive_leaves_only_the_rejection(page, debt, words):
    """The page says why."""
    approval = shown(page, evidence=data.evidence(opted=True), request=OWING, debt=debt)

    assert [button.attributes["value"] for button in approval.all("form button")] == ["reject"]
    assert words in approval.text("form")
    assert not approval.all("form input[type=checkbox]")


def test_approval_that_waives_says_so(page):
    """Approvals that say nothing about the debt are not counted."""
    votes = [data.vote("jonas", waives=True), data.vote("priya")]
    approval = shown(page, evidence=data.evidence(opted=True), request=OWING, votes=votes)

    assert "1 of 2 approvals" in approval.text("header .meta")
    assert approval.text("section[aria-labelledby=votes]").count("waives the evaluation debt") == 1


def test_opt_out_whose_debt_is_unknown_is_told_all_the_same(page):
    """Evidence from before debts were kept."""
    text = shown(page, evidence=replace(data.evidence(opted=True), debt=None)).text(".call.warn")

    assert "skipped by @sam" in text
    assert "There is no full evaluation behind this release." in text


def test_override_asks_for_a_reason(page):
    """Other words on the buttons, a reason that the browser insists on."""
    approval = shown(page, request=data.override_request(), evidence=data.stopped_evidence())

    assert approval.text("h1") == "Override the failed full evaluation of 4f2a91c0?"
    assert "required" in approval.one("textarea").attributes
    assert [button.text(strip=True) for button in approval.all("form button")] == [
        "Override, and let the release go on",
        "Do not override, and end the release",
    ]
    assert "May override: @maria, @jonas." in approval.text()


def test_release_that_ended_shows_where_it_went(page):
    """Superseded: by which; no form."""
    approval = shown(page, record=data.superseded())

    assert "ended as superseded: A newer commit reached prod first" in approval.text(".call[role=status]")
    assert data.superseded().superseded_by in str(approval.one(".call[role=status] a").attributes["href"])
    assert not approval.all("form")


def test_member_of_a_group_is_spoken_to_by_name(page):
    """Their votes are shown under their own names, with the group."""
    vote = replace(data.vote("x"), approver=data.GROUP, principal="joe@contoso.example")
    approval = shown(page, data.GROUP, [vote], request=data.group_request())

    assert f"{data.GROUP}@contoso.example, you may decide" in approval.text(".call[role=status]")
    assert "the Entra group 8d2f6c1e" in approval.text()
    assert "joe@contoso.example (in the Entra group 8d2f6c1e" in approval.text("section[aria-labelledby=votes]")
    assert "asked for the 2nd time, on new evidence" in approval.text()


YES, NO = data.vote("jonas"), data.vote("priya", "reject")


@pytest.mark.parametrize(
    ("viewer", "votes", "minutes", "words"),
    [
        ("jonas", [YES], 3000, "@jonas, your vote is recorded. 1 more approval is needed."),
        ("maria", [YES, data.vote("priya")], 3000, "Approved for prod."),
        ("maria", [YES, NO], 3000, "Rejected by @priya."),
        ("maria", [YES, NO], -5, "Rejected by @priya."),
        ("maria", [YES], -90, "This request expired 1 h 30 min ago."),
        ("alex", [], 3000, "does not allow approving one's own work"),
        ("Alex", [], 3000, "does not allow approving one's own work"),
        ("", [], 3000, "not as one of the approvers of prod"),
    ],
)
def test_without_a_right_to_vote_there_is_no_form(page, viewer, votes, minutes, words):
    """Every other state says why, and shows the evidence all the same."""
    approval = shown(page, viewer, votes, minutes)

    assert words in approval.text(".call[role=status]")
    assert not approval.all("form")
    assert approval.all("section[aria-labelledby=what]")


def test_votes_on_other_evidence_do_not_count(page):
    """What somebody approved was something else."""
    stale = replace(data.vote("maria"), digest="another")
    approval = shown(page, votes=[stale])

    assert "0 of 2 approvals" in approval.text()
    assert approval.all("form")
