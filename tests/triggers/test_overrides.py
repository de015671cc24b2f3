"""Override links: named people only, never without a reason, and no way in through an approval link."""

from __future__ import annotations

import asyncio

import pytest

from adapters import records
from domain.models import ApprovalRequest, Verdict
from tests import samples
from tests.triggers.edge import Answer, Edge, plain_function, request
from triggers import approval_links, overrides


def asked_to_override(edge: Edge) -> ApprovalRequest:
    """Ask jonas and maria about a full evaluation that failed."""
    failed = samples.summary("full", verdict=Verdict.FAILED)
    known = {"environment": "override", "evaluations": (samples.summary(), failed)}
    return edge.open("override", evidence=known, approvers=("jonas", "maria"), approvals=1)


def test_override_is_kept_with_its_reason_and_rings(edge: Edge) -> None:
    """The page says what failed; the vote is one on that evidence."""
    asked = asked_to_override(edge)
    token = edge.link(asked, "maria")
    page = edge.look(token, "maria")

    answer = edge.send(token, "maria", edge.form(token, "maria", comment="the judge is wrong, see q17"))

    assert page.title == f"Override the failed full evaluation of {samples.SHA[:8]}?"
    assert (answer.status, answer.title) == (200, "Recorded")
    assert "You approved the override of the full evaluation" in answer.text()
    (vote,) = records.read_votes(edge.blobs, asked)
    assert (vote.decision, vote.comment, vote.digest) == ("approve", "the judge is wrong, see q17", asked.digest)
    assert edge.client.rung == [(asked.instance, "approval:override:1")]


@pytest.mark.parametrize("decision", ["approve", "reject"])
@pytest.mark.parametrize("comment", ["", "  \n\t "])
def test_override_without_a_reason_is_refused(edge: Edge, decision: str, comment: str) -> None:
    """Either way: the author has to learn why."""
    asked = asked_to_override(edge)
    token = edge.link(asked, "maria")

    answer = edge.send(token, "maria", edge.form(token, "maria", decision, comment))

    assert answer.status == 400
    assert "Give a reason: it is shown on the release for ever" in answer.text()
    assert edge.votes(asked) == {}


def test_override_is_for_the_named_people_only(edge: Edge) -> None:
    """Approvers of environments are others."""
    asked = asked_to_override(edge)
    token = edge.link(asked, "maria")
    form = edge.form(token, "maria", comment="why not")

    assert edge.send(token, "priya", form).status == 403
    assert edge.votes(asked) == {}


async def opened(token: str, function: object) -> Answer:
    """Open a link at a route that is not its own."""
    asked = request(f"/api/other/{token}", who="maria")
    return Answer(await plain_function(function)(asked))


def test_each_route_takes_its_own_links_only(edge: Edge) -> None:
    """An override cannot be given as if it were an approval, nor the other way round."""
    override = edge.link(asked_to_override(edge), "maria")
    approval = edge.link(edge.open(), "maria")

    answers = [
        asyncio.run(opened(override, approval_links.approval_form)),
        asyncio.run(opened(approval, overrides.override_form)),
    ]

    assert [answer.status for answer in answers] == [404, 404]
