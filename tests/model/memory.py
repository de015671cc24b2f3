"""Blob storage in memory: what `adapters.blobs.Blobs` does, thousands of times a second, with faults on demand.

`test_memory.py` holds it to the same contract as the real adapter over Azurite.
"""

from __future__ import annotations

import bisect
import itertools
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TypeVar

from adapters.blobs import Blobs
from domain.errors import NotFound, Unavailable

T = TypeVar("T")
_ETAGS = itertools.count(1)  # of all containers: one of a copy is none of the original's


class Fault(Enum):
    """How a call to the storage goes wrong."""

    REFUSED = "nothing happened"
    LOST = "it happened, and the answer was lost"


# Asked before every call, with the blob's name; may also raise whatever a test wants to happen there.
Faults = Callable[[str], Fault | None]


def no_faults(_name: str) -> Fault | None:
    """Let every call through."""
    return None


def _now() -> datetime:
    return datetime.now(UTC)


class MemoryBlobs(Blobs):
    """One container in memory. Safe to share between threads, as the real one is."""

    def __init__(self, faults: Faults = no_faults, clock: Callable[[], datetime] = _now) -> None:
        self.faults = faults
        self._clock = clock
        self._lock = threading.RLock()
        self._blobs: dict[str, tuple[bytes, str]] = {}  # content and etag
        self._written: dict[str, datetime] = {}
        self._names: list[str] = []  # sorted

    def copy_from(self, other: MemoryBlobs) -> None:
        """Take everything another container holds."""
        with other._lock:
            self._blobs.update(other._blobs)
            self._written.update(other._written)
            self._names[:] = sorted(self._blobs)

    def without_faults(self) -> MemoryBlobs:
        """Return another way to the same blobs, for whoever only looks on."""
        view = MemoryBlobs(clock=self._clock)
        view._lock, view._blobs, view._written, view._names = self._lock, self._blobs, self._written, self._names
        return view

    def read_with_etag(self, name: str) -> tuple[bytes, str] | None:
        return self._do(name, lambda: self._blobs.get(name))

    def exists(self, name: str) -> bool:
        return self._do(name, lambda: name in self._blobs)

    def write(self, name: str, data: bytes) -> None:
        self._do(name, lambda: self._put(name, data))

    def create(self, name: str, data: bytes) -> bool:
        return self._do(name, lambda: name not in self._blobs and self._put(name, data))

    def replace(self, name: str, data: bytes, etag: str) -> bool:
        return self._do(name, lambda: self._etag(name) == etag and self._put(name, data))

    def remove(self, name: str, etag: str | None = None) -> bool:
        def work() -> bool:
            there = self._etag(name)
            if there is None or etag not in (None, there):
                return False
            del self._blobs[name]
            self._names.remove(name)
            return True

        return self._do(name, work)

    def append(self, name: str, data: bytes, size: int) -> bool:
        def work() -> bool:
            there = self._blobs.get(name, (b"", ""))[0]
            return len(there) == size and self._put(name, there + data)

        return self._do(name, work)

    def read_from(self, name: str, offset: int, length: int) -> bytes:
        return self._do(name, lambda: self._blobs.get(name, (b"", ""))[0][offset : offset + length])

    def names(self, prefix: str = "") -> list[str]:
        return self._do(prefix, lambda: self._listed(prefix))

    def written(self, prefix: str) -> tuple[datetime, dict[str, datetime]]:
        def work() -> dict[str, datetime]:
            return {name: self._written[name] for name in self._listed(prefix)}

        return self._clock().replace(microsecond=0), self._do(prefix, work)

    def upload_file(self, name: str, path: Path) -> None:
        data = path.read_bytes()
        self._do(name, lambda: self._put(name, data))

    def download_file(self, name: str, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        found = self.read_with_etag(name)
        if found is None:
            raise NotFound(f"there is no blob {name} in memory")
        path.write_bytes(found[0])

    def _do(self, name: str, work: Callable[[], T]) -> T:
        fault = self.faults(name)
        if fault is Fault.REFUSED:
            raise Unavailable("blob storage in memory is away")
        with self._lock:
            answer = work()
        if fault is Fault.LOST:
            raise Unavailable("blob storage in memory did not answer")
        return answer

    def _listed(self, prefix: str) -> list[str]:
        first = bisect.bisect_left(self._names, prefix)
        return list(itertools.takewhile(lambda name: name.startswith(prefix), self._names[first:]))

    def _put(self, name: str, data: bytes) -> bool:
        if name not in self._blobs:
            bisect.insort(self._names, name)
        self._blobs[name] = (bytes(data), str(next(_ETAGS)))
        self._written[name] = self._clock().replace(microsecond=0)  # storage tells seconds
        return True

    def _etag(self, name: str) -> str | None:
        return self._blobs[name][1] if name in self._blobs else None
