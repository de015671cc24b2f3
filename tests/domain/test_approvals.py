"""Links, votes and what they come to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain import approvals
from domain.approvals import Decision
from domain.errors import BadRequest, Conflict, Expired, Forbidden, NotFound
from domain.models import ApprovalRequest, Debt, DebtState, Evidence, Image, Vote
from tests import samples

SECRET = "link-secret"
REQUEST = ApprovalRequest(
    release=samples.RELEASE,
    environment="prod",
    digest="d" * 64,
    approvers=("maria", "jonas", "priya"),
    nonces=("n0", "n1", "n2"),
    approvals=2,
    excluded=("priya",),
    opened_at="2026-11-23T09:00:00Z",
    remind_at="2026-11-24T09:00:00Z",
    expires_at="2026-11-26T09:00:00Z",
    instance="i",
)
EVIDENCE = Evidence(
    samples.RELEASE,
    samples.REPOSITORY,
    "prod",
    samples.origin().commit,
    samples.origin().changes,
    samples.IMAGE,
    (samples.summary(),),
    (),
    (),
    ("maria",),
    1,
    False,
)


def vote(approver: str, decision: str = "approve", digest: str = "d" * 64) -> Vote:
    """Return a vote on the request's evidence."""
    return Vote(approver, f"{approver}@helpdesk.example", decision, "", digest, "2026-11-23T10:00:00Z")


def test_link_leads_to_the_route_that_takes_its_kind_of_decision() -> None:
    """An override is decided on a route of its own."""
    override = replace(REQUEST, environment=approvals.OVERRIDE)

    assert approvals.link_path(REQUEST, 1, SECRET) == f"/api/approvals/{approvals.link_token(REQUEST, 1, SECRET)}"
    assert approvals.link_path(override, 1, SECRET) == f"/api/overrides/{approvals.link_token(override, 1, SECRET)}"


def test_link_opens_only_for_the_approver_it_was_made_for() -> None:
    """Reading a link gives back its approver."""
    link = approvals.read_link(approvals.link_token(REQUEST, 1, SECRET))

    assert approvals.check_link(link, REQUEST, SECRET) == "jonas"


@pytest.mark.parametrize(
    "changed",
    [
        replace(REQUEST, release="release-other"),
        replace(REQUEST, environment="nonprod"),
        replace(REQUEST, digest="e" * 64),
        replace(REQUEST, nonces=("n0", "changed", "n2")),
        replace(REQUEST, approvers=("maria", "eve", "priya")),
    ],
)
def test_link_is_bound_to_release_environment_evidence_and_person(changed: ApprovalRequest) -> None:
    """Whatever changes, the old link is worth nothing."""
    link = approvals.read_link(approvals.link_token(REQUEST, 1, SECRET))

    with pytest.raises(NotFound, match="new evidence has replaced it"):
        approvals.check_link(link, changed, SECRET)


@pytest.mark.parametrize("approver", ["0", "2", "7", "-1", "one", "²"])
def test_link_of_one_approver_is_not_a_link_of_another(approver: str) -> None:
    """Changing the number in the link breaks its seal, or the link itself."""
    release, environment, _, seal = approvals.link_token(REQUEST, 1, SECRET).split("~")

    with pytest.raises(NotFound):
        approvals.check_link(approvals.read_link("~".join([release, environment, approver, seal])), REQUEST, SECRET)


@pytest.mark.parametrize("token", ["", "x", "a~b~0", "a~b~0~", "~~~", "a~b~0~seal~more"])
def test_incomplete_link_says_where_to_find_a_whole_one(token: str) -> None:
    """Mail programs cut links."""
    with pytest.raises(NotFound, match="Open it again from the pull request"):
        approvals.read_link(token)


def test_seal_with_odd_characters_is_refused_not_crashed() -> None:
    """compare_digest does not take text that is not ASCII."""
    link = approvals.read_link(f"{REQUEST.release}~prod~1~ünïcode\udcff")

    with pytest.raises(NotFound):
        approvals.check_link(link, REQUEST, SECRET)


def test_link_without_a_request_is_not_found() -> None:
    """A release that was never asked about has no links."""
    with pytest.raises(NotFound):
        approvals.check_link(approvals.read_link(approvals.link_token(REQUEST, 1, SECRET)), None, SECRET)


def test_only_the_approver_may_use_a_link() -> None:
    """People are compared by their sign-in name, whatever its case."""
    approvals.check_person("Maria", "Maria@Helpdesk.example", {"maria": "maria@helpdesk.example"})

    with pytest.raises(Forbidden, match=r"You are signed in as eve@evil\.example, and this link is for maria"):
        approvals.check_person("maria", "eve@evil.example", {"maria": "maria@helpdesk.example"})


def test_author_may_not_vote_where_self_approval_is_barred() -> None:
    """The message says why."""
    approvals.check_eligible("maria", REQUEST, {})

    with pytest.raises(Forbidden, match="Priya had a part in this release, and prod bars self-approval"):
        approvals.check_eligible("Priya", REQUEST, {})


def test_second_login_of_an_author_may_not_vote_either() -> None:
    """It is the person who is barred."""
    people = {"priya": "priya@contoso.com", "priya-admin": "Priya@contoso.com"}

    with pytest.raises(Forbidden, match="bars self-approval"):
        approvals.check_eligible("priya@contoso.com", REQUEST, people)


def test_link_of_a_group_is_for_everybody_in_it() -> None:
    """Group ids are compared whatever their case; others hear that their sign-in does not name the group."""
    approvals.check_person("entra:0A1B", "eve@helpdesk.example", {}, {"9999", "0a1b"})

    with pytest.raises(Forbidden, match="this link is for the group 0A1B, which your sign-in does not name"):
        approvals.check_person("entra:0A1B", "eve@helpdesk.example", {}, {"9999"})


@pytest.mark.parametrize(
    ("votes", "decision"),
    [
        ([], Decision.OPEN),
        ([vote("maria")], Decision.OPEN),
        ([vote("maria"), vote("maria")], Decision.OPEN),
        ([vote("maria"), vote("MARIA")], Decision.OPEN),
        ([vote("maria"), vote("eve")], Decision.OPEN),
        ([vote("maria"), vote("priya")], Decision.OPEN),
        ([vote("maria"), vote("jonas", digest="e" * 64)], Decision.OPEN),
        ([vote("maria"), vote("jonas")], Decision.APPROVED),
        ([vote("maria", "reject")], Decision.REJECTED),
        ([vote("maria"), vote("jonas", "reject")], Decision.REJECTED),
    ],
)
def test_quorum_counts_distinct_allowed_people_on_this_evidence(votes: list[Vote], decision: Decision) -> None:
    """Doubled, foreign, barred and outdated votes do not count; one rejection ends it."""
    assert approvals.decide(REQUEST, votes) is decision


GROUPS = replace(REQUEST, approvers=("maria", "entra:a", "entra:b"), excluded=())


def through(group: str, who: str, decision: str = "approve") -> Vote:
    """Return a vote of a person through a group's link."""
    return replace(vote(f"entra:{group}", decision), principal=f"{who}@helpdesk.example")


@pytest.mark.parametrize(
    ("votes", "decision"),
    [
        ([through("a", "eve"), through("a", "joe")], Decision.APPROVED),
        ([through("a", "eve"), through("b", "Eve")], Decision.OPEN),
        ([vote("maria"), through("a", "maria")], Decision.OPEN),
        ([vote("maria"), through("b", "eve")], Decision.APPROVED),
        ([through("a", "eve"), through("a", "joe", "reject")], Decision.REJECTED),
        ([through("a", "eve"), through("c", "joe")], Decision.OPEN),
    ],
)
def test_people_of_groups_count_once_each(votes: list[Vote], decision: Decision) -> None:
    """Several people vote through one link, and nobody twice through two groups or as a person and a member."""
    assert approvals.decide(GROUPS, votes) is decision


def test_approval_counts_only_with_the_waiver_while_debt_is_open() -> None:
    """Even if one that says nothing about the debt got into storage."""
    owing = replace(REQUEST, debt_open=True)
    silent, waiving = [vote("maria"), vote("jonas")], [replace(vote(name), waives=True) for name in ("maria", "jonas")]

    assert approvals.decide(owing, silent) is Decision.OPEN
    assert approvals.decide(owing, [silent[0], waiving[1]]) is Decision.OPEN
    assert approvals.decide(owing, waiving) is Decision.APPROVED
    assert approvals.decide(owing, [vote("maria", "reject")]) is Decision.REJECTED


WAIVER = replace(vote("maria"), waives=True, comment="the change is a typo")
DEBT = Debt(
    samples.REPOSITORY, samples.RELEASE, samples.SHA, (), "owed", "2026-11-20T09:00:00Z", "2026-11-27T09:00:00Z"
)
OWING = replace(REQUEST, debt_open=True)
NOW = "2026-11-23T10:00:00Z"


@pytest.mark.parametrize(
    ("given", "debt", "now", "kind", "words"),
    [
        (vote("maria"), DEBT, NOW, Conflict, r"Wait for tonight's run.*until 2026-11-27T09:00:00Z"),
        (replace(WAIVER, comment=""), DEBT, NOW, BadRequest, "Say in the comment why the evaluation debt is waived"),
        (WAIVER, DEBT, DEBT.expires_at, Conflict, "expired at 2026-11-27T09:00:00Z and cannot be waived any more"),
        (WAIVER, None, NOW, Conflict, "cannot be waived any more"),
        (WAIVER, replace(DEBT, state=DebtState.FAILED), NOW, Conflict, "failed, so there is nothing left to waive"),
        (WAIVER, replace(DEBT, state=DebtState.PAID), NOW, Conflict, "was paid meanwhile"),
    ],
)
def test_approval_in_the_face_of_debt_is_refused_in_words(
    given: Vote, debt: Debt | None, now: str, kind: type[Exception], words: str
) -> None:
    """Wait for tonight's payment or waive with a reason; what has expired, failed or was paid cannot be waived."""
    with pytest.raises(kind, match=words):
        approvals.check_waiver(given, OWING, debt, now)


def test_waiver_with_a_reason_a_rejection_and_a_release_without_debt_need_nothing_more() -> None:
    """Also while the payment runs: nobody knows yet what comes of it."""
    approvals.check_waiver(WAIVER, OWING, DEBT, NOW)
    approvals.check_waiver(WAIVER, OWING, replace(DEBT, state=DebtState.PAYING), NOW)
    approvals.check_waiver(vote("maria", "reject"), OWING, DEBT, DEBT.expires_at)
    approvals.check_waiver(vote("maria"), REQUEST, None, NOW)


def test_override_needs_a_reason() -> None:
    """It is shown on the release for ever."""
    approvals.check_override(replace(vote("maria"), comment="the judge was wrong, see row q17"))

    with pytest.raises(BadRequest, match="Give a reason"):
        approvals.check_override(vote("maria"))


def test_vote_on_other_evidence_is_refused() -> None:
    """A page that was open while the evidence changed cannot decide."""
    with pytest.raises(Conflict, match="The evidence changed after this page was opened"):
        approvals.check_vote(vote("maria", digest="e" * 64), REQUEST, "2026-11-23T10:00:00Z")


def test_vote_after_the_deadline_is_refused() -> None:
    """The exact second of the deadline is already too late."""
    approvals.check_vote(vote("maria"), REQUEST, "2026-11-26T08:59:59Z")

    with pytest.raises(Expired, match="ended at 2026-11-26T09:00:00Z"):
        approvals.check_vote(vote("maria"), REQUEST, REQUEST.expires_at)


@pytest.mark.parametrize(
    "changed",
    [
        replace(EVIDENCE, image=Image("sha256:" + "cd" * 32, "x")),
        replace(EVIDENCE, evaluations=(samples.summary(errored=1),)),
        replace(EVIDENCE, environment="nonprod"),
        replace(EVIDENCE, approvals=2),
    ],
)
def test_digest_changes_with_anything_the_approver_sees(changed: Evidence) -> None:
    """Image, verdicts, environment and rules are all under the digest."""
    assert approvals.digest(changed) != approvals.digest(EVIDENCE)
    assert approvals.digest(replace(EVIDENCE)) == approvals.digest(EVIDENCE)


def test_form_seal_is_for_one_person_one_link_one_evidence() -> None:
    """A form made for somebody else, or for other evidence, is not accepted."""
    mine = approvals.form_seal("token", "maria", "d", SECRET)

    assert approvals.same_form(mine, approvals.form_seal("token", "MARIA", "d", SECRET))
    for other in [("token2", "maria", "d"), ("token", "eve", "d"), ("token", "maria", "e")]:
        assert not approvals.same_form(mine, approvals.form_seal(*other, SECRET))
    assert not approvals.same_form("é", mine)


def test_bridge_that_nobody_can_open_is_seen_before_anybody_waits() -> None:
    """Excluded authors count against the number of people, and so does every further login of one person."""
    people = {"maria": "maria@acme.example", "Maria-Ops": "Maria@acme.example"}

    def reached(approvers: tuple[str, ...]) -> bool:
        asked = replace(REQUEST, approvers=approvers, excluded=("alex",), approvals=2)
        return approvals.can_be_reached(asked, people)

    assert reached(("maria", "jonas"))
    assert not reached(("maria", "Alex"))
    assert not reached(("maria", "maria-ops"))
    assert reached(("maria", "maria-ops", "jonas"))
    assert reached(("entra:a",))
