"""Pages that several people look at within a second are made once: storage and rendering take far longer than the rest.

What changes something decides on what is in storage, never on what is kept here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")

SECONDS = 1.0  # that a page may be old
KEPT = 64  # pages


class Fresh(Generic[T]):
    """Answers by key, each made by whoever asks first and good for a second. Who may see an answer is in its key."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self._known: dict[Hashable, tuple[float, T]] = {}
        self._making: dict[Hashable, asyncio.Task[T]] = {}

    async def get(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """Return what is known, else what `make` returns; of those who ask meanwhile nobody makes it twice."""
        at, known = self._known.get(key, (0.0, None))
        if known is not None and time.monotonic() - at < self.seconds:
            return known
        task = self._making.get(key)
        if task is None:
            task = asyncio.ensure_future(make())
            self._making[key] = task
            task.add_done_callback(lambda done: self._made(key, done))
        return await asyncio.shield(task)

    def forget(self) -> None:
        """Know nothing any more: somebody has just changed something and looks at what came of it."""
        self._known.clear()
        self._making.clear()

    def _made(self, key: Hashable, task: asyncio.Task[T]) -> None:
        if self._making.get(key) is not task:
            return  # forgotten meanwhile: what it read may be from before
        del self._making[key]
        if task.cancelled() or task.exception():
            return
        self._known.pop(key, None)
        self._known[key] = time.monotonic(), task.result()
        while len(self._known) > KEPT:
            del self._known[next(iter(self._known))]
