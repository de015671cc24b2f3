"""Webhook deliveries: signed as GitHub signs them, sent once, logged, sent again only when asked."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
import uuid
from typing import Any

import aiohttp

from devhost.github.hooks import Hooks
from devhost.github.store import Record, Store, now

SECONDS = 10.0  # GitHub gives up after this long


def signature(secret: str, body: bytes) -> str:
    """Give the X-Hub-Signature-256 of a delivery's raw body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Webhooks:
    """Sends to the hooks that hear of an event; an empty address only keeps the log of what would have been sent."""

    def __init__(self, store: Store, hooks: Hooks) -> None:
        self._store = store
        self._hooks = hooks
        self._session: aiohttp.ClientSession | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._lost: list[int] = []  # the statuses that the next deliveries fail with; 0 leaves no line in the log

    async def close(self) -> None:
        """Give up on deliveries still under way; the log has them as not delivered."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        if self._session:
            await self._session.close()

    def lose(self, times: int, status: int) -> None:
        """Let the next deliveries fail with a status and never arrive; with status 0 not even the log has them."""
        self._lost = [status] * times

    def send(self, event: str, action: str, repository: Record, payload: dict[str, Any]) -> None:
        """Log and send an event's deliveries soon."""
        for hook in self._hooks.hearing(event, repository):
            self.send_to(hook, event, action, repository, payload)

    def send_to(self, hook: Record, event: str, action: str, repository: Record, payload: dict[str, Any]) -> None:
        """Log and send one delivery soon."""
        delivery = {
            "guid": str(uuid.uuid4()),
            "event": event,
            "action": action,
            "payload": json.dumps(payload),
            "hook": hook["id"],
            "repository_id": repository["id"],
        }
        self._start(hook, repository["repository"], delivery, redelivery=False)

    def redeliver(self, delivery: Record, repository: Record) -> Record:
        """Send the same body again under the same X-GitHub-Delivery, as its own line of the log."""
        names = ("guid", "event", "action", "payload", "hook", "repository_id")
        hooks = self._hooks.hearing(delivery["event"], repository)
        hook = next((one for one in hooks if one["id"] == delivery["hook"]), None) or {"url": "", "secret": ""}
        kept = {name: delivery[name] for name in names}
        return self._start(hook, delivery["repository"], kept, redelivery=True) or delivery

    def _start(self, hook: Record, repository: str, fields: dict[str, Any], redelivery: bool) -> Record | None:
        lost = self._lost.pop() if self._lost else None
        if lost == 0:
            return None
        delivery = self._store.add(
            "delivery",
            repository,
            **fields,
            redelivery=redelivery,
            delivered_at=now(),
            duration=0.0,
            status="not delivered" if lost is None else _said(lost),
            status_code=lost or 0,
            response="",
            response_headers={},
        )
        if hook["url"] and lost is None:
            task = asyncio.get_running_loop().create_task(self._deliver(hook, delivery))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        return delivery

    async def _deliver(self, hook: Record, delivery: Record) -> None:
        body = delivery["payload"].encode()
        started = time.monotonic()
        headers = self.headers(delivery, hook["secret"])
        try:
            async with self._client().post(hook["url"], data=body, headers=headers) as reply:
                text = (await reply.content.read(10_000)).decode(errors="replace")
                outcome: dict[str, Any] = {"status": _said(reply.status), "status_code": reply.status}
                outcome |= {"response": text, "response_headers": dict(reply.headers)}
        except TimeoutError:
            outcome = {"status": "timed out", "status_code": 504}
        except (aiohttp.ClientError, OSError) as error:
            outcome = {"status": f"failed to connect to host: {error}", "status_code": 502}
        delivery.update(outcome, delivered_at=now(), duration=round(time.monotonic() - started, 3))
        self._store.save(delivery)

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS))
        return self._session

    def headers(self, delivery: Record, secret: str) -> dict[str, str]:
        """Give a delivery's headers."""
        signed = {"X-Hub-Signature-256": signature(secret, delivery["payload"].encode())} if secret else {}
        return {
            "Accept": "*/*",
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/double",
            "X-GitHub-Delivery": delivery["guid"],
            "X-GitHub-Event": delivery["event"],
            "X-GitHub-Hook-ID": str(delivery["hook"]),
            "X-GitHub-Hook-Installation-Target-Type": "integration" if self._hooks.own.app else "repository",
            **signed,
        }


def _said(status: int) -> str:
    if status == 502:
        return "failed to connect to host"
    return "OK" if 200 <= status < 300 else f"Invalid HTTP Response: {status}"
