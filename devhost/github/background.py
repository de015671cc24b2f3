"""The double on a thread of this process, for tests: fresh, fast, and held to what GitHub publishes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace

from devhost.github.client import Client
from devhost.github.server import Options, serving


@contextmanager
def running(options: Options) -> Iterator[str]:
    """Serve while inside; gives the origin. Raises AssertionError at the end for what GitHub does not publish so."""
    checked = replace(options, check=True)
    ready: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(checked, ready)), name="github-double", daemon=True)
    thread.start()
    origin, loop, stop = ready.result(timeout=30)
    try:
        yield origin
        found = Client(origin).findings()
        if found:
            raise AssertionError("Not as GitHub publishes it:\n" + "\n".join(found))
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=30)


async def _serve(options: Options, ready: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
    stop = asyncio.Event()
    try:
        async with serving(options) as origin:
            ready.set_result((origin, asyncio.get_running_loop(), stop))
            await stop.wait()
    except BaseException as error:
        if not ready.done():
            ready.set_exception(error)
        raise
