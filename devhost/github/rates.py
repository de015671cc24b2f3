"""Rate limits: requests an hour, and content writes a minute, of each credential."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field

from aiohttp import web

from devhost.github.refusals import Refused

HOUR, MINUTE = 3600, 60.0
_WRITES = ("POST", "PATCH", "PUT", "DELETE")
_PRIMARY = "API rate limit exceeded for user ID 1."
_SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."


@dataclass
class _Used:
    reset: int  # when the hour is over, in seconds since the epoch
    requests: int = 0
    writes: list[float] = field(default_factory=list)  # when, within the last minute


class Rates:
    """Counts and refuses. `writes_per_minute` 0 leaves the secondary limit off."""

    def __init__(self) -> None:
        self.change(5000, 0)

    def change(self, per_hour: int, writes_per_minute: int) -> None:
        """Set the limits and forget what was used."""
        self._per_hour, self._per_minute = per_hour, writes_per_minute
        self._used: dict[str, _Used] = defaultdict(lambda: _Used(int(time.time()) + HOUR))

    def take(self, request: web.Request) -> None:
        """Count a request. Raises Refused 403 over a limit, as GitHub does."""
        used = self._of(request)
        if used.requests >= self._per_hour:
            raise Refused(403, _PRIMARY, headers=self.headers(request))
        used.requests += 1
        if request.method in _WRITES and self._per_minute:
            self._take_write(used)

    def _take_write(self, used: _Used) -> None:
        now = time.time()
        used.writes = [at for at in used.writes if at > now - MINUTE]
        if len(used.writes) >= self._per_minute:
            wait = max(int(used.writes[0] + MINUTE - now) + 1, 1)
            raise Refused(403, _SECONDARY, headers={"Retry-After": str(wait)})
        used.writes.append(now)

    def give_back(self, request: web.Request) -> None:
        """Uncount a request that was answered 304."""
        self._of(request).requests -= 1

    def overview(self, request: web.Request) -> dict[str, int]:
        """Say how much of the limit is left."""
        used = self._of(request)
        left = max(self._per_hour - used.requests, 0)
        return {"limit": self._per_hour, "used": used.requests, "remaining": left, "reset": used.reset}

    def headers(self, request: web.Request) -> dict[str, str]:
        """Give the headers that every answer has."""
        numbers = {f"X-RateLimit-{name.title()}": str(value) for name, value in self.overview(request).items()}
        return {**numbers, "X-RateLimit-Resource": "core"}

    def _of(self, request: web.Request) -> _Used:
        credential = request.headers.get("Authorization", "")
        if self._used[credential].reset <= time.time():
            del self._used[credential]
        return self._used[credential]
