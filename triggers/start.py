"""Start an orchestration at most once, ever, however often and however concurrently it is asked for.

Durable alone does not promise that: a finished id may start again, and two simultaneous starts race. So the first to
create `claims/<instance id>` starts; everybody else finds out that it was started. When the first one died on the way,
one of those who come later takes its claim over.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary

import azure.durable_functions as df

from adapters.blobs import Blobs
from domain import blob_names
from domain.errors import DrawbridgeError, Unavailable
from domain.reconcile import OVER

STARTED, DUPLICATE = "started", "already started"

# A claim without an instance for this long was made by a process that died between the two.
_LOST_AFTER = timedelta(seconds=10)
# After this long the instance may have been purged with the history of the task hub, so nobody knows: it did start.
_FORGOTTEN_AFTER = timedelta(days=7)

_REMEMBERED = 10_000  # instances

_under_way: dict[str, asyncio.Task[str]] = {}
_started: WeakKeyDictionary[Blobs, dict[str, None]] = WeakKeyDictionary()


async def start_once(
    client: df.DurableOrchestrationClient, blobs: Blobs, orchestrator: str, instance: str, payload: dict[str, Any]
) -> str:
    """Start `orchestrator` under `instance`, or find that it was started before.

    Deliveries of one event that arrive together share one attempt, and those after it need nothing but this process's
    memory: what was started stays started. Raises Unavailable while another process may still be starting it, and when
    Durable does not answer.
    """
    started = _started.setdefault(blobs, {})
    if instance in started:
        return DUPLICATE
    attempt = _under_way.get(instance)
    if attempt is None:
        attempt = asyncio.ensure_future(_attempt(client, blobs, orchestrator, instance, payload))
        _under_way[instance] = attempt
        attempt.add_done_callback(lambda _: _under_way.pop(instance, None))
        decision = await asyncio.shield(attempt)
        _remember(started, instance)
        return decision
    await asyncio.shield(attempt)
    return DUPLICATE


async def runs(client: df.DurableOrchestrationClient, instance: str) -> bool | None:
    """Say whether an instance is under way; None when there is none. Raises Unavailable."""
    try:
        status = await client.get_status(instance)
    except Exception as error:  # the SDK has no narrower class
        raise Unavailable(f"Nobody can say now whether {instance} is under way: try again in a moment.") from error
    known = status.runtime_status if status else None
    return None if known is None else known.name not in OVER


async def is_gone(client: df.DurableOrchestrationClient, blobs: Blobs, instance: str) -> bool:
    """Say whether an instance was started and does nothing more: it has ended, or was purged since.

    Raises Unavailable.
    """
    # The note of a start is taken away once somebody has seen that it was started: what is not there then was purged.
    seen = instance in _started.get(blobs, {}) or not await asyncio.to_thread(
        blobs.exists, blob_names.starting(instance)
    )
    running = await runs(client, instance)
    if running is not None:
        return not running
    age = await asyncio.to_thread(_age, blobs, instance)
    return age > (_LOST_AFTER if seen else _FORGOTTEN_AFTER)


async def next_number(client: df.DurableOrchestrationClient, blobs: Blobs, name: str) -> int:
    """Number the first of `<name>-1`, `<name>-2`, … that is not over: it runs, or nobody has started it yet.

    Raises Unavailable.
    """
    number = 1
    while await is_gone(client, blobs, f"{name}-{number}"):
        number += 1
    return number


def _remember(started: dict[str, None], instance: str) -> None:
    started[instance] = None
    if len(started) > _REMEMBERED:
        del started[next(iter(started))]


async def _attempt(
    client: df.DurableOrchestrationClient, blobs: Blobs, orchestrator: str, instance: str, payload: dict[str, Any]
) -> str:
    # The reconciler finishes the start from this alone when its process dies here.
    order = {"orchestrator": orchestrator, "at": datetime.now(UTC).isoformat(), "input": payload}
    claim = json.dumps(order).encode()
    # Claims stay for ever: this is how the reconciler finds the few that may not have been started.
    await asyncio.to_thread(blobs.write, blob_names.starting(instance), b"")
    ours = await asyncio.to_thread(blobs.create, blob_names.claim(instance), claim)
    try:
        if not ours and await _was_started(client, blobs, instance):
            return DUPLICATE
        if not ours and not await asyncio.to_thread(_take_over, blobs, instance, claim):
            raise Unavailable(f"{instance} is being started by another delivery: deliver again", _retry_after())
        await client.start_new(orchestrator, instance, payload)
    except DrawbridgeError:
        raise
    except Exception as error:  # the SDK has no narrower class
        raise Unavailable(f"{instance} could not be started: deliver again", _retry_after()) from error
    return STARTED


async def _was_started(client: df.DurableOrchestrationClient, blobs: Blobs, instance: str) -> bool:
    claim = await asyncio.to_thread(blobs.read_json, blob_names.claim(instance))
    if claim and "story" in claim:
        return True  # it is the child of one, which starts it itself: see activities.claim_run
    # The record outlives a purge of the task hub; the status is there before the first record is written.
    if await asyncio.to_thread(blobs.read, blob_names.record(instance)) is not None:
        return True
    status = await client.get_status(instance)
    if status and status.runtime_status is not None:
        return True
    return await asyncio.to_thread(_age, blobs, instance) > _FORGOTTEN_AFTER


def _take_over(blobs: Blobs, instance: str, claim: bytes) -> bool:
    """Renew a claim whose start was lost; of many at once exactly one wins. False while it may not be lost."""
    found = blobs.read_with_etag(blob_names.claim(instance))
    if found is None or _age(blobs, instance) < _LOST_AFTER:
        return False
    return blobs.replace(blob_names.claim(instance), claim, found[1])


def _age(blobs: Blobs, instance: str) -> timedelta:
    # By storage's clock alone: a host whose clock is an hour off must not start what another is starting.
    name = blob_names.claim(instance)
    now, written = blobs.written(name)
    return now - written.get(name, now)


def _retry_after() -> float:
    return _LOST_AFTER.total_seconds()
