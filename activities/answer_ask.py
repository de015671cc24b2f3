"""Answer whoever asked for an evaluation: with a link to it, or why there is none."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import audit, connect
from adapters.blobs import Blobs
from adapters.outbox import Outbox
from domain import blob_names, messages_schedules, schedule_news
from domain.errors import DrawbridgeError
from domain.git_flow import Ask, ask_id
from domain.models import EvaluationRequest
from domain.schedules import opened
from domain.wire import read
from settings import current

bp = df.Blueprint()
DRAIN_SECONDS = 5.0


@bp.activity_trigger(input_name="payload")
def answer_ask(payload: dict[str, Any]) -> None:
    """Answer {"ask", "at"} with {"request"}: the evaluation that starts, or {"objection"}: words.

    "refused": the objection is a decision about who asks, not a lack of an answer.
    """
    settings = current()
    answer(payload, f"{settings.public_url}/api", connect.outbox(settings))


def answer(news: dict[str, Any], site: str, outbox: Outbox) -> None:
    """Keep the evaluation, so that the link leads somewhere, and post the answer: once, however often this runs."""
    ask = read(Ask, news["ask"])
    request = read(EvaluationRequest, news["request"]) if news.get("request") else None
    text = news.get("objection", "")
    if request:
        record = opened(request, news["at"])
        outbox.blobs.create_json(blob_names.evaluation_record(record.id), asdict(record))
        audit.record(
            outbox.blobs,
            key=f"evaluation-asked:{record.id}",
            what="evaluation-asked",
            who=ask.by,
            subject=record.id,
            details={"repository": request.repository, "commit": request.sha, "kind": request.kind},
        )
        text = messages_schedules.started(request, f"{site}/evaluations/{record.id}")
    if news.get("refused"):
        trace_refusal(ask, text, outbox.blobs)
    outbox.post(schedule_news.answered(ask, request, text, news["at"]))
    with contextlib.suppress(DrawbridgeError):  # it is kept: the timer delivers it
        outbox.drain(DRAIN_SECONDS)


def trace_refusal(ask: Ask, reason: str, blobs: Blobs) -> None:
    """Record who asked for what in vain."""
    number = f"#{ask.number}" if ask.number else f"@{ask.sha}"
    audit.record(
        blobs,
        key=f"{ask_id(ask)}:refused",
        what="refusal",
        who=ask.by,
        subject=f"{ask.repository}{number}",
        details={"of": "evaluation", "kind": ask.kind, "reason": reason},
    )
