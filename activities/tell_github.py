"""Tell GitHub how a release stands: a mark per changed stage, and the one comment on each change."""

from __future__ import annotations

import logging
from typing import Any

import azure.durable_functions as df

from adapters import carriers, connect, outbox, records
from adapters.blobs import Blobs
from adapters.outbox import Outbox
from domain import messages, release_news, timeline
from domain.approvals import link_path
from domain.models import ReleaseRecord, StageState
from domain.wire import read
from settings import Settings, current

bp = df.Blueprint()
log = logging.getLogger("drawbridge.github")
SECONDS = 5.0  # for what people wait for; a timer delivers the rest


@bp.activity_trigger(input_name="payload")
def tell_github(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"refused": what GitHub does not let us say, or ""} for {"record", "stages": that changed}.

    What GitHub does not take now, it gets later: nothing here fails because of it.
    """
    settings = current()
    record = read(ReleaseRecord, payload["record"])
    refused = tell(record, payload["stages"], settings, connect.outbox(settings))
    return {"refused": refused}


def tell(record: ReleaseRecord, stages: list[str], settings: Settings, box: Outbox) -> str:
    """Post the news, deliver what is urgent, and return what GitHub refused to hear of it. Raises Unavailable.

    However often this runs, GitHub hears it once.
    """
    said = release_news.news(record, stages, f"{settings.public_url}/api", approval_links(record, settings, box.blobs))
    news = carriers.placed(box.blobs, record.id, said)
    box.post(*news)
    if any(message.urgent for message in news):
        _deliver(box)
    refusals = (outbox.refused(box.blobs, message) for message in news)
    return next((messages.refused_by_github(one.reason) for one in refusals if one), "")


def _deliver(box: Outbox) -> None:
    try:
        box.drain(SECONDS)
    except Exception:  # the messages are kept: whatever goes wrong here is the timer's to try again, not the release's
        log.exception("what people wait for could not be delivered at once")


def approval_links(record: ReleaseRecord, settings: Settings, blobs: Blobs) -> dict[str, dict[str, str]]:
    """Return the URL for each approver of each environment that waits for approval now."""
    links = {}
    for stage in record.stages:
        environment = timeline.asks_about(stage.name) if stage.state is StageState.RUNNING else ""
        request = records.read_request(blobs, record.id, environment) if environment else None
        if request is None:
            continue
        links[environment] = {
            approver: f"{settings.public_url}{link_path(request, number, settings.link_secret)}"
            for number, approver in enumerate(request.approvers)
            if approver.casefold() not in {login.casefold() for login in request.excluded}
        }
    return links
