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

from devhost.github.store import Record, Store, now

HOOK_ID = 1
SECONDS = 10.0  # GitHub gives up after this long


def signature(secret: str, body: bytes) -> str:
    """Give the X-Hub-Signature-256 of a delivery's raw body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Webhooks:
    """Sends to one URL; an empty URL only keeps the log of what would have been sent."""

    def __init__(self, store: Store, url: str, secret: str) -> None:
        self._store = store
        self._url = url
        self._secret = secret
        self._session: aiohttp.ClientSession | None = None
        self._sending: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Give up on deliveries still under way; the log has them as not delivered."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        if self._session:
            await self._session.close()

    def send(self, event: str, action: str, repository: str, payload: dict[str, Any]) -> Record:
        """Log a delivery and send it soon."""
        return self._log(str(uuid.uuid4()), event, action, repository, json.dumps(payload), redelivery=False)

    def redeliver(self, delivery: Record) -> Record:
        """Send the same body again under the same X-GitHub-Delivery, as its own line of the log."""
        keep = (delivery["guid"], delivery["event"], delivery["action"], delivery["repository"], delivery["payload"])
        return self._log(*keep, redelivery=True)

    def _log(self, guid: str, event: str, action: str, repository: str, payload: str, redelivery: bool) -> Record:
        delivery = self._store.add(
            "delivery",
            repository,
            guid=guid,
            event=event,
            action=action,
            payload=payload,
            redelivery=redelivery,
            delivered_at=now(),
            duration=0.0,
            status="not delivered",
            status_code=0,
            response="",
        )
        if self._url:
            task = asyncio.get_running_loop().create_task(self._deliver(delivery))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        return delivery

    async def _deliver(self, delivery: Record) -> None:
        body = delivery["payload"].encode()
        started = time.monotonic()
        try:
            async with self._client().post(self._url, data=body, headers=self._headers(delivery, body)) as reply:
                text = (await reply.content.read(10_000)).decode(errors="replace")
                outcome = {"status": "OK" if reply.ok else reply.reason, "status_code": reply.status, "response": text}
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

    def _headers(self, delivery: Record, body: bytes) -> dict[str, str]:
        signed = {"X-Hub-Signature-256": signature(self._secret, body)} if self._secret else {}
        return {
            "Accept": "*/*",
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/double",
            "X-GitHub-Delivery": delivery["guid"],
            "X-GitHub-Event": delivery["event"],
            "X-GitHub-Hook-ID": str(HOOK_ID),
            "X-GitHub-Hook-Installation-Target-Type": "repository",
            **signed,
        }
