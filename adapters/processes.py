"""Detached processes that outlive this one, recorded so that any later process can find and end them.

A record is `<state>/processes/<pid>-<start>.json`. A pid alone may be another program's by now;
pid and start time together name one process for ever.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from adapters.files import write_atomically

_children: dict[int, subprocess.Popen[bytes]] = {}  # ours to reap, by pid


@dataclass(frozen=True)
class ProcessRecord:
    """One process that was started: who it is, and what for."""

    pid: int
    create_time: float  # seconds since the epoch, as psutil tells it
    what: str


def spawn(
    state: Path, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path, what: str
) -> ProcessRecord:
    """Start a process in a session of its own, its output appended to `log`, and record it. Raises OSError."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _children[child.pid] = child
    return _record(state, psutil.Process(child.pid), what)


def run(
    state: Path, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path, what: str, timeout: float
) -> int | None:
    """Run a process to its end like `spawn` and return its exit status, or None when it took over `timeout` seconds.

    Nothing that it started is left behind.
    """
    record = spawn(state, command, cwd=cwd, env=env, log=log, what=what)
    try:
        return _children[record.pid].wait(timeout)
    except subprocess.TimeoutExpired:
        return None
    finally:
        stop(record, state)


def adopt(state: Path, directory: Path, what: str) -> ProcessRecord | None:
    """Record the process that works in a directory, or below it, and leads a session, if there is one.

    Finds what `spawn` started when its caller died before the record was kept. Of several it is the oldest.
    """
    leaders = [process for process in psutil.process_iter() if _session(process) == process.pid]
    found = [process for process in leaders if _works_in(process, directory.resolve())]
    return _record(state, min(found, key=lambda process: process.create_time()), what) if found else None


def alive(record: ProcessRecord) -> bool:
    """Say whether the recorded process still runs. A zombie does not; another program under its pid is not it."""
    _reap(record.pid)
    process = _find(record)
    return process is not None and not _ended(process)


def stop(record: ProcessRecord, state: Path, grace: float = 5.0) -> None:
    """End the process and all it started: TERM, then KILL after `grace` seconds. Forgets the record."""
    family = _family(record)
    for process in family:
        _signal(process, kill=False)
    psutil.wait_procs(family, timeout=grace, callback=lambda process: _reap(process.pid))
    for _ in range(10):  # what is left, and what was started meanwhile
        family = _living(family) + _family(record)
        if not family:
            break
        for process in family:
            _signal(process, kill=True)
        psutil.wait_procs(family, timeout=1)
    _reap(record.pid)
    _file(state, record).unlink(missing_ok=True)


def all(state: Path) -> list[ProcessRecord]:
    """Read every record that was not ended with `stop`, oldest first; some may have died since."""
    records = []
    for file in (state / "processes").glob("*.json"):
        with contextlib.suppress(FileNotFoundError):  # stopped by another meanwhile
            records.append(ProcessRecord(**json.loads(file.read_text())))
    return sorted(records, key=lambda record: record.create_time)


def stop_all(state: Path, grace: float = 5.0) -> None:
    """End everything that is recorded."""
    for record in all(state):
        stop(record, state, grace)


def _record(state: Path, process: psutil.Process, what: str) -> ProcessRecord:
    record = ProcessRecord(process.pid, process.create_time(), what)
    write_atomically(_file(state, record), json.dumps(asdict(record)))
    return record


def _file(state: Path, record: ProcessRecord) -> Path:
    return state / "processes" / f"{record.pid}-{int(record.create_time * 1000)}.json"


def _find(record: ProcessRecord) -> psutil.Process | None:
    """Return the recorded process, also as a zombie, but never another one under its pid."""
    try:
        process = psutil.Process(record.pid)
        # The boot time that start times are counted from may be adjusted by a tick.
        return process if abs(process.create_time() - record.create_time) < 0.05 else None
    except psutil.NoSuchProcess:
        return None


def _family(record: ProcessRecord) -> list[psutil.Process]:
    leader = _find(record)
    found = {leader, *_children_of(leader)} if leader else set()
    if leader or not psutil.pid_exists(record.pid):
        # The system gives no pid away while a session of that number has members: they are ours, also without a leader.
        found.update(process for process in psutil.process_iter() if _session(process) == record.pid)
    return _living(list(found))


def _children_of(process: psutil.Process) -> list[psutil.Process]:
    try:
        children: list[psutil.Process] = process.children(recursive=True)
        return children
    except psutil.NoSuchProcess:
        return []


def _works_in(process: psutil.Process, directory: Path) -> bool:
    try:
        return Path(process.cwd()).is_relative_to(directory)
    except (psutil.Error, OSError):
        return False


def _session(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except OSError:
        return None


def _living(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and not _ended(process)]


def _ended(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _signal(process: psutil.Process, kill: bool) -> None:
    try:
        if kill:
            process.kill()
        else:
            process.terminate()
    except psutil.NoSuchProcess:
        pass


def _reap(pid: int) -> None:
    child = _children.get(pid)
    if child and child.poll() is not None:
        _children.pop(pid, None)
