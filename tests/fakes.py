"""A small world that remembers: stand-ins for what an effect touches, for tests about the effect itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.blobs import Blobs
from domain.blob_names import AUDIT
from domain.errors import NotFound
from domain.models import Job, JobPhase, JobStatus


@dataclass
class FakeCompute:
    """A compute whose jobs go through the phases a test gives them, one per look."""

    folder: Path
    phases: dict[str, list[JobPhase]]
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    submitted: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)

    def submit(self, job: Job) -> None:
        self.submitted.append(job.name)

    def status(self, names: Sequence[str]) -> list[JobStatus]:
        return [JobStatus(name, self._next(name), done=2, total=4) for name in names]

    def result(self, name: str) -> dict[str, Any]:
        if name not in self.results:
            raise NotFound(name)
        return self.results[name]

    def results_file(self, name: str) -> Path:
        return self.folder / f"{name}.jsonl"

    def cancel(self, name: str) -> None:
        self.cancelled.append(name)

    def log_tail(self, name: str) -> str:
        return f"log of {name}"

    def finish(self, name: str, rows: list[dict[str, Any]], **result: Any) -> None:
        """Give a job its results."""
        self.results_file(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        self.results[name] = {"ok": True, **result}

    def _next(self, name: str) -> JobPhase:
        phases = self.phases[name]
        return phases.pop(0) if len(phases) > 1 else phases[0]


def audited(blobs: Blobs, *what: str) -> list[dict[str, Any]]:
    """Return the records of the audit log, or those about some kinds of things, oldest first."""
    files = sorted(name for name in blobs.names(AUDIT) if name.endswith(".jsonl"))
    found = [json.loads(line) for name in files for line in (blobs.read(name) or b"").splitlines()]
    return [one for one in found if not what or one["what"] in what]


def row(row_id: str, f1: float | None = None, error: str | None = None) -> dict[str, Any]:
    """Return a result row as a worker writes it."""
    return {
        "id": row_id,
        "inputs": {"question": f"q {row_id}"},
        "output": None if error else {"answer": f"a {row_id}"},
        "scores": {} if f1 is None else {"f1": f1},
        "error": error,
        "latency": None if error else 0.5,
        "tokens": 10,
        "attempts": 1,
    }
