"""Keep how a night stands, and when it is over, tell GitHub what it found."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from adapters import connect
from adapters.blobs import Blobs
from adapters.outbox import Outbox
from domain import blob_names, schedule_news
from domain.models import EvaluationSummary
from domain.nightly import Night
from domain.wire import read
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def keep_night(payload: dict[str, Any]) -> None:
    """Keep {"night", "at"}; with {"final": true} it is what the next night starts from, and GitHub hears of it."""
    settings = current()
    keep(payload, f"{settings.public_url}/api", connect.outbox(settings))


def keep(news: dict[str, Any], site: str, outbox: Outbox) -> None:
    """Post before the next night can start from this one: what was not told would be taken for known."""
    night = read(Night, news["night"])
    outbox.blobs.write_json(blob_names.night(night.repository, night.date), news["night"])
    if news.get("final"):
        outbox.post(*schedule_news.night(night, _summaries(night, outbox.blobs), site, news["at"]))
        outbox.blobs.write_json(blob_names.nightly(night.repository), news["night"])


def _summaries(night: Night, blobs: Blobs) -> dict[str, EvaluationSummary]:
    names = {seen.evaluation for seen in night.targets if seen.evaluation}
    found = {name: blobs.read_json(blob_names.summary(name)) for name in names}
    return {name: read(EvaluationSummary, summary) for name, summary in found.items() if summary}
