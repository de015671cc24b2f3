"""Approval links: looking changes nothing; only the right person, signed in, on our page, decides, and once."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters import commits, records
from domain import approvals, blob_names
from domain.branch_line import Place
from domain.models import ApprovalRequest, Debt, DebtState, OptOut, Outcome, Verdict
from domain.wire import digest_of
from tests import samples
from tests.triggers.conftest import LINK_SECRET
from tests.triggers.edge import ORIGIN, Edge, in_groups, lines, record, store_rows
from triggers import approval_links, voting


def refused(caplog: Any) -> dict[str, Any]:
    """Return the only refusal there is in the log."""
    (line,) = [line for event in ("vote", "approval-page") for line in lines(caplog, event) if "reason" in line]
    return line


def test_looking_a_hundred_times_changes_nothing(edge: Edge) -> None:
    """Mail scanners and previews open links, signed in or not; the link still works afterwards."""
    token = edge.link(edge.open(), "maria")
    before = edge.everything()

    async def looks() -> list[Any]:
        ways = [("GET", "maria"), ("HEAD", "maria"), ("GET", None), ("HEAD", None)]
        prefetch = {"purpose": "prefetch", "sec_purpose": "prefetch;prerender"}
        return await asyncio.gather(*(edge.looking(token, who, way, **prefetch) for way, who in ways * 25))

    answers = asyncio.run(looks())

    assert edge.everything() == before
    assert edge.client.rung == []
    assert {answer.status for answer in answers} == {200, 401}
    assert edge.send(token, "maria", edge.form(token, "maria")).status == 200


def test_only_post_decides() -> None:
    """The route of the page takes no other method, so that no GET can ever reach the vote."""
    methods = {
        name: [str(getattr(method, "value", method)) for method in function.build().get_trigger().methods]
        for name, function in vars(approval_links).items()
        if name in {"approval_form", "approval_vote"}
    }

    assert methods == {"approval_form": ["GET"], "approval_vote": ["POST"]}


def test_page_shows_the_evidence_the_vote_is_bound_to(edge: Edge) -> None:
    """Commit, author, image, metric, gate and the row that scored lowest, with its text."""
    asked = edge.open()
    store_rows(edge.blobs, f"{samples.RELEASE}.minimal", ["r1", "r2"])

    answer = edge.look(edge.link(asked, "maria"), "maria")

    assert answer.status == 200
    for part in (samples.SHA[:8], "@alex", samples.IMAGE.digest, "0.610", "f1 >= 0.45", "q r1", asked.digest[:12]):
        assert part in answer.text(), part
    assert answer.fields()["digest"] == asked.digest
    assert answer.headers["Cache-Control"] == "no-store"


def test_vote_is_recorded_once_and_rings(edge: Edge) -> None:
    """What the person wrote is kept with who they are, and the waiting orchestration hears of it."""
    asked = edge.open()
    token = edge.link(asked, "maria")

    answer = edge.send(token, "maria", edge.form(token, "maria", comment="looks right"))

    assert (answer.status, answer.title) == (200, "Recorded")
    (vote,) = records.read_votes(edge.blobs, asked)
    assert (vote.approver, vote.principal, vote.decision) == ("maria", "maria@acme.example", "approve")
    assert (vote.comment, vote.digest) == ("looks right", asked.digest)
    assert edge.client.rung == [(asked.instance, "approval:prod:0")]


def test_twenty_forms_of_one_person_at_once_are_one_vote(edge: Edge) -> None:
    """Everybody gets a true answer: recorded for what counts, and for the rest which vote was first."""
    asked = edge.open()
    token = edge.link(asked, "maria")
    forms = [edge.form(token, "maria", decision) for decision in ("approve", "reject")]

    async def sends() -> list[Any]:
        return await asyncio.gather(*(edge.sending(token, "maria", forms[number % 2]) for number in range(20)))

    answers = asyncio.run(sends())

    ((decision, _),) = edge.votes(asked).values()
    kept = {"approve": 0, "reject": 1}[decision]
    assert {answer.status for answer in answers[kept::2]} == {200}
    assert {answer.status for answer in answers[1 - kept :: 2]} == {409}
    then = {
        "approve": "to stop the release after all, ask another approver to reject it, or cancel it on its page.",
        "reject": "to release this code after all, merge a new change: its release asks the approvers again.",
    }[decision]
    words = f": {decision}. The first vote counts; {then}"
    assert all(words in answer.text() for answer in answers[1 - kept :: 2])


def test_different_people_at_once_are_all_counted(edge: Edge) -> None:
    """One vote each, one ring each."""
    asked = edge.open()
    tokens = {name: edge.link(asked, name) for name in asked.approvers}
    forms = {name: edge.form(token, name, comment=name) for name, token in tokens.items()}

    async def sends() -> list[Any]:
        return await asyncio.gather(*(edge.sending(tokens[name], name, forms[name]) for name in tokens))

    answers = asyncio.run(sends())

    assert [answer.status for answer in answers] == [200, 200, 200]
    assert edge.votes(asked) == {name: ("approve", name) for name in asked.approvers}
    assert sorted(event for _, event in edge.client.rung) == [f"approval:prod:{number}" for number in range(3)]


def test_link_cannot_be_used_to_vote_otherwise_later(edge: Edge, caplog: Any) -> None:
    """The first vote stays; the page offers no form any more."""
    asked = edge.open()
    token = edge.link(asked, "maria")
    form = edge.form(token, "maria")
    edge.send(token, "maria", form)

    again = edge.send(token, "maria", {**form, "decision": "reject"})

    assert again.status == 409
    assert "You have voted already" in again.text()
    assert edge.votes(asked) == {"maria": ("approve", "")}
    assert edge.look(token, "maria").fields() == {}
    assert "your vote is recorded" in edge.look(token, "maria").text()
    assert refused(caplog)["principal"] == "maria@acme.example"


def test_same_form_again_after_the_decision_says_that_it_is_recorded(edge: Edge) -> None:
    """Who presses twice on the deciding vote is not told that it was refused, and nobody is rung out of bed."""
    asked = edge.open(approvals=1)
    token = edge.link(asked, "maria")
    form = edge.form(token, "maria")
    edge.send(token, "maria", form)
    edge.decide(asked, "approved")

    again = edge.send(token, "maria", form)

    assert (again.status, again.title) == (200, "Recorded")
    assert "The decision has been taken meanwhile" in again.text()
    assert len(edge.client.rung) == 1


@pytest.mark.parametrize(
    ("decision", "then"),
    [
        ("approved", "The release goes on by itself: its page says how far it is."),
        ("rejected", "To release this code after all, merge a new change: its release asks the approvers again."),
        ("expired", "To release this code after all, merge a new change: its release asks the approvers again."),
    ],
)
def test_vote_after_the_decision_is_refused_and_not_kept(edge: Edge, caplog: Any, decision: str, then: str) -> None:
    """The person is told what was decided, and what to do now."""
    asked = edge.open()
    token = edge.link(asked, "jonas")
    form = edge.form(token, "jonas", "reject")
    edge.decide(asked, decision)

    answer = edge.send(token, "jonas", form)

    assert answer.status == 409
    assert f"The deployment to prod is already decided: {decision}. {then}" in answer.text()
    assert edge.votes(asked) == {}
    assert edge.client.rung == []
    assert refused(caplog)["status"] == 409


def test_vote_that_meets_the_count_is_not_promised_to_be_in_it(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """The door was shut between the look at it and the vote: nobody is told that the release heard it."""
    asked = edge.open()
    token = edge.link(asked, "maria")
    form = edge.form(token, "maria")
    create = edge.blobs.create_json

    def late(name: str, value: Any) -> bool:
        create(blob_names.approval_outcome(asked.release, "prod"), {"decision": "being counted"})
        return create(name, value)

    monkeypatch.setattr(edge.blobs, "create_json", late)
    answer = edge.send(token, "maria", form)

    assert answer.status == 409
    assert "The votes were being counted when yours arrived" in answer.text()
    assert edge.client.rung == []


def altered(token: str, **parts: str) -> str:
    """Return a link with parts of it replaced."""
    names = ("release", "environment", "approver", "seal")
    return "~".join(parts.get(name, part) for name, part in zip(names, token.split("~"), strict=True))


def test_link_of_another_environment_or_release_opens_nothing(edge: Edge, caplog: Any) -> None:
    """Each question has its own links, even for the same people on the same release."""
    nonprod = edge.open("nonprod")
    token = edge.link(edge.open("prod"), "maria")
    form = edge.form(token, "maria")

    other = [
        altered(token, environment="nonprod"),
        altered(token, release="release-acme.helpdesk-" + "a" * 40),
        altered(token, approver="1"),
        altered(edge.link(nonprod, "maria"), environment="prod"),
    ]
    answers = [edge.send(one, "maria", form) for one in other] + [edge.look(one, "maria") for one in other]

    assert {answer.status for answer in answers} == {404}
    assert edge.votes(nonprod) == {}
    assert len([line for line in lines(caplog, "vote") if line["decision"] == "refused"]) == len(other)
    assert edge.audited("refusal") == []  # anybody could fill the audit log with such links


def test_seal_of_one_letter_more_less_or_other_is_refused(edge: Edge) -> None:
    """Also one that is empty, not ASCII, or made with another secret."""
    asked = edge.open()
    token = edge.link(asked, "maria")
    form = edge.form(token, "maria")
    seal = token.rpartition("~")[2]
    first = "A" if seal[0] != "A" else "B"
    foreign = approvals.link_token(asked, 0, "another secret").rpartition("~")[2]

    for wrong in (first + seal[1:], seal[:-1], seal + "A", seal.swapcase(), "", "ünïcode", "\udcff", foreign):
        answer = edge.send(altered(token, seal=wrong), "maria", form)
        assert answer.status == 404, wrong
    assert edge.votes(asked) == {}


@pytest.mark.parametrize(
    "token",
    [
        "..~..~0~x",
        "../../other~prod~0~x",
        "..%2F..%2Fother~prod~0~x",
        "release\x00~prod~0~x",
        "release?comp=list~prod~0~x",
        f"{'r' * 2000}~prod~0~x",
        f"release~prod~{'9' * 5000}~x",
        "<script>~prod~0~x",
        "~~~",
        "x",
    ],
)
def test_hostile_link_is_not_found(edge: Edge, token: str) -> None:
    """Nothing from a link becomes the name of a blob, a number or markup unless it can be one of ours."""
    answer = edge.look(token, "maria")

    assert answer.status == 404
    assert "<script>" not in answer.html


def test_link_of_somebody_else_is_refused(edge: Edge, caplog: Any) -> None:
    """Both may be approvers: a link is for one person, and being signed in as another is not enough."""
    asked = edge.open()
    token = edge.link(asked, "maria")
    form = edge.form(token, "maria")

    answers = [edge.look(token, "jonas"), edge.send(token, "jonas", form), edge.send(token, "eve@evil.example", form)]

    assert {answer.status for answer in answers} == {403}
    assert "this link is for maria" in answers[0].text()
    assert edge.votes(asked) == {}
    who = [line["principal"] for line in lines(caplog, "vote")]
    assert who == ["jonas@acme.example", "eve@evil.example"]
    traces = edge.audited("refusal")
    assert [trace["who"] for trace in traces] == who
    assert all("this link is for maria" in trace["details"]["reason"] for trace in traces)


def test_who_is_not_signed_in_is_sent_to_the_sign_in_and_back(edge: Edge, caplog: Any) -> None:
    """The link alone shows nothing and decides nothing."""
    asked = edge.open()
    token = edge.link(asked, "maria")
    form = edge.form(token, "maria")

    answers = [edge.look(token, None), edge.send(token, None, form)]

    back = f"/.auth/login/aad?post_login_redirect_uri=%2Fapi%2Fapprovals%2F{token}"
    assert [answer.status for answer in answers] == [401, 401]
    assert [answer.links() for answer in answers] == [[back], [back]]
    assert samples.IMAGE.digest not in answers[0].html
    assert edge.votes(asked) == {}
    assert [lines(caplog, event)[0]["status"] for event in ("approval-page", "vote")] == [401, 401]
    assert edge.audited("refusal") == []


def test_identity_headers_count_for_nothing_without_the_platform(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    """With authentication off anybody could send them."""
    asked = edge.open()
    token = edge.link(asked, "maria")
    form = edge.form(token, "maria")
    monkeypatch.setattr("triggers.answers.current", lambda: replace(edge.settings, authentication=False))

    answers = [edge.look(token, "maria"), edge.send(token, "maria", form)]

    assert [answer.status for answer in answers] == [401, 401]
    assert edge.votes(asked) == {}


def test_author_sees_why_there_is_no_form_and_cannot_send_one(edge: Edge) -> None:
    """Where self-approval is barred, a form made by hand does not help either."""
    asked = edge.open(excluded=("alex",))
    token = edge.link(asked, "alex")

    page = edge.look(token, "alex")
    csrf = approvals.form_seal(token, "alex@acme.example", asked.digest, LINK_SECRET)
    form = {"csrf": csrf, "digest": asked.digest, "decision": "approve"}
    sent, _ = edge.send(token, "alex", form), edge.send(token, "alex", form)

    assert page.status == 200
    assert "you had a part in this release, and prod does not allow approving one's own work" in page.text()
    assert page.fields() == {}
    assert sent.status == 403
    assert "bars self-approval" in sent.text()
    assert edge.votes(asked) == {}
    (trace,) = edge.audited("refusal")
    assert (trace["who"], trace["subject"], trace["evidence"]) == ("alex@acme.example", asked.release, asked.digest)
    assert "bars self-approval" in trace["details"]["reason"]


def test_author_may_approve_where_nothing_bars_it(edge: Edge) -> None:
    """The rule comes from the config."""
    asked = edge.open()
    token = edge.link(asked, "alex")

    assert edge.send(token, "alex", edge.form(token, "alex")).status == 200


@pytest.mark.parametrize("whose", ["missing", "empty", "jonas", "other environment", "other evidence"])
def test_form_without_its_own_csrf_token_is_refused(edge: Edge, whose: str) -> None:
    """The token is for this person, this link and this evidence."""
    asked, other = edge.open(), edge.open("nonprod")
    token = edge.link(asked, "maria")
    form = edge.form(token, "maria")
    foreign = {
        "missing": None,
        "empty": "",
        "jonas": edge.form(edge.link(asked, "jonas"), "jonas")["csrf"],
        "other environment": edge.form(edge.link(other, "maria"), "maria")["csrf"],
        "other evidence": approvals.form_seal(token, "maria@acme.example", "e" * 64, LINK_SECRET),
    }[whose]
    del form["csrf"]

    answer = edge.send(token, "maria", form if foreign is None else {**form, "csrf": foreign})

    assert answer.status == 403
    assert "This form is not valid any more" in answer.text()
    assert edge.votes(asked) == {}


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": ""},
        {"origin": "null"},
        {"origin": "https://evil.example"},
        {"origin": f"{ORIGIN}.evil.example"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "none"},
    ],
)
def test_form_from_another_site_is_refused(edge: Edge, headers: dict[str, str], caplog: Any) -> None:
    """Even with everything else right. In whose name it came is kept, as of every refused vote."""
    asked = edge.open()
    token = edge.link(asked, "maria")

    answer = edge.send(token, "maria", edge.form(token, "maria"), **headers)

    assert answer.status == 403
    assert edge.votes(asked) == {}
    assert refused(caplog)["link"] == f"{samples.RELEASE}~prod~0"
    (trace,) = edge.audited("refusal")
    assert (trace["who"], trace["subject"]) == ("maria@acme.example", samples.RELEASE)
    assert trace["details"]["reason"] in answer.text()


@pytest.mark.parametrize("link", ["ours", "made up"])
def test_form_from_another_site_without_a_name_or_a_link_of_ours_leaves_no_trace(edge: Edge, link: str) -> None:
    """Anybody could fill the audit log with them."""
    asked = edge.open()
    token = edge.link(asked, "maria")
    form = edge.form(token, "maria")
    used, who = (token, None) if link == "ours" else (token[:-1] + "~", "maria")

    answer = edge.send(used, who, form, origin="https://evil.example")

    assert answer.status in {401, 404}
    assert edge.audited("refusal") == []


def test_evidence_altered_between_looking_and_deciding_voids_the_vote(edge: Edge, caplog: Any) -> None:
    """Nothing is recorded, and looking again shows no form for what nobody was asked about."""
    asked = edge.open()
    token = edge.link(asked, "maria")
    form = edge.form(token, "maria")
    name = blob_names.evidence(asked.release, "prod")
    stored = edge.blobs.read_json(name)
    edge.blobs.write_json(name, {**stored, "image": {**stored["image"], "digest": "sha256:" + "ee" * 32}})

    answer = edge.send(token, "maria", form)

    assert answer.status == 409
    assert "not the one that the approvers were asked about" in answer.text()
    assert edge.votes(asked) == {}
    assert edge.client.rung == []
    assert refused(caplog)["status"] == 409
    assert edge.look(token, "maria").status == 409
    (trace,) = edge.audited("refusal")
    assert "not the one that the approvers were asked about" in trace["details"]["reason"]


def test_evidence_that_is_gone_voids_the_vote(edge: Edge) -> None:
    """An answer with the reason, not a crash."""
    asked = edge.open()
    edge.blobs.write_json(blob_names.evidence(asked.release, "prod"), None)

    assert edge.look(edge.link(asked, "maria"), "maria").status == 409


def test_evidence_of_a_version_with_fewer_fields_still_counts(edge: Edge) -> None:
    """What is stored is what was asked; a field that a later version adds does not void the question."""
    asked = edge.open()
    stored = edge.blobs.read_json(blob_names.evidence(asked.release, "prod"))
    for summary in stored["evaluations"]:
        del summary["finished_at"]  # as if it had been added since
    older = replace(asked, digest=digest_of(stored))
    edge.blobs.write_json(blob_names.evidence(asked.release, "prod"), stored)
    edge.blobs.write_json(blob_names.approval_request(asked.release, "prod"), samples.wire(older))
    token = edge.link(older, "maria")

    assert edge.send(token, "maria", edge.form(token, "maria")).status == 200


def test_vote_on_another_digest_than_the_one_asked_is_refused(edge: Edge) -> None:
    """The form names the evidence its page showed."""
    asked = edge.open()
    token = edge.link(asked, "maria")

    answer = edge.send(token, "maria", {**edge.form(token, "maria"), "digest": "e" * 64})

    assert answer.status == 409
    assert "The evidence changed after this page was opened" in answer.text()
    assert edge.votes(asked) == {}


def again(edge: Edge, **fields: Any) -> ApprovalRequest:
    """Put new evidence before the approvers: a full evaluation came in."""
    known = (samples.summary(), samples.summary("full", verdict=Verdict.FAILED))
    return edge.open(evidence={"evaluations": known}, **fields)


def test_older_link_says_what_has_changed_and_where_the_newest_is(edge: Edge, caplog: Any) -> None:
    """Also to who voted on the old evidence, whose vote does not count any more."""
    first = edge.open()
    old = edge.link(first, "maria")
    edge.send(old, "maria", edge.form(old, "maria"))
    second = again(edge)

    answer = edge.look(old, "maria")

    assert (answer.status, answer.title) == (410, "New evidence")
    assert "New evidence has replaced what you approved on " in answer.text()
    assert "The full evaluation ran: failed" in answer.text()
    newest = edge.link(second, "maria")
    assert answer.links()[0] == f"/api/approvals/{newest}"
    assert "2nd time, on new evidence" in edge.look(newest, "maria").text()
    assert "0 of 2 approvals" in edge.look(newest, "maria").text()
    assert refused(caplog)["status"] == 410


def test_form_of_older_evidence_is_refused_and_not_kept(edge: Edge) -> None:
    """A page that was open when the evidence changed cannot decide about the new one."""
    first = edge.open()
    token = edge.link(first, "jonas")
    form = edge.form(token, "jonas", "reject")
    second = again(edge)

    answer = edge.send(token, "jonas", form)

    assert answer.status == 410
    assert "New evidence has replaced what this link was for" in answer.text()
    assert edge.votes(first) == edge.votes(second) == {}
    (trace,) = edge.audited("refusal")
    assert (trace["who"], trace["evidence"]) == ("jonas@acme.example", second.digest)
    assert edge.client.rung == []


def test_older_link_is_worth_nothing_to_who_is_not_asked_any_more(edge: Edge) -> None:
    """Nor to anybody else, nor is the newest link handed out."""
    token = edge.link(edge.open(), "jonas")
    newest = edge.link(again(edge, approvers=("maria", "alex")), "maria")

    for who in ("jonas", "eve@evil.example"):
        answer = edge.look(token, who)
        assert answer.status == 404
        assert newest not in answer.html


@pytest.mark.parametrize(
    ("outcome", "words", "then"),
    [
        (
            Outcome.SUPERSEDED,
            "ended as superseded: A newer commit",
            "Decide about the newer release: its links are on its change and on its page.",
        ),
        (
            Outcome.CANCELLED,
            "ended as cancelled: A newer commit",
            "To release this code after all, merge a new change: its release asks the approvers again.",
        ),
    ],
)
def test_link_of_a_release_that_ended_says_so(edge: Edge, outcome: Outcome, words: str, then: str) -> None:
    """By which release it was overtaken, and no vote is taken."""
    asked = edge.open()
    token = edge.link(asked, "maria")
    form = edge.form(token, "maria")
    ended = replace(record(outcome=outcome, reason="A newer commit."), superseded_by="release-acme.helpdesk-newer")
    edge.blobs.write_json(blob_names.record(asked.release), samples.wire(ended))

    page, sent = edge.look(token, "maria"), edge.send(token, "maria", form)

    assert words in page.text()
    assert "/api/releases/release-acme.helpdesk-newer" in page.links()
    assert page.fields() == {}
    assert (sent.status, edge.votes(asked)) == (410, {})
    assert f"This release ended as {outcome.value}. A newer commit. {then}" in sent.text()


TEAM, LEADS = "entra:11111111-aaaa-4bbb-8ccc-222222222222", "entra:33333333-dddd-4eee-8fff-444444444444"


def group(approver: str) -> str:
    """Return the header of somebody in this group."""
    return in_groups(approver.removeprefix("entra:").upper())


def test_everybody_in_a_group_votes_through_its_one_link(edge: Edge) -> None:
    """Each under their own name, once."""
    asked = edge.open(approvers=(TEAM,))
    token = edge.link(asked, TEAM)

    for who in ("eve", "joe", "eve"):
        form = edge.form(token, who, x_ms_client_principal=group(TEAM))
        edge.send(token, who, form, x_ms_client_principal=group(TEAM))

    votes = records.read_votes(edge.blobs, asked)
    assert {(vote.approver, vote.principal) for vote in votes} == {(TEAM, "eve"), (TEAM, "joe")}
    assert approvals.decide(asked, votes) is approvals.Decision.APPROVED


def test_person_in_two_groups_counts_once(edge: Edge) -> None:
    """The second link says that the vote is in already."""
    asked = edge.open(approvers=(TEAM, LEADS))
    both = in_groups(TEAM[6:], LEADS[6:])
    forms = {name: edge.form(edge.link(asked, name), "eve", x_ms_client_principal=both) for name in (TEAM, LEADS)}

    answers = [
        edge.send(edge.link(asked, name), "eve", form, x_ms_client_principal=both) for name, form in forms.items()
    ]

    assert [answer.status for answer in answers] == [200, 200]
    assert len(records.read_votes(edge.blobs, asked)) == 1
    again = edge.look(edge.link(asked, LEADS), "eve", x_ms_client_principal=both)
    assert "eve, your vote is recorded" in again.text()


def test_group_link_is_for_nobody_outside_the_group(edge: Edge) -> None:
    """Not for another group's members either; and the message says what may be wrong."""
    asked = edge.open(approvers=(TEAM,))
    token = edge.link(asked, TEAM)
    form = edge.form(token, "eve", x_ms_client_principal=group(TEAM))

    answers = [edge.send(token, "eve", form, x_ms_client_principal=header) for header in ("", group(LEADS), "nonsense")]

    assert {answer.status for answer in answers} == {403}
    assert "which your sign-in does not name" in answers[0].text()
    assert edge.votes(asked) == {}


def test_author_may_not_vote_through_a_group(edge: Edge) -> None:
    """It is the person who is barred, however they come in."""
    asked = edge.open(approvers=(TEAM,), excluded=("alex",))
    token = edge.link(asked, TEAM)
    csrf = approvals.form_seal(token, "alex@acme.example", asked.digest, LINK_SECRET)
    fields = {"csrf": csrf, "digest": asked.digest, "decision": "approve"}

    page = edge.look(token, "alex", x_ms_client_principal=group(TEAM))
    sent = edge.send(token, "alex", fields, x_ms_client_principal=group(TEAM))

    assert page.fields() == {}
    assert "alex@acme.example, you had a part in this release" in page.text()
    assert (sent.status, edge.votes(asked)) == (403, {})


DEBT = Debt(
    samples.REPOSITORY,
    samples.RELEASE,
    samples.SHA,
    (OptOut("skip-e2e-evaluation", 7, "alex", "2026-11-23T08:00:00Z", "only a typo"),),
    "the full evaluation on data/full.jsonl",
    "2026-11-23T09:00:00Z",
    "2099-11-30T09:00:00Z",
)


def owing(edge: Edge, debt: Debt = DEBT) -> str:
    """Ask about a release with evaluation debt; return maria's link."""
    edge.blobs.write_json(blob_names.debt(debt.repository, debt.commit), samples.wire(debt))
    return edge.link(edge.open(evidence={"debt": debt}, debt_open=True), "maria")


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({}, 409, "Wait for tonight's run"),
        ({"comment": "fine"}, 409, "or tick “Waive the evaluation debt” and say why"),
        ({"waives": "no", "comment": "fine"}, 409, "Wait for tonight's run"),
        ({"waives": "yes"}, 400, "Say in the comment why the evaluation debt is waived"),
        ({"waives": "yes", "comment": " \n "}, 400, "Say in the comment why the evaluation debt is waived"),
    ],
)
def test_approving_in_the_face_of_debt_needs_the_waiver_and_a_reason(
    edge: Edge, fields: dict[str, str], status: int, words: str
) -> None:
    """Nothing is recorded as a vote; that it was tried is."""
    token = owing(edge)

    answer = edge.send(token, "maria", {**edge.form(token, "maria"), **fields})

    assert answer.status == status
    assert words in answer.text()
    assert edge.blobs.names(blob_names.votes(samples.RELEASE, "prod", 1)) == []
    (trace,) = edge.audited("refusal")
    assert (trace["who"], trace["subject"]) == ("maria@acme.example", samples.RELEASE)
    assert words in trace["details"]["reason"]


def test_waiver_is_kept_with_the_vote_and_in_the_audit_log(edge: Edge) -> None:
    """With its reason and the evidence it was given on."""
    token = owing(edge)
    page = edge.look(token, "maria")

    answer = edge.send(token, "maria", {**edge.form(token, "maria", comment="only a typo"), "waives": "yes"})

    assert "@alex put skip-e2e-evaluation on #7" in page.text(".debt")
    assert answer.status == 200
    assert "The evaluation debt is waived" in answer.text()
    request = records.need_request(edge.blobs, samples.RELEASE, "prod")
    (vote,) = records.read_votes(edge.blobs, request)
    assert (vote.waives, vote.comment) == (True, "only a typo")
    (trace,) = edge.audited("vote")
    assert trace["evidence"] == request.digest
    assert trace["details"] == {
        "environment": "prod",
        "round": "1",
        "decision": "approve",
        "approver": "maria",
        "comment": "only a typo",
        "waives": "the evaluation debt",
    }


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"expires_at": "2026-01-01T00:00:00Z"}, "expired at 2026-01-01T00:00:00Z and cannot be waived any more"),
        ({"state": DebtState.FAILED}, "there is nothing left to waive"),
        ({"state": DebtState.PAID}, "was paid meanwhile"),
    ],
)
def test_debt_that_moved_on_after_the_question_counts_as_it_stands(
    edge: Edge, changed: dict[str, Any], words: str
) -> None:
    """The evidence says open; the debt itself says otherwise."""
    token = owing(edge)
    form = {**edge.form(token, "maria", comment="only a typo"), "waives": "yes"}
    now = replace(DEBT, **changed)
    edge.blobs.write_json(blob_names.debt(now.repository, now.commit), samples.wire(now))

    answer = edge.send(token, "maria", form)

    assert answer.status == 409
    assert words in answer.text()


def test_debt_on_top_of_an_evaluation_that_failed_cannot_be_waived(edge: Edge) -> None:
    """The page says so instead of asking, and a form of before is refused: nobody was shown that code."""
    debt = replace(DEBT, position=9)
    token = owing(edge, debt)
    form = {**edge.form(token, "maria", comment="only a typo"), "waives": "yes"}
    failed = [f"{at:07x}" + "0" * 33 for at in range(1, 8)]
    for position, sha in enumerate(failed, 1):
        commits.note_released(edge.blobs, debt.repository, Place(sha, position))
    voting.shown.forget()

    page, answer = edge.look(token, "maria"), edge.send(token, "maria", form)

    assert "This release stands on 0000007, 0000006, 0000005, 0000004, 0000003 and 2 more" in page.text()
    assert "While that is so, its debt cannot be waived" in page.text()
    assert "and 2 more, of which no full evaluation has passed" in page.text(".debt")
    assert "Nobody can waive it on top of these" in page.text(".debt")
    assert not page.tree.css("input[name=waives]")
    assert answer.status == 409
    assert "0000003 and 2 more" in answer.text()
    assert edge.blobs.names(blob_names.votes(samples.RELEASE, "prod", 1)) == []


def test_release_with_debt_can_be_rejected_without_more_words(edge: Edge) -> None:
    """A waiver is for letting it through; ticked by mistake it is no part of a rejection."""
    token = owing(edge)

    answer = edge.send(token, "maria", {**edge.form(token, "maria", "reject"), "waives": "yes"})

    assert answer.status == 200
    assert "waived" not in answer.text()


def test_vote_and_refusals_are_audited_once_each(edge: Edge) -> None:
    """However often the same form is sent."""
    asked = edge.open()
    token = edge.link(asked, "maria")
    form = edge.form(token, "maria", comment="fine")

    for _ in range(2):
        edge.send(token, "maria", form)
        edge.send(token, "maria", {**form, "decision": "reject"})

    (vote,), (refusal,) = edge.audited("vote"), edge.audited("refusal")
    assert (vote["who"], vote["evidence"], vote["details"]["decision"]) == (
        "maria@acme.example",
        asked.digest,
        "approve",
    )
    assert "You have voted already" in refusal["details"]["reason"]


def test_expired_question_takes_no_vote(edge: Edge, caplog: Any) -> None:
    """The page says so, and a form that was open at the deadline comes too late."""
    asked = edge.open(at=datetime.now(UTC) - timedelta(days=4))
    token = edge.link(asked, "maria")
    csrf = approvals.form_seal(token, "maria@acme.example", asked.digest, LINK_SECRET)

    page = edge.look(token, "maria")
    sent = edge.send(token, "maria", {"csrf": csrf, "digest": asked.digest, "decision": "approve"})

    assert page.fields() == {}
    assert "expired" in page.text()
    assert (sent.status, sent.title) == (410, "Too late")
    assert (
        f"The time to decide about prod ended at {asked.expires_at}. To release this code after all, merge a new "
        "change: its release asks the approvers again." in sent.text()
    )
    assert edge.votes(asked) == {}
    assert refused(caplog)["status"] == 410


def test_vote_whose_ring_fails_is_recorded_all_the_same(edge: Edge, caplog: Any) -> None:
    """Whoever waits for it looks by itself; sent again, it rings and is still one vote."""
    asked = edge.open()
    token = edge.link(asked, "maria")
    form = edge.form(token, "maria", comment="fine")
    edge.client.trouble = ConnectionError("the host of Durable is away")

    first = edge.send(token, "maria", form)
    edge.client.trouble = None
    second = edge.send(token, "maria", form)

    assert [(page.status, page.title) for page in (first, second)] == [(200, "Recorded")] * 2
    assert edge.votes(asked) == {"maria": ("approve", "fine")}
    assert edge.client.rung == [(asked.instance, "approval:prod:0")]
    assert "the host of Durable is away" in caplog.text


def test_storage_away_is_said_as_such(edge: Edge, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    """Nobody is told that a vote was recorded when it was not."""
    asked = edge.open()
    token = edge.link(asked, "maria")
    form = edge.form(token, "maria")
    nowhere = re.sub(r":\d+/devstoreaccount1", ":9/devstoreaccount1", edge.settings.blobs)
    monkeypatch.setattr("triggers.answers.current", lambda: replace(edge.settings, blobs=nowhere))

    answer = edge.send(token, "maria", form)

    assert answer.status == 503
    assert "blob storage at 127.0.0.1:9 failed" in answer.text()
    assert "Recorded" not in answer.text()
    assert refused(caplog)["status"] == 503


def test_comment_is_kept_as_text(edge: Edge) -> None:
    """Markup stays what was typed and is escaped where it is shown; control characters go, line breaks stay."""
    asked = edge.open()
    token = edge.link(asked, "maria")
    typed = "<script>alert(1)</script>\r\nzwei\x00\x1b[31m\u0085 & 'quotes' @everyone  "

    edge.send(token, "maria", edge.form(token, "maria", comment=typed))

    assert edge.votes(asked)["maria"][1] == "<script>alert(1)</script>\nzwei[31m & 'quotes' @everyone"
    page = edge.look(edge.link(asked, "jonas"), "jonas")
    assert "<script>" not in page.html
    assert "<script>alert(1)</script>" in page.text()


def test_comment_is_cut_at_its_limit(edge: Edge) -> None:
    """The browser stops there as well; a line break counts as one character, as it does in the browser."""
    asked = edge.open()
    token = edge.link(asked, "maria")
    typed = "ä\r\n" * 1_000 + "more"

    answer = edge.send(token, "maria", edge.form(token, "maria", comment=typed))

    assert answer.status == 200
    assert edge.votes(asked)["maria"][1] == ("ä\n" * 1_000)[: approvals.MAX_COMMENT]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"x" * (64 * 1024 + 1), 413),
        (b"&".join(b"a=1" for _ in range(50)), 400),
        (b"\xff\xfe\xfd", 400),
        (b'{"decision": "approve"}', 403),
        (b"--x\r\nContent-Disposition: form-data; name=decision\r\n\r\napprove\r\n--x--", 403),
        (b"", 403),
        (b"csrf=%ff&decision=approve", 403),
    ],
)
def test_body_that_is_not_our_form_is_refused(edge: Edge, body: bytes, status: int, caplog: Any) -> None:
    """Too large, too many fields, not text, JSON, multipart, nothing: each has its answer and records nothing."""
    asked = edge.open()

    answer = edge.send(edge.link(asked, "maria"), "maria", body)

    assert answer.status == status
    assert edge.votes(asked) == {}
    assert refused(caplog)["status"] == status


@pytest.mark.parametrize("decision", ["", "maybe", "APPROVE", "approve\n"])
def test_form_without_a_decision_is_asked_for_one(edge: Edge, decision: str) -> None:
    """Nothing counts as approval but approval."""
    asked = edge.open()
    token = edge.link(asked, "maria")

    answer = edge.send(token, "maria", edge.form(token, "maria", decision))

    assert (answer.status, edge.votes(asked)) == (400, {})
    assert "Choose approve or reject" in answer.text()


def test_field_given_twice_counts_as_it_was_given_first(edge: Edge) -> None:
    """What is appended to a form does not change it."""
    asked = edge.open()
    token = edge.link(asked, "maria")
    form = edge.form(token, "maria", "reject")
    body = "&".join(f"{name}={value}" for name, value in form.items() if value) + "&decision=approve"

    edge.send(token, "maria", body.encode())

    assert edge.votes(asked)["maria"][0] == "reject"


def test_log_never_holds_a_secret(edge: Edge, caplog: Any) -> None:
    """Neither links nor forms nor comments, whatever went right or wrong, also for links that mail programs broke."""
    caplog.set_level("DEBUG")
    asked = edge.open()
    token = edge.link(asked, "maria")
    form = edge.form(token, "maria", comment="between us")
    seal = token.rpartition("~")[2]
    broken = [token + "~", token + "~)", token + ".", token.replace("~", "%7E"), token.replace("~prod~", "~"), seal]
    for one in (token, *broken):
        edge.look(one, "maria")
        edge.look(one, None)
        edge.send(one, "jonas", form)
        edge.send(one, "maria", {**form, "csrf": "x"})
    edge.client.trouble = ConnectionError("away")
    edge.send(token, "maria", form)
    edge.client.trouble = None
    edge.send(token, "maria", form)
    edge.send(token, "maria", {**form, "decision": "reject"})

    log = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("drawbridge"))
    key = base64.b64encode(edge.settings.link_secret.encode()).decode()
    for secret in (seal, form["csrf"], edge.settings.link_secret, key, *asked.nonces, "between us"):
        assert secret not in log
    assert len(lines(caplog, "vote")) == 2 * 7 + 3


def test_every_refusal_is_one_line_that_a_query_can_take_apart(edge: Edge, caplog: Any) -> None:
    """Who, which link, what status, why. Line breaks in a name cannot forge a second line."""
    asked = edge.open()
    token = edge.link(asked, "maria")

    edge.send(token, 'eve\n{"event": "vote"}', edge.form(token, "maria"))

    (entry,) = [one for one in caplog.records if one.name == "drawbridge.approvals"]
    assert "\n" not in entry.getMessage()
    line = json.loads(entry.getMessage())
    assert line["link"] == f"{samples.RELEASE}~prod~0"
    assert (line["event"], line["decision"], line["status"]) == ("vote", "refused", 403)


def test_requests_blob_gives_nobody_a_link(edge: Edge) -> None:
    """Who can read storage cannot vote: the secret is not there."""
    asked = edge.open()
    stored = json.dumps(edge.blobs.read_json(blob_names.approval_request(asked.release, "prod")))

    for number in range(len(asked.approvers)):
        assert approvals.link_token(asked, number, edge.settings.link_secret).rpartition("~")[2] not in stored
