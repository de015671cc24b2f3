"""Runs activities, a bounded number at once, and commits their results."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any, Protocol

import aiohttp

from devhost.durable.actions import HTTP_ACTIVITY
from devhost.durable.episodes import Names
from devhost.durable.errors import NotSupported
from devhost.durable.failures import activity_details, activity_reason, warn_if_large
from devhost.durable.history import Event, Kind, event, now, timestamp
from devhost.durable.hub import Hub
from devhost.durable.records import Message, WorkItem

log = logging.getLogger("devhost.durable")


class Actor(Protocol):
    """Runs one activity of the app."""

    async def act(self, name: str, input_text: str, instance_id: str) -> str | None:
        """Run it; returns its result as JSON text, or raises what the function raised."""


class Activities:
    """Takes work items in order; an item leaves the hub together with the arrival of its result."""

    def __init__(self, hub: Hub, actor: Actor, names: Names, at_once: int, wake: Callable[[str], None]) -> None:
        self._hub = hub
        self._actor = actor
        self._names = names
        self._at_once = at_once
        self._wake = wake
        self._queue: asyncio.Queue[WorkItem | None] = asyncio.Queue()
        self._workers: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to take items."""
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._at_once)]

    def add(self, items: list[WorkItem]) -> None:
        """Queue committed items."""
        for item in items:
            self._queue.put_nowait(item)

    async def stop(self, grace: float) -> None:
        """Take no more; wait up to `grace` seconds for what runs."""
        while not self._queue.empty():
            self._queue.get_nowait()
        for _ in self._workers:
            self._queue.put_nowait(None)
        if self._workers:
            await asyncio.wait(self._workers, timeout=grace)
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def _work(self) -> None:
        while (item := await self._queue.get()) is not None:
            result = await self._run(item)
            await self._save(item, Message(item.instance_id, result, item.execution_id))

    async def _run(self, item: WorkItem) -> Event:
        try:
            result = await self._act(item)
        except Exception as error:
            log.info("activity %s of %s failed: %r", item.name, item.instance_id, error)
            failure = {"Reason": activity_reason(item.name, error), "Details": activity_details(error)}
            fields: dict[str, Any] = {"TaskScheduledId": item.task_id, **failure, "FailureDetails": None}
            return event(Kind.TASK_FAILED, timestamp(now()), **fields)
        warn_if_large(f"the result of activity {item.name}", result)
        return event(Kind.TASK_COMPLETED, timestamp(now()), TaskScheduledId=item.task_id, Result=result)

    async def _act(self, item: WorkItem) -> str | None:
        if item.name == HTTP_ACTIVITY:
            return await _call_http(json.loads(item.input))
        self._names.check_activity(item.name)  # an older version of the app may have scheduled it
        return await self._actor.act(item.name, item.input, item.instance_id)

    async def _save(self, item: WorkItem, result: Message) -> None:
        delay = 1.0
        while True:
            try:
                if await self._hub.finish_work(item, result):
                    self._wake(item.instance_id)
                return
            except Exception:
                log.exception("the result of activity %s could not be saved; trying again", item.name)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 30.0)


async def _call_http(call: dict[str, Any]) -> str:
    if call.get("tokenSource"):
        raise NotSupported("call_http with a token source needs a managed identity, which this host does not have")
    async with (
        aiohttp.ClientSession() as session,
        session.request(call["method"], call["uri"], data=call.get("content"), headers=call.get("headers")) as answer,
    ):
        content = await answer.text()
        return json.dumps({"statusCode": answer.status, "headers": dict(answer.headers), "content": content})
