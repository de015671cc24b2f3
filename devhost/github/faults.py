"""Failures on demand: 5xx, limits, silence, a lost connection, before or after the effect."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Fault:
    """What goes wrong with the next `times` API requests that fit.

    `status` answers with that status, `answer` with that JSON as if it were what GitHub knows so far, `hang` waits that
    many seconds first, `reset` breaks the connection; with `after_effect` the request is carried out before its reply
    is lost.
    """

    method: str = ""  # empty: any
    path_regex: str = ""  # searched in the path
    times: int = 1
    status: int = 0
    answer: Any = None
    message: str = "Server Error"
    retry_after: float | None = None
    headers: dict[str, str] | None = None
    hang: float = 0.0
    reset: bool = False
    after_effect: bool = False

    def fits(self, request: web.Request) -> bool:
        """Say whether this request is to fail."""
        method = not self.method or request.method == self.method.upper()
        return self.times > 0 and method and re.search(self.path_regex, request.path) is not None


class Faults:
    """The faults that are waiting for their requests."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fields: dict[str, Any]) -> None:
        """Let requests fail. Raises TypeError for a field no fault has."""
        self._waiting.append(Fault(**fields))

    def clear(self) -> None:
        """Let every request pass again."""
        self._waiting.clear()

    async def around(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Carry out the request, unless a fault takes it or its reply."""
        fault = next((fault for fault in self._waiting if fault.fits(request)), None)
        if fault is None:
            return await handler(request)
        fault.times -= 1
        reply = await handler(request) if fault.after_effect else None
        if fault.hang:
            await asyncio.sleep(fault.hang)
        if fault.reset and request.transport:
            request.transport.abort()
        if fault.status:
            return _failure(fault)
        if fault.answer is not None:
            return web.json_response(fault.answer)
        return reply or await handler(request)


def _failure(fault: Fault) -> web.Response:
    headers = dict(fault.headers or {})
    if fault.retry_after is not None:
        headers["Retry-After"] = f"{fault.retry_after:g}"
    return web.json_response({"message": fault.message}, status=fault.status, headers=headers)
