"""What was not as GitHub publishes it: requests that came, answers and webhooks of the double's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiohttp import web

from devhost.github.store import Store

OUR_ADAPTER = "PyGithub"  # in User-Agent


class Findings:
    """Keeps what does not fit; with `on` false nothing is looked at, and jsonschema is not needed."""

    def __init__(self, store: Store, on: bool) -> None:
        self._store = store
        self._on = on

    def all(self) -> list[str]:
        """List what was found, oldest first."""
        return [one["what"] for one in self._store.all("finding")]

    def forget(self) -> None:
        """Begin anew."""
        for one in self._store.all("finding"):
            self._store.remove(one)

    async def check_request(self, request: web.Request, status: int) -> None:
        """Hold a request to GitHub's description, knowing the status it was answered with."""
        # A test may ask for nonsense, to be refused; the adapter may not.
        if self._on and (status < 400 or OUR_ADAPTER in request.headers.get("User-Agent", "")):
            from devhost.github import description  # noqa: PLC0415 - only with what `make setup` brings

            path = request.rel_url.raw_path
            wrong = description.request(request.method, path, request.query, await request.read())
            self._keep(f"{request.method} {path} -> {status}", wrong)

    def check_answer(self, request: web.Request, reply: web.StreamResponse) -> None:
        """Hold an answer of the double's own to GitHub's description."""
        if self._on:
            from devhost.github import description  # noqa: PLC0415

            path = request.rel_url.raw_path
            body = reply.body if isinstance(reply, web.Response) and isinstance(reply.body, bytes) else b""
            wrong = description.answer(request.method, path, reply.status, body)
            self._keep(f"{request.method} {path} -> {reply.status}", wrong)

    def check_webhook(self, event: str, payload: dict[str, Any]) -> None:
        """Hold a webhook's payload to GitHub's schemas."""
        if self._on:
            from devhost.github import description  # noqa: PLC0415

            self._keep(f"webhook {event} {payload.get('action', '')}".strip(), description.webhook(event, payload))

    def _keep(self, where: str, wrong: Iterable[str]) -> None:
        for what in wrong:
            self._store.add("finding", "", what=f"{where}: {what}")
