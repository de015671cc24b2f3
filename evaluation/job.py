"""A job directory: what the evaluation compute runs, here or in Azure ML. `job.json` in, `result.json` out."""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from domain.errors import DrawbridgeError, Invalid
from evaluation import wall
from evaluation.aggregation import run_aggregation
from evaluation.pool import Crew
from evaluation.shard import Progress, Shard, run_shard
from evaluation.validate import Step, Validation, validate

_PROGRESS_EVERY = 0.5  # seconds


class Directory:
    """The files of one job."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.repository = self.path / "repository"
        self.results = self.path / "results.jsonl"
        self.home = self.path / "home" / ".promptflow"
        self._told = 0.0

    def read_job(self) -> dict[str, Any]:
        """Return what job.json asks for. Raises Invalid when it cannot be read."""
        try:
            job = json.loads((self.path / "job.json").read_text(encoding="utf-8"))
            return {"kind": str(job["kind"]), "spec": dict(job["spec"])}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Invalid(f"{self.path / 'job.json'}: cannot be read as a job: {error}") from error

    def tell_progress(self, done: int, total: int) -> None:
        """Write progress.json, at most twice a second and always at the end."""
        if done == total or time.monotonic() - self._told >= _PROGRESS_EVERY:
            self._told = time.monotonic()
            self.write("progress.json", {"done": done, "total": total})

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON file so that a reader sees all of it or none."""
        draft = self.path / f".{name}.{os.getpid()}"
        draft.write_text(json.dumps(content, allow_nan=False), encoding="utf-8")
        draft.replace(self.path / name)


def run_job(path: Path, sealed: bool = False) -> bool:
    """Run the job in a directory and write its result.json last. Return whether it went well.

    A sealed job is a stranger's: it runs behind a wall, or not at all.
    """
    directory = Directory(path)
    try:
        if sealed:
            wall.put_up(directory.path)
        job = directory.read_job()
        result = _kind(job["kind"])(directory, job["spec"])
    except DrawbridgeError as error:
        result = {"ok": False, "error": str(error)}
    except Exception as error:
        traceback.print_exc()
        # Not its message: that may hold text of a row, and GitHub shows why a validation failed.
        result = {"ok": False, "error": f"unexpected {type(error).__name__} (see log.txt)"}
    directory.write("result.json", result)
    return bool(result["ok"])


def _kind(name: str) -> Callable[[Directory, Mapping[str, Any]], dict[str, Any]]:
    if name not in _KINDS:
        raise Invalid(f"job.json: kind {name!r} is unknown: expected one of {', '.join(_KINDS)}")
    return _KINDS[name]


def _run_rows(directory: Directory, spec: Mapping[str, Any]) -> dict[str, Any]:
    shard = read_shard(spec, directory.repository)

    def tell(progress: Progress) -> None:
        directory.tell_progress(progress.done, progress.total)

    end = run_shard(shard, directory.results, directory.home, tell)
    return {"ok": True, "rows": end.total, "scored": end.total - end.errored, "errored": end.errored}


def read_shard(spec: Mapping[str, Any], repository: Path) -> Shard:
    """Read the spec of a job of kind `rows`."""
    return Shard(
        repository=repository,
        target=spec["target"],
        dataset=spec["dataset"],
        evaluators=spec["evaluators"],
        columns=spec.get("columns") or {},
        seed=int(spec.get("seed", 0)),
        start=int(spec.get("start", 0)),
        stop=spec.get("stop"),
        crew=_read_crew(spec),
    )


def _read_crew(spec: Mapping[str, Any]) -> Crew:
    return Crew(
        workers=int(spec.get("workers", 1)),
        concurrency=int(spec.get("concurrency", 8)),
        row_timeout=float(spec.get("row_timeout", 120)),
        retries=int(spec.get("retries", 3)),
    )


def _run_validate(directory: Directory, spec: Mapping[str, Any]) -> dict[str, Any]:
    validation = Validation(
        repository=directory.repository,
        commands=tuple(spec.get("commands") or ()),
        target=spec["target"],
        sample=spec.get("sample"),
        columns=spec.get("columns") or {},
        crew=_read_crew(spec),
    )
    steps: list[Step] = []
    directory.tell_progress(0, validation.steps)
    with directory.results.open("w", encoding="utf-8") as results:  # a rerun starts over: commands have effects
        for step in validate(validation, directory.home):
            steps.append(step)
            results.write(json.dumps(step.line(), ensure_ascii=False) + "\n")
            results.flush()
            directory.tell_progress(len(steps), validation.steps)
    lines = [step.line() for step in steps]
    error = steps[-1].error
    return {"ok": False, "steps": lines, "error": error} if error else {"ok": True, "steps": lines}


def _run_aggregate(directory: Directory, spec: Mapping[str, Any]) -> dict[str, Any]:
    results = [directory.path / name for name in spec["results"]]
    metrics = run_aggregation(spec["target"], spec["evaluators"], results, directory.repository, directory.home)
    return {"ok": True, "metrics": metrics}


_KINDS = {"rows": _run_rows, "validate": _run_validate, "aggregate": _run_aggregate}
