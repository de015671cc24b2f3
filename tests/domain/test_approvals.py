"""Links, votes and what they come to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain import approvals
from domain.approvals import Decision
from domain.errors import Conflict, Expired, Forbidden, NotFound
from domain.models import ApprovalRequest, Evidence, Image, Vote
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

    with pytest.raises(Forbidden, match="Priya wrote a change in this release, and prod bars self-approval"):
        approvals.check_eligible("Priya", REQUEST, {})


def test_second_login_of_an_author_may_not_vote_either() -> None:
    """It is the person who is barred."""
    people = {"priya": "priya@contoso.com", "priya-admin": "Priya@contoso.com"}

    with pytest.raises(Forbidden, match="bars self-approval"):
        approvals.check_eligible("priya-admin", REQUEST, people)


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
    """Excluded authors count against the number of approvers."""
    assert approvals.can_be_reached(["maria", "jonas"], ["alex"], 2)
    assert not approvals.can_be_reached(["maria", "Alex"], ["alex"], 2)
