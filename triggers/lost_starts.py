"""What was claimed and never started is started; releases whose orchestration an operator ended are closed."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import azure.durable_functions as df

from adapters import closing, connect, records, release_index
from adapters.blobs import Blobs
from domain import blob_names, reconcile
from domain.errors import Unavailable
from domain.models import ReleaseRecord
from settings import Settings
from triggers.answers import structured
from triggers.start import start_once

log = logging.getLogger("drawbridge.reconcile")

_GIVEN_UP = timedelta(days=1)  # after which nobody is between noting a start and claiming it


async def finish_starts(client: df.DurableOrchestrationClient, blobs: Blobs, settings: Settings) -> None:
    """Start what was claimed and never started, and close releases whose orchestration is no more.

    Looks at what was started since the last time, at the releases that run and at those whose end nobody was told,
    not at all there ever were.
    """
    now, noted = await asyncio.to_thread(blobs.written, blob_names.starting(""))
    for note, at in noted.items():
        if await _finish(client, blobs, note.removeprefix(blob_names.starting("")), now - at):
            await asyncio.to_thread(blobs.remove, note)
    for release in await asyncio.to_thread(_not_done_with, blobs):
        await _see_carried_on(client, blobs, settings, release)


async def _finish(client: df.DurableOrchestrationClient, blobs: Blobs, instance: str, noted: timedelta) -> bool:
    """See that what was claimed was started; False while whoever noted or claimed it may be at it."""
    claim = await asyncio.to_thread(blobs.read_json, blob_names.claim(instance))
    if claim is None:
        return noted > _GIVEN_UP
    if "story" in claim:
        return True
    try:
        await start_once(client, blobs, claim.get("orchestrator", "release"), instance, claim["input"])
    except Unavailable:
        return False
    return True


def _not_done_with(blobs: Blobs) -> list[str]:
    untold = [note.removeprefix(blob_names.untold()) for note in blobs.names(blob_names.untold())]
    return list(dict.fromkeys((*release_index.running(blobs), *untold)))


async def _see_carried_on(
    client: df.DurableOrchestrationClient, blobs: Blobs, settings: Settings, release: str
) -> None:
    """Close a release that has no orchestration any more, or tell its end when that is all that is missing."""
    # The status before the record: a release writes its end before its orchestration ends.
    try:
        status = await client.get_status(release)
    except Exception as error:  # the SDK has no narrower class
        raise Unavailable(f"Durable does not say how {release} stands") from error
    runtime = status.runtime_status.name if status and status.runtime_status else None
    record = await asyncio.to_thread(records.find_record, blobs, release)
    if record and reconcile.is_orphan(runtime):
        await asyncio.to_thread(_close, blobs, settings, record, reconcile.orphaned(runtime))


def _close(blobs: Blobs, settings: Settings, record: ReleaseRecord, reason: str) -> None:
    """Close a release that nobody carries on, unless it has its end, and let GitHub hear of it."""
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    closed = closing.close_release(blobs, record, reason, by="drawbridge", at=at)
    closing.tell(blobs, connect.outbox(settings), closed, f"{settings.public_url}/api")
    structured(log, "closed", release=record.id, reason=closed.reason)
