"""Small things about files that several local parts need."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Write a text file so that a reader, also after a crash, sees the old content or the new, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file's lock against other threads and processes; a holder that dies lets go."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def tail(path: Path, size: int = 64 * 1024) -> str:
    """Return the end of a text file, at most `size` bytes; nothing when there is no such file."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


def last_words(log: Path) -> str:
    """Return the last line of a log that says something, for a message."""
    lines = (line.strip() for line in reversed(tail(log).split("\n")))
    return next((line[:500] for line in lines if line), "it printed nothing")
