"""What was claimed and never started is started; what an operator ended is closed, and leaves its lanes."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import azure.durable_functions as df

from adapters import audit, closing, connect, lanes, records, release_index
from adapters.blobs import Blobs
from domain import blob_names, reconcile
from domain.audit import APP
from domain.errors import Unavailable
from domain.lanes import Lane, leave, rollback_name, rollbacks
from domain.messages_promotion import rollback_ended
from domain.models import ReleaseRecord
from settings import Settings
from triggers.answers import structured
from triggers.start import next_number, runs, start_once

log = logging.getLogger("drawbridge.reconcile")

_GIVEN_UP = timedelta(days=1)  # after which nobody is between noting a start and claiming it


async def finish_starts(client: df.DurableOrchestrationClient, blobs: Blobs, settings: Settings) -> None:
    """Start what was claimed and never started, close releases and take out rollbacks whose orchestration is no more.

    Looks at what was started since the last time, at the releases that run, at those whose end nobody was told, and at
    the lanes, not at all there ever were.
    """
    now, noted = await asyncio.to_thread(blobs.written, blob_names.starting(""))
    for note, at in noted.items():
        if await _finish(client, blobs, note.removeprefix(blob_names.starting("")), now - at):
            await asyncio.to_thread(blobs.remove, note)
    for release in await asyncio.to_thread(_not_done_with, blobs):
        await _see_carried_on(client, blobs, settings, release)
    for lane in await asyncio.to_thread(lanes.all_lanes, blobs):
        for release in rollbacks(lane):
            await _see_left(client, blobs, lane, release)


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
    """Close a release that nobody carries on, unless it has its end, and let GitHub hear of it.

    One that somebody was cancelling is cancelled in that person's name.
    """
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    bar = lanes.find_bar(blobs, record.id)
    reason, by = (bar.why, bar.by) if bar else (reason, APP)
    closed = closing.close_release(blobs, record, reason, by=by, at=at)
    closing.tell(blobs, connect.outbox(settings), closed, f"{settings.public_url}/api")
    structured(log, "closed", release=record.id, reason=closed.reason)


async def _see_left(client: df.DurableOrchestrationClient, blobs: Blobs, lane: Lane, release: str) -> None:
    """Take a rollback that is over out of its lane, unless what it began goes on: Durable ends no children with it."""
    name = rollback_name(release, lane.environment)
    number = await next_number(client, blobs, name)
    ended, following = f"{name}-{number - 1}", f"{name}-{number}"
    if not any([await runs(client, f"{ended}.{child}") for child in ("lane", "deploy")]):
        await asyncio.to_thread(_take_out, blobs, lane, release, ended, following)


def _take_out(blobs: Blobs, lane: Lane, release: str, ended: str, following: str) -> None:
    taken_out: list[bool] = []

    def step(found: Lane) -> Lane:
        # Asked in here: the next one is claimed before it changes the lane, which would be its own by then.
        left = found if blobs.exists(blob_names.claim(following)) else leave(found, release, rollback=True)
        taken_out[:] = [left != found]
        return left

    lanes.change(blobs, lane.repository, lane.environment, step)
    if taken_out[0]:
        why = {"environment": lane.environment, "why": rollback_ended(lane.environment)}
        audit.record(blobs, key=f"{ended}:ended", what="rollback-ended", who=APP, subject=release, details=why)
        structured(log, "rollback ended", instance=ended, environment=lane.environment)
