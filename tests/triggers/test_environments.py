"""The environments' page, and lifting a hold: approvers only, and the hold that was seen."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from adapters import connect, lanes, records
from domain.errors import Unavailable
from domain.lanes import Hold, Holder, Lane, Occupant, Waiting
from tests import samples
from tests.triggers.edge import Answer, Edge, plain_function, record, request
from triggers import environments

NOW = "2026-11-23T10:00:00Z"
HOLD = Hold("priya@acme.example", "refunds are wrong", NOW, samples.RELEASE)
NEWER = f"release-acme.helpdesk-{'d' * 40}"


def keep(edge: Edge, environment: str = "prod", **fields: Any) -> None:
    """Store a lane."""
    known = replace(Lane(samples.REPOSITORY, environment, approvers=("maria",)), **fields)
    lanes.change(edge.blobs, samples.REPOSITORY, environment, lambda _: known)


def visit(edge: Edge, who: str | None = "maria") -> Answer:
    """Open the page."""
    asked = request("/api/environments", who=who)
    return Answer(asyncio.run(plain_function(environments.environments)(asked)))


def lift(
    edge: Edge, who: str | None, fields: dict[str, str] | None = None, repository: str = "acme.helpdesk", **more: Any
) -> Answer:
    """Send the form, as the page made it for this person unless fields are given."""
    fields = visit(edge, who or "").fields() if fields is None else fields
    path = "/api/environments/acme.helpdesk/prod/lift"
    function = plain_function(environments.lift_hold)
    return edge.post(function, path, who, fields, repository=repository, environment="prod", **more)


def refuse(*_: Any) -> None:
    """Stand in for storage that goes away at the wrong moment."""
    raise Unavailable("storage is away")


def test_page_shows_what_runs_who_deploys_and_who_waits_why(edge: Edge) -> None:
    """In the order in which a release passes the environments, not by name."""
    records.save_record(edge.blobs, record())
    waiting = Waiting(NEWER, "d" * 40, 9, NOW, "behind c0ffee0, which deploys", NOW, True)
    current = Occupant(samples.RELEASE, samples.SHA, 1, samples.IMAGE, NOW, "https://prod.example")
    keep(edge, "prod", current=current, holder=Holder(samples.RELEASE, NOW), waiting=(waiting,))
    keep(edge, "dev")
    keep(edge, "nonprod")

    answer = visit(edge)

    assert [node.text() for node in answer.tree.css("h3")] == ["dev", "nonprod", "prod"]
    for words in ("c0ffee0", "https://prod.example", "ddddddd", "behind c0ffee0, which deploys", "@maria", "deploying"):
        assert words in answer.text()


def test_page_is_for_people_who_are_signed_in(edge: Edge) -> None:
    """Others get the way to the sign-in."""
    keep(edge)

    assert visit(edge, None).status == 401


def test_hold_is_lifted_by_an_approver_and_kept_in_the_audit_log(edge: Edge) -> None:
    """Who held it and why goes with it."""
    keep(edge, hold=HOLD)
    page = visit(edge)

    answer = lift(edge, "maria")

    assert "Held by priya@acme.example" in page.text()
    assert (answer.status, answer.title) == (200, "Hold lifted")
    assert lanes.read(edge.blobs, samples.REPOSITORY, "prod").hold is None
    (trace,) = edge.audited("hold-lifted")
    assert (trace["who"], trace["subject"]) == ("maria@acme.example", samples.RELEASE)
    assert trace["details"]["held"] == f"by priya@acme.example since {NOW}: refunds are wrong"


def test_who_is_cut_off_while_lifting_is_recorded_and_sends_the_form_again(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hold that is gone without a trace of who lifted it would be worse."""
    keep(edge, hold=HOLD)
    form = visit(edge, "maria").fields()
    with monkeypatch.context() as away:
        away.setattr(lanes, "change", refuse)
        cut_off = lift(edge, "maria", form)

    assert cut_off.status == 503
    assert [trace["who"] for trace in edge.audited("hold-lifted")] == ["maria@acme.example"]
    assert lift(edge, "maria", form).status == 200
    assert len(edge.audited("hold-lifted")) == 1
    assert lanes.read(edge.blobs, samples.REPOSITORY, "prod").hold is None


def test_team_that_was_asked_before_lifts_a_hold_while_github_is_away(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it goes back: nobody has to wait for GitHub to let promotion go on."""
    monkeypatch.setattr(connect, "github", refuse)
    keep(edge, hold=HOLD, approvers=("acme/leads",))

    assert lift(edge, "maria", {}, script=True).status == 503
    edge.open("prod", approvers=("maria",), groups={"maria": "acme/leads"})
    assert [lift(edge, who, {}, script=True).status for who in ("jonas", "maria")] == [403, 202]


def test_script_lifts_a_hold_with_the_same_rights(edge: Edge) -> None:
    """JSON in, JSON out."""
    keep(edge, hold=HOLD)

    refused, lifted, late = (lift(edge, who, {}, script=True) for who in ("jonas", "maria", "maria"))

    assert [answer.status for answer in (refused, lifted, late)] == [403, 202, 409]
    assert [json.loads(answer.html)["reason"] for answer in (refused, lifted, late)] == [
        "Only the approvers of prod may lift its hold: ask one of them.",
        "Releases are promoted to prod of acme/helpdesk again, the first in line at its next look.",
        "prod is not held any more: there is nothing to lift.",
    ]


def test_nobody_else_lifts_it_and_the_page_offers_it_to_nobody_else(edge: Edge) -> None:
    """That they tried is kept."""
    keep(edge, hold=HOLD)
    form = visit(edge, "maria").fields()

    answer = lift(edge, "jonas", form)

    assert visit(edge, "jonas").fields() == {}
    assert "Only its approvers can lift it" in visit(edge, "jonas").text()
    assert answer.status == 403
    assert lift(edge, "jonas", {}, script=True).status == 403
    assert lanes.read(edge.blobs, samples.REPOSITORY, "prod").hold == HOLD
    assert [trace["who"] for trace in edge.audited("refusal")] == ["jonas@acme.example"]


def test_form_from_another_site_lifts_nothing_and_is_kept_in_the_name_it_came_in(edge: Edge) -> None:
    """The person is signed in and may know nothing of it; without a name nothing is kept."""
    keep(edge, hold=HOLD)
    form = visit(edge, "maria").fields()

    answers = [lift(edge, who, form, origin="https://evil.example") for who in ("maria", None)]

    assert [answer.status for answer in answers] == [403, 401]
    assert lanes.read(edge.blobs, samples.REPOSITORY, "prod").hold == HOLD
    (trace,) = edge.audited("refusal")
    assert (trace["who"], trace["details"]["of"]) == ("maria@acme.example", "lift")


def test_hold_that_came_after_the_page_stays(edge: Edge) -> None:
    """Somebody else has gone back meanwhile, for a reason that nobody has read yet."""
    keep(edge, hold=HOLD)
    form = visit(edge).fields()
    newer = replace(HOLD, at="2026-11-23T11:00:00Z", by="jonas@acme.example")
    keep(edge, hold=newer)

    answer = lift(edge, "maria", form)

    assert answer.status == 409
    assert "jonas@acme.example holds prod since, for another reason" in answer.text()
    assert lanes.read(edge.blobs, samples.REPOSITORY, "prod").hold == newer


@pytest.mark.parametrize("repository", ["other.repo", "acme", "../..", "<script>"])
def test_repository_that_is_not_configured_is_not_found(edge: Edge, repository: str) -> None:
    """Nothing from an address becomes a blob's name."""
    answer = lift(edge, "maria", {}, repository, script=True)

    assert answer.status == 404
    assert "write it as owner.name" in answer.html
