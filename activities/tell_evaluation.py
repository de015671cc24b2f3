"""Keep how an evaluation outside of releases stands, and tell GitHub."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import azure.durable_functions as df

from adapters import connect
from adapters.blobs import Blobs
from adapters.outbox import Outbox
from domain import blob_names, schedule_news
from domain.git_flow import release_id
from domain.models import EvaluationRequest, EvaluationSummary
from domain.schedules import EvaluationRecord, opened
from domain.wire import read
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def tell_evaluation(payload: dict[str, Any]) -> None:
    """Record and tell {"request", "state", "at"} with {"summary"} or {"reason"} where there is one."""
    settings = current()
    tell(payload, f"{settings.public_url}/api", connect.blobs(settings), connect.outbox(settings))


def tell(news: dict[str, Any], site: str, blobs: Blobs, outbox: Outbox) -> None:
    """Say it as often as this runs: the same record, and messages that GitHub gets once."""
    request = read(EvaluationRequest, news["request"])
    summary = read(EvaluationSummary, news["summary"]) if news.get("summary") else None
    state, reason = news["state"], news.get("reason", "")
    name = blob_names.evaluation_record(opened(request, news["at"]).id)
    kept = blobs.read_json(name)
    before = read(EvaluationRecord, kept) if kept else opened(request, news["at"])
    blobs.write_json(name, asdict(replace(before, state=state, reason=reason)))
    released = blobs.exists(blob_names.record(release_id(request.repository, request.sha)))
    outbox.post(*schedule_news.evaluated(request, state, summary, reason, site, at=news["at"], released=released))
