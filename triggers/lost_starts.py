"""What was claimed and never started is started; releases whose orchestration an operator ended are closed."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import azure.durable_functions as df

from adapters import closing, connect, github_seen, records
from adapters.blobs import Blobs
from domain import blob_names, reconcile, release_news
from domain.errors import Unavailable
from domain.models import Outcome, ReleaseRecord
from domain.reconcile import Starts
from settings import Settings
from triggers.answers import structured
from triggers.start import start_once

log = logging.getLogger("drawbridge.reconcile")


async def finish_starts(client: df.DurableOrchestrationClient, blobs: Blobs, settings: Settings) -> None:
    """Start what was claimed and never started, and close releases whose orchestration is no more."""
    known = await asyncio.to_thread(github_seen.load, blobs, blob_names.SEEN_STARTS, Starts)
    now, written = await asyncio.to_thread(blobs.written, blob_names.claim(""))
    after = datetime.fromisoformat(known.upto) if known.upto else datetime.min.replace(tzinfo=UTC)
    fresh = [name.removeprefix(blob_names.claim("")) for name, at in written.items() if at >= after]
    young = [name for name in dict.fromkeys((*known.young, *fresh)) if not await _finish(client, blobs, name)]
    releases = {name for name in (*known.running, *fresh) if name.startswith("release-")}
    running = [name for name in sorted(releases) if name in young or await _runs(client, blobs, settings, name)]
    # Blobs are dated to the second, so the last one is looked at again.
    known = Starts((now - timedelta(seconds=1)).isoformat(), tuple(young), tuple(running))
    await asyncio.to_thread(github_seen.save, blobs, blob_names.SEEN_STARTS, known)


async def _finish(client: df.DurableOrchestrationClient, blobs: Blobs, instance: str) -> bool:
    """See that what was claimed was started; False while whoever claimed it may be at it."""
    claim = await asyncio.to_thread(blobs.read_json, blob_names.claim(instance))
    if claim is None or "story" in claim:
        return True
    try:
        await start_once(client, blobs, claim.get("orchestrator", "release"), instance, claim["input"])
    except Unavailable:
        return False
    return True


async def _runs(client: df.DurableOrchestrationClient, blobs: Blobs, settings: Settings, release: str) -> bool:
    """Say whether a release is to be looked at again: it runs, or is about to. One without orchestration is closed."""
    # The status before the record: a release writes its end before its orchestration ends.
    try:
        status = await client.get_status(release)
    except Exception as error:  # the SDK has no narrower class
        raise Unavailable(f"Durable does not say how {release} stands") from error
    runtime = status.runtime_status.name if status and status.runtime_status else None
    record = await asyncio.to_thread(records.find_record, blobs, release)
    if record is None:
        return runtime is not None and runtime not in reconcile.OVER
    if reconcile.is_orphan(record.outcome, runtime):
        await asyncio.to_thread(_close, blobs, settings, record, reconcile.orphaned(runtime))
        return False
    return record.outcome is Outcome.RUNNING


def _close(blobs: Blobs, settings: Settings, record: ReleaseRecord, reason: str) -> None:
    """Close a release that nobody carries on, and let GitHub hear of it."""
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    closed = closing.close_release(blobs, record, reason, by="drawbridge", at=at)
    before = {stage.name: stage.state for stage in record.stages}
    changed = [stage.name for stage in closed.stages if before.get(stage.name) is not stage.state]
    connect.outbox(settings).post(*release_news.news(closed, changed, f"{settings.public_url}/api", {}))
    structured(log, "closed", release=record.id, reason=reason)
