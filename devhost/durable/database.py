"""One SQLite file, used by one thread that puts waiting operations into one transaction."""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from devhost.durable.errors import HubError

Result = TypeVar("Result")
Operation = Callable[[sqlite3.Connection], Any]
_MOST_IN_ONE_COMMIT = 200


@dataclass
class _Job:
    operation: Operation
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class Database:
    """Runs each operation atomically, on a thread of its own, so that the event loop never waits for the disk."""

    def __init__(self, path: Path, schema: str) -> None:
        self._path = path
        self._schema = schema
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock: IO[str] | None = None

    def open(self) -> None:
        """Open or create the file. Raises HubError when another process has it, or it cannot be used."""
        self._lock = _lock(self._path)
        try:
            connection = self._connect()
        except sqlite3.Error as error:
            self._lock.close()
            raise HubError(f"{self._path} cannot be used as a task hub: {error}") from error
        self._thread = threading.Thread(target=self._work, args=(connection,), name="task-hub", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Finish the operations that wait, then close the file."""
        if self._thread and self._lock:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None
            self._lock.close()

    async def run(self, operation: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run `operation` and return its result once it is committed; what it raises undoes it alone."""
        loop = asyncio.get_running_loop()
        job = _Job(operation, loop, loop.create_future())
        self._jobs.put(job)
        result: Result = await job.future
        return result

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, cached_statements=256)
        connection.execute("PRAGMA journal_mode = WAL")
        # A killed process loses nothing in this mode; a power cut may lose the last commits, never the file.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(self._schema)
        return connection

    def _work(self, connection: sqlite3.Connection) -> None:
        while (job := self._jobs.get()) is not None:
            jobs = [job]
            closing = self._gather(jobs)
            _commit_together(connection, jobs)
            _answer(jobs)
            if closing:
                break
        connection.close()

    def _gather(self, jobs: list[_Job]) -> bool:
        """Add the jobs that wait already; returns whether the database is to be closed after them."""
        while len(jobs) < _MOST_IN_ONE_COMMIT:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return False
            if job is None:
                return True
            jobs.append(job)
        return False


def _lock(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.with_name(path.name + ".lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise HubError(f"{path} cannot be used as a task hub: {error.strerror}; choose another --hub") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        holder = file.read().strip()
        file.close()
        raise HubError(
            f"{path} is in use by another host (process {holder}): stop it, or choose another --hub"
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _commit_together(connection: sqlite3.Connection, jobs: list[_Job]) -> None:
    try:
        connection.execute("BEGIN IMMEDIATE")
        for job in jobs:
            _run(connection, job)
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        for job in jobs:
            job.error = job.error or error


def _run(connection: sqlite3.Connection, job: _Job) -> None:
    connection.execute("SAVEPOINT job")
    try:
        job.result = job.operation(connection)
    except Exception as error:  # handed to whoever awaits the job
        job.error = error  # first: on a full disk SQLite has rolled everything back, and what follows fails too
        connection.execute("ROLLBACK TO job")
    connection.execute("RELEASE job")


def _answer(jobs: list[_Job]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
    for job in jobs:
        by_loop.setdefault(job.loop, []).append(job)
    for loop, answered in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, answered)


def _resolve(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.future.done():  # cancelled meanwhile
            continue
        if job.error:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)
