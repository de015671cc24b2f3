"""The clock calls in: nights are started, once for each date whatever the clock does."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, date, datetime

import azure.durable_functions as df
import azure.functions as func

from adapters import connect
from adapters.blobs import Blobs
from domain import blob_names
from domain.errors import DrawbridgeError
from domain.git_flow import nightly_id
from domain.schedules import due
from settings import Settings, current
from triggers.answers import refused, structured
from triggers.start import runs, start_once

bp = df.Blueprint()
log = logging.getLogger("drawbridge.nightly")


@bp.timer_trigger(arg_name="timer", schedule="0 */15 * * * *")
@bp.durable_client_input(client_name="client")
async def nights(timer: func.TimerRequest, client: df.DurableOrchestrationClient) -> None:  # noqa: ARG001 - by name
    """Look every 15 minutes whether a night is due; one repository's trouble keeps no other from its night."""
    settings = current()
    for repository in settings.repositories:
        try:
            await start_night(client, connect.blobs(settings), settings, repository, datetime.now(UTC))
        except DrawbridgeError as error:
            refused(log, error, event="nightly", repository=repository)


async def start_night(
    client: df.DurableOrchestrationClient, blobs: Blobs, settings: Settings, repository: str, now: datetime
) -> None:
    """Start a repository's night if one is due and the one before has ended.

    A repository that is new here has its first one when the next date is due. That a date runs once does not hang on
    the note of the last one: its instance is claimed like any other. Raises Unavailable when storage or Durable does
    not answer; the next look tries again.
    """
    name = blob_names.night_started(repository)
    started = await asyncio.to_thread(blobs.read_json, name)
    last = date.fromisoformat(started["date"]) if started else None
    night = due(now, settings.nightly_at, settings.timezone, last)
    if night is None:
        return
    about = {"repository": repository, "date": str(night)}
    if started is None:
        await asyncio.to_thread(blobs.create_json, name, {"date": str(night), "instance": ""})
        structured(log, "nightly", decision="begins with the next date", **about)
        return
    if started["instance"] and await runs(client, started["instance"]):
        structured(log, "nightly", decision="waits", before=started["instance"], **about)
        return
    instance = nightly_id(repository, str(night))
    work = {**about, "branch": settings.release_branch.of(repository)}
    decision = await start_once(client, blobs, "nightly", instance, work)
    await asyncio.to_thread(blobs.write_json, name, {"date": str(night), "instance": instance})
    structured(log, "nightly", decision=decision, instance=instance, **about)
