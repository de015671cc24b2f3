"""Evaluation jobs as worker processes on this machine, which outlive the function host and are found again.

Every decision is taken under one file lock, so any number of threads and host processes may ask at once.
A job is `<state>/jobs/<name>/`, laid out as `evaluation` expects it; what is known about it stands
beside it in `<name>.json`, where the job does not reach by accident.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from adapters import processes, snapshots
from adapters.blobs import Blobs
from adapters.files import last_words, locked, tail, write_atomically
from adapters.processes import ProcessRecord
from adapters.worker_environment import worker_environment
from domain import wire
from domain.errors import NotFound
from domain.models import Job, JobPhase, JobStatus

COMMAND = (sys.executable, "-m", "evaluation", "job")
_ENDED = (JobPhase.DONE, JobPhase.FAILED)


@dataclass(frozen=True)
class _Known:
    """What is known about a job. RUNNING without a process: its starter died before it could say which."""

    job: Job
    phase: JobPhase
    submitted: float  # seconds since the epoch, as are all times here
    started: float = 0.0
    process: ProcessRecord | None = None
    error: str = ""


class LocalCompute:
    """Runs at most `parallel` jobs at once, one place of them for short jobs only; the oldest that fits goes first.

    `status` is what starts the next one, so it must be asked now and then.
    """

    def __init__(
        self, state: Path, blobs: Blobs, variables: Mapping[str, str], parallel: int, command: Sequence[str] = COMMAND
    ) -> None:
        """`variables` are all that a job's environment has beyond what a process needs; a sealed job gets none."""
        self._state = state
        self._blobs = blobs
        self._variables = variables
        self._parallel = parallel
        self._command = command
        self._jobs = state / "jobs"
        self._lock = self._jobs / ".lock"

    def submit(self, job: Job) -> None:
        """Run a job, now or when there is room. Known names are left alone, except that a LOST job is run again.

        Raises NotFound when the snapshot is not in the blobs, Invalid when it cannot be unpacked.
        """
        with locked(self._lock):
            if not self._is_wanted(job):
                return
        staging = self._jobs / f".{uuid.uuid4().hex}"
        try:
            self._stage(job, staging)
            with locked(self._lock):
                if self._is_wanted(job):
                    self._queue(job, staging)
                self._start_waiting()
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def status(self, names: Sequence[str]) -> list[JobStatus]:
        """Say where each job stands, in the order asked for. A name that is not known is LOST."""
        with locked(self._lock):
            self._start_waiting()
            return [self._status(name) for name in names]

    def result(self, name: str) -> dict[str, Any]:
        """Return what an ended job came to: {"ok": true, …} or {"ok": false, "error": …}. Raises NotFound."""
        known = self._read(name)
        if known is None or known.phase not in _ENDED:
            raise NotFound(f"job {name} has no result: it has not ended, or was never submitted here")
        written = _read_json(self._directory(name) / "result.json")
        return written if written and not known.error else {"ok": False, "error": known.error}

    def results_file(self, name: str) -> Path:
        """Return where the job streams its rows to; the file may not be there yet."""
        return self._directory(name) / "results.jsonl"

    def cancel(self, name: str) -> None:
        """End a job that waits or runs; it counts as FAILED, and is not run again under this name."""
        with locked(self._lock):
            known = self._read(name)
            if known and self._settle(known).phase not in _ENDED:
                self._end(known, JobPhase.FAILED, "cancelled")
            self._start_waiting()

    def log_tail(self, name: str) -> str:
        """Return the end of what the job printed, at most 64 KB."""
        return tail(self._directory(name) / "log.txt")

    def _is_wanted(self, job: Job) -> bool:
        known = self._read(job.name)
        return known is None or self._settle(known).phase is JobPhase.LOST

    def _stage(self, job: Job, staging: Path) -> None:
        archive = snapshots.fetch(self._blobs, job.snapshot, self._state / "snapshots")
        snapshots.extract(archive, staging / "repository")
        for path, blob in job.inputs.items():
            self._blobs.download_file(blob, staging / path)

    def _queue(self, job: Job, staging: Path) -> None:
        directory = self._directory(job.name)
        directory.mkdir(parents=True, exist_ok=True)
        for part in staging.iterdir():
            shutil.rmtree(directory / part.name, ignore_errors=True)
            part.rename(directory / part.name)
        work = {"name": job.name, "kind": job.kind, "spec": job.spec, "timeout": job.timeout}
        write_atomically(directory / "job.json", json.dumps(work))
        self._keep(_Known(job, JobPhase.QUEUED, submitted=time.time()))

    def _start_waiting(self) -> None:
        jobs = [self._settle(known) for known in self._open()]
        running = [known for known in jobs if known.phase is JobPhase.RUNNING]
        waiting = [known for known in jobs if known.phase is JobPhase.QUEUED]
        for known in sorted(waiting, key=lambda known: known.submitted):
            if self._has_room(known, running):
                running.append(self._start(known))

    def _has_room(self, known: _Known, running: Sequence[_Known]) -> bool:
        # The shards of one full evaluation would fill every place for hours. By size alone short ones would go
        # before the long ones for ever, so that a busy day would never see a full evaluation end.
        long = sum(not other.job.short for other in running)
        return len(running) < self._parallel and (known.job.short or long < max(1, self._parallel - 1))

    def _start(self, known: _Known) -> _Known:
        directory = self._directory(known.job.name)
        self._keep(starting := replace(known, phase=JobPhase.RUNNING, started=time.time(), process=None))
        process = processes.spawn(
            self._state,
            [*self._command, str(directory), *(["--sealed"] if known.job.sealed else [])],
            cwd=directory,
            env=worker_environment(directory / "home", {} if known.job.sealed else self._variables),
            log=directory / "log.txt",
            what=f"job {known.job.name}",
        )
        return self._keep(replace(starting, process=process))

    def _settle(self, known: _Known) -> _Known:
        """Bring what is known up to date with the process and its result."""
        if known.phase is not JobPhase.RUNNING:
            return known
        directory = self._directory(known.job.name)
        if known.process is None:
            process = processes.adopt(self._state, directory, f"job {known.job.name}")
            return self._keep(replace(known, process=process, phase=JobPhase.RUNNING if process else JobPhase.QUEUED))
        running = processes.alive(known.process)  # before the result is looked for: it is written last
        result = _read_json(directory / "result.json")
        if result:
            return self._end(known, JobPhase.DONE if result.get("ok") else JobPhase.FAILED)
        if not running:
            return self._end(
                known, JobPhase.LOST, f"the worker ended without a result: {last_words(directory / 'log.txt')}"
            )
        if time.time() > known.started + known.job.timeout:
            return self._end(known, JobPhase.FAILED, f"timed out after {known.job.timeout} s")
        return known

    def _end(self, known: _Known, phase: JobPhase, error: str = "") -> _Known:
        if known.process:
            processes.stop(known.process, self._state)
        if phase in _ENDED:
            for part in ("repository", "home"):
                shutil.rmtree(self._directory(known.job.name) / part, ignore_errors=True)
        return self._keep(replace(known, phase=phase, error=error, process=None))

    def _status(self, name: str) -> JobStatus:
        known = self._read(name)
        if known is None:
            return JobStatus(name, JobPhase.LOST, error="not known on this machine: submit it again")
        progress = _read_json(self._directory(name) / "progress.json") or {}
        error = known.error
        if known.phase is JobPhase.FAILED and not error:
            error = str(self.result(name).get("error", ""))
        return JobStatus(name, known.phase, _count(progress, "done"), _count(progress, "total"), error)

    def _directory(self, name: str) -> Path:
        readable = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._")[:80]
        return self._jobs / f"{readable}-{sha256(name.encode()).hexdigest()[:8]}"

    def _file(self, name: str) -> Path:
        directory = self._directory(name)
        return directory.with_name(f"{directory.name}.json")

    def _open(self) -> list[_Known]:
        jobs = [wire.read(_Known, json.loads(file.read_text())) for file in self._jobs.glob("[!.]*.json")]
        return [known for known in jobs if known.phase in (JobPhase.QUEUED, JobPhase.RUNNING)]

    def _read(self, name: str) -> _Known | None:
        kept = _read_json(self._file(name))
        return wire.read(_Known, kept) if kept else None

    def _keep(self, known: _Known) -> _Known:
        write_atomically(self._file(known.job.name), json.dumps(asdict(known)))
        return known


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _count(progress: dict[str, Any], name: str) -> int:
    # Written by a process that runs the repository's code: it may say anything.
    value = progress.get(name)
    return value if isinstance(value, int) and value >= 0 else 0
