"""Compute, registry and web apps in memory: the truth about each commit is given, and what happens is remembered."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from domain.errors import Invalid, NotFound, Unavailable
from domain.models import Deployment, Image, Job, JobPhase, JobStatus, Probe, Verdict

MINUTES_OF = {"validate": 5, "rows": 30}
SCORES = {  # of rows that alternate, against a baseline of 0.8 throughout
    Verdict.PASSED: (0.8, 0.8),
    Verdict.FAILED: (0.1, 0.1),
    Verdict.INCONCLUSIVE: (0.6, 1.0),
}


@dataclass
class Truth:
    """What would be found out about a commit, if anybody looked."""

    validates: bool = True
    builds: bool = True
    minimal: Verdict = Verdict.PASSED
    full: Verdict = Verdict.PASSED
    unhealthy: frozenset[str] = frozenset()  # environments in which its image does not hold


@dataclass
class MemoryCompute:
    """Runs jobs by the clock: each takes its time and then says what is true of its commit."""

    folder: Path
    clock: Callable[[], datetime]
    truths: dict[str, Truth]
    due: dict[str, datetime] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    ids: list[str] = field(default_factory=list)  # of the rows of every dataset

    def adopt(self, other: MemoryCompute) -> None:
        """Know the jobs of another compute."""
        self.due.update(other.due)
        self.kinds.update(other.kinds)
        self.counts.update(other.counts)

    def submit(self, job: Job) -> None:
        self.kinds[job.name] = job.kind
        self.counts[job.name] = (job.spec.get("start", 0), job.spec.get("stop", 0))
        self.due.setdefault(job.name, self.clock() + timedelta(minutes=MINUTES_OF[job.kind]))

    def status(self, names: Sequence[str]) -> list[JobStatus]:
        return [self._status(name) for name in names]

    def result(self, name: str) -> dict[str, Any]:
        if name not in self.due or self._status(name).phase is not JobPhase.DONE:
            raise NotFound(f"{name} has no result")
        fine = self.kinds[name] != "validate" or self.truths[commit_of(name)].validates
        return {"ok": True} if fine else {"ok": False, "error": "pytest -q failed"}

    def results_file(self, name: str) -> Path:
        path = self.folder / f"{hashlib.sha256(name.encode()).hexdigest()}.jsonl"
        if self.kinds.get(name) == "rows" and not path.exists():
            scores = SCORES[self.verdict(name)]
            start, stop = self.counts[name]
            path.write_text("".join(_row(self.ids[number], scores[number % 2]) for number in range(start, stop)))
        return path

    def cancel(self, name: str) -> None:
        self.cancelled.add(name)

    def log_tail(self, name: str) -> str:
        return f"log of {name}"

    def verdict(self, name: str) -> Verdict:
        """Return what an evaluation of this job's commit comes to."""
        truth = self.truths[commit_of(name)]
        return truth.minimal if "minimal" in name else truth.full

    def _status(self, name: str) -> JobStatus:
        if name in self.cancelled:
            return JobStatus(name, JobPhase.FAILED, error="cancelled")
        if name not in self.due:
            return JobStatus(name, JobPhase.LOST)
        done = self.clock() >= self.due[name]
        return JobStatus(name, JobPhase.DONE if done else JobPhase.RUNNING, done=int(done), total=1)


def commit_of(name: str) -> str:
    """Return the sha in a job's name."""
    found = re.search(r"[0-9a-f]{40}", name)
    if found is None:
        raise LookupError(f"{name} names no commit")
    return found[0]


def _row(row_id: str, score: float) -> str:
    row = {"id": row_id, "inputs": {}, "output": {}, "scores": {"f1": score}, "error": None}
    return json.dumps({**row, "latency": 0.5, "tokens": 10, "attempts": 1}) + "\n"


@dataclass
class MemoryRegistry:
    """Builds an image for each commit, unless it cannot be built."""

    truths: dict[str, Truth]

    def build(self, snapshot: str, target: dict[str, Any], commit: str) -> Image:
        if not self.truths[commit].builds:
            raise Invalid("flow.dag.yaml: a node has no source")
        digest = hashlib.sha256(commit.encode()).hexdigest()
        return Image(f"sha256:{digest}", f"images/{digest}")


@dataclass
class MemoryWebApp:
    """Runs one image per environment. `watch` sees each deployment before it happens."""

    clock: Callable[[], datetime]
    truths: dict[str, Truth]
    watch: Callable[[str, Image, str], None]
    running: dict[str, Deployment] = field(default_factory=dict)
    busy: bool = False  # does not answer

    def deploy(self, environment: str, image: Image, release: str) -> Deployment:
        self._answer()
        now = self.running.get(environment)
        if now and (now.release, now.image) == (release, image):
            return now
        self.watch(environment, image, release)
        return self._run(environment, image, release, now.image if now else None)

    def current(self, environment: str) -> Deployment | None:
        self._answer()
        return self.running.get(environment)

    def roll_back(self, environment: str, to: Image | None, release: str) -> Deployment | None:
        self._answer()
        now = self.running.get(environment)
        if now is None or now.release != release:
            return now
        if to is None:
            del self.running[environment]
            return None
        if now.image == to:
            return now
        return self._run(environment, to, release, None)

    def probe(self, environment: str, rows: Sequence[dict[str, Any]], requests: int) -> Probe:
        self._answer()
        now = self.running.get(environment)
        if now is None:
            return Probe(False, 0, 0, (), "nothing runs there")
        name = environment.rpartition("-")[2]
        healthy = name not in self.truths[commit_of(now.release)].unhealthy
        return Probe(healthy, requests, 0, (0.1,) * requests, "as it should" if healthy else "it does not answer")

    def _run(self, environment: str, image: Image, release: str, previous: Image | None) -> Deployment:
        at = self.clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        url = f"https://{environment}.example"
        self.running[environment] = Deployment(environment, release, image, url, at, previous)
        return replace(self.running[environment])

    def _answer(self) -> None:
        if self.busy:
            raise Unavailable("the web app does not answer")
