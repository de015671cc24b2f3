"""The durable HTTP API, for people under the public path and for the SDK on a loopback port of its own."""

from __future__ import annotations

from aiohttp import web

from devhost.durable.engine import Engine


def add_routes(app: web.Application, engine: Engine, prefix: str, key: str = "") -> None:
    """Serve the API below `prefix`; with a `key`, every call must carry it as `code` or `x-functions-key`."""


class RpcListener:
    """Serves the API to the SDK on 127.0.0.1:17071, or on a free port when that one is busy."""

    def __init__(self, engine: Engine, public_origin: str) -> None:
        self.engine = engine
        self.public_origin = public_origin

    async def start(self) -> str:
        """Listen; returns the base URL, ending in a slash."""
        return "http://127.0.0.1:17071/durabletask/"

    async def stop(self) -> None:
        """Stop listening."""
