"""The answer to whoever asked for an evaluation."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from activities.answer_ask import answer
from adapters import audit
from adapters.blobs import Blobs
from adapters.outbox import Outbox
from domain import asks, blob_names
from domain.asks import Standing
from domain.errors import Unavailable
from domain.git_flow import Ask
from domain.outbox import unwire
from tests import samples
from tests.fakes import audited

SITE = "https://drawbridge.example/api"
ASK = Ask(samples.REPOSITORY, 7, 4711, "full", "maria")
NAME = f"on-demand-acme.helpdesk-{samples.SHA}-full-comment4711"
AT = "2026-11-23T09:00:00+00:00"


class Deaf:
    """A GitHub that is away."""

    def deliver(self, *_: Any) -> Any:
        raise Unavailable("GitHub is away")


def messages(blobs: Blobs) -> list[Any]:
    return [unwire(blobs.read_json(name)) for name in blobs.names("outbox/pending/")]


def outbox(blobs: Blobs) -> Outbox:
    """Return an outbox whose messages wait."""
    return Outbox(blobs, Deaf)


def test_link_leads_to_an_evaluation_that_is_kept_before(blobs: Blobs) -> None:
    """Told twice it is one reply, one record, one line in the audit log."""
    news = {"ask": asdict(ASK), "at": AT, "request": asdict(asks.requested(ASK, Standing("write", samples.SHA)))}

    for _ in range(2):
        answer(news, SITE, outbox(blobs))

    (reply,) = messages(blobs)
    assert (reply.change, reply.marker, reply.urgent) == (7, "asked-4711", True)
    assert f"[runs now]({SITE}/evaluations/{NAME})" in reply.body
    assert blobs.read_json(blob_names.evaluation_record(NAME))["state"] == "running"
    assert audit.verify(blobs).records == 1


def test_record_of_an_evaluation_that_has_ended_meanwhile_stays(blobs: Blobs) -> None:
    """This activity may run again, late."""
    blobs.write_json(blob_names.evaluation_record(NAME), {"state": "passed"})
    news = {"ask": asdict(ASK), "at": AT, "request": asdict(asks.requested(ASK, Standing("write", samples.SHA)))}

    answer(news, SITE, outbox(blobs))

    assert blobs.read_json(blob_names.evaluation_record(NAME)) == {"state": "passed"}


def test_objection_is_all_there_is_to_say(blobs: Blobs) -> None:
    """Nothing is kept of an evaluation that does not start."""
    answer({"ask": asdict(ASK), "at": AT, "objection": "No."}, SITE, outbox(blobs))

    (reply,) = messages(blobs)
    assert reply.body == "No."
    assert audit.verify(blobs).records == 0


def test_refusal_is_audited_once_and_a_missing_answer_is_none(blobs: Blobs) -> None:
    """That GitHub was away is nobody's decision."""
    news = {"ask": asdict(ASK), "at": AT, "objection": "No."}
    for refused in (True, True, False):
        answer({**news, "refused": refused}, SITE, outbox(blobs))

    (trace,) = audited(blobs)
    assert (trace["what"], trace["who"], trace["subject"]) == ("refusal", "maria", "acme/helpdesk#7")
    assert trace["details"] == {"of": "evaluation", "kind": "full", "reason": "No."}


def test_answer_to_a_button_without_a_change_stands_on_the_commit(blobs: Blobs) -> None:
    """A release's check belongs to a commit."""
    ask = replace(ASK, number=None, comment=0, check=12, sha=samples.SHA)

    answer({"ask": asdict(ask), "at": AT, "objection": "No."}, SITE, outbox(blobs))

    (comment,) = messages(blobs)
    assert (comment.kind, comment.change, comment.sha) == ("comment", None, samples.SHA)
