"""Tell GitHub how a release stands: a commit status per changed stage, and the one comment on each change."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import azure.durable_functions as df

from adapters import connect, records
from adapters.blobs import Blobs
from domain import messages, timeline
from domain.approvals import link_token
from domain.errors import DrawbridgeError, Unavailable
from domain.models import ReleaseRecord, StageState
from domain.wire import read
from settings import Settings, current

if TYPE_CHECKING:
    from adapters.github import GitHub

bp = df.Blueprint()
log = logging.getLogger("drawbridge.github")


@bp.activity_trigger(input_name="payload")
def tell_github(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"delivered", "refused": what GitHub does not let us say, or ""} for {"record", "stages": that changed}.

    GitHub being away must not stop a release, so it is an answer; the next message says it all again.
    """
    settings = current()
    try:
        refused = tell(
            read(ReleaseRecord, payload["record"]),
            payload["stages"],
            settings,
            connect.github(settings),
            connect.blobs(settings),
        )
    except Unavailable:
        log.warning("GitHub did not take the news of %s: it is told again later", payload["record"]["id"])
        return {"delivered": False}
    return {"delivered": True, "refused": refused}


def tell(record: ReleaseRecord, stages: list[str], settings: Settings, github: GitHub, blobs: Blobs) -> str:
    """Say it once, however often this runs: the adapter looks before it writes.

    What GitHub refuses is logged and returned, and the rest is said all the same: approvers must get their links even
    when, say, the token may not set statuses. Raises Unavailable when GitHub is away.
    """
    refused: list[str] = []
    page = f"{settings.public_url}/api/releases/{record.id}"
    where = record.repository, record.commit.sha
    for stage in record.stages:
        if stage.name in stages:
            context, state, description = messages.commit_status(stage)
            with _noting(refused, record.id):
                github.set_status(*where, context, state, description, stage.url or page)
    body = messages.release_comment(record, f"{settings.public_url}/api", approval_links(record, settings, blobs))
    for change in timeline.places_to_comment(record):
        with _noting(refused, record.id):
            github.upsert_comment(record.repository, change, record.commit.sha, record.id, body)
    return refused[0] if refused else ""


@contextlib.contextmanager
def _noting(refused: list[str], release: str) -> Iterator[None]:
    try:
        yield
    except Unavailable:
        raise
    except DrawbridgeError as error:
        log.error("GitHub refused the news of %s: %s", release, error)
        refused.append(messages.refused_by_github(str(error)))


def approval_links(record: ReleaseRecord, settings: Settings, blobs: Blobs) -> dict[str, dict[str, str]]:
    """Return the URL for each approver of each environment that waits for approval now."""
    waiting = [
        stage.name.removeprefix("approve-")
        for stage in record.stages
        if stage.name.startswith("approve-") and stage.state is StageState.RUNNING
    ]
    links = {}
    for environment in waiting:
        request = records.read_request(blobs, record.id, environment)
        if request is None:
            continue
        links[environment] = {
            approver: f"{settings.public_url}/api/approvals/{link_token(request, number, settings.link_secret)}"
            for number, approver in enumerate(request.approvers)
            if approver.casefold() not in {login.casefold() for login in request.excluded}
        }
    return links
