"""Supervises worker processes: every row given comes back exactly once, scored or with the reason why not.

One thread reads each worker's events into one queue; everything is decided on the thread that takes from it.
"""

from __future__ import annotations

import queue
import random
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from domain.errors import DrawbridgeError, Invalid
from evaluation.dataset import Row
from evaluation.process import WorkerProcess

_LONGEST_START = 300.0  # seconds until a worker must have loaded target and evaluators
_LONGEST_WAIT = 60.0  # seconds between two attempts, unless Retry-After says more
_FRUITLESS_STARTS = 3  # workers in a row that died before they finished anything


@dataclass(frozen=True)
class Crew:
    """How many rows run at once, and what each is granted."""

    workers: int = 1
    concurrency: int = 8  # rows in flight in one worker
    row_timeout: float = 120.0  # seconds for one attempt, target and evaluators together
    retries: int = 3  # attempts after the first when the model answers 429 or 5xx


@dataclass
class _Task:
    row: Row
    attempt: dict[str, Any]
    attempts: int = 0
    retries: int = 0
    kills: int = 0  # workers that died while this row ran
    not_before: float = 0.0
    deadline: float = 0.0


@dataclass
class _Worker:
    started: float
    process: WorkerProcess = field(init=False)
    loaded: bool = False
    scoring: bool = False  # its evaluators are loaded, so deadlines count
    tasks: dict[str, _Task] = field(default_factory=dict)
    expired: set[str] = field(default_factory=set)
    alone: bool = False  # runs one suspect row and nothing beside it
    heard: float = 0.0  # when it last said anything
    stuck: bool = False  # it was ended because it said nothing any more: any of its rows may be to blame


class Pool:
    """Worker processes for one target and its evaluators. Use as a context manager: leaving it ends them."""

    def __init__(self, setup: Mapping[str, Any], crew: Crew, home: Path) -> None:
        self._pulse = min(1.0, crew.row_timeout / 4)  # seconds between two signs of life of a worker
        self._setup = {**setup, "concurrency": crew.concurrency, "pulse": self._pulse}
        self._required = setup["columns"]
        self._crew = crew
        self._home = home
        self._events: queue.SimpleQueue[tuple[_Worker, dict[str, Any] | None]] = queue.SimpleQueue()
        self._workers: list[_Worker] = []
        self._waiting: deque[_Task] = deque()
        self._hold_until = 0.0  # the model refused: nothing is asked before
        self._fruitless = 0
        self._inputs: dict[str, bool] | None = None

    def __enter__(self) -> Pool:
        for _ in range(self._crew.workers):
            self._start_worker()
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.wait()

    def run(self, rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
        """Yield one result per row, as they finish. Raises Invalid when target or evaluators cannot be loaded."""
        self._waiting.extend(_Task(row, {"id": row.id}) for row in rows)
        remaining = len(rows)
        while remaining:
            self._assign()
            for result in self._next_results():
                remaining -= 1
                yield result

    def load(self) -> dict[str, bool]:
        """Wait until the target is loaded; return its inputs. Raises Invalid when it cannot be."""
        while self._inputs is None:
            self._next_results()
        return self._inputs

    def _next_results(self) -> list[dict[str, Any]]:
        try:
            worker, event = self._events.get(timeout=max(0.0, self._next_moment() - time.monotonic()))
        except queue.Empty:
            self._expire()
            return []
        return self._worker_ended(worker) if event is None else self._take(worker, event)

    def _take(self, worker: _Worker, event: dict[str, Any]) -> list[dict[str, Any]]:
        worker.heard = time.monotonic()
        kind = event.pop("event")
        if kind == "invalid":
            raise Invalid(event["error"])
        if kind == "loaded":
            _check_inputs(event["inputs"], self._required)
            worker.loaded = True
            self._inputs = event["inputs"]
        elif kind == "evaluators":
            worker.scoring = True
            for task in worker.tasks.values():
                task.deadline = time.monotonic() + self._crew.row_timeout
        elif kind == "row" and event["id"] in worker.tasks:
            self._fruitless = 0
            return self._attempt_ended(worker.tasks.pop(event["id"]), event)
        return []

    def _attempt_ended(self, task: _Task, event: dict[str, Any]) -> list[dict[str, Any]]:
        failure = event.pop("failure")
        task.attempts += 1
        if failure is None:
            return [_result(task, event)]
        if not failure["again"] or task.retries >= self._crew.retries:
            return [_result(task, {**event, "error": _worded(failure["reason"], task)})]
        self._try_again(task, event, failure)
        return []

    def _try_again(self, task: _Task, event: dict[str, Any], failure: dict[str, Any]) -> None:
        task.retries += 1
        delay = failure["after"]
        if delay is None:
            delay = min(_LONGEST_WAIT, 2.0 ** (task.retries - 1)) * random.uniform(0.5, 1.0)  # noqa: S311  spreads load
        task.not_before = time.monotonic() + delay
        if failure["limited"] and failure["after"] is not None:
            self._hold_until = max(self._hold_until, task.not_before)
        if event["output"] is not None:  # only an evaluator failed: the answer stands
            task.attempt = {name: event[name] for name in ("id", "output", "latency", "tokens")}
        self._waiting.append(task)

    def _worker_ended(self, worker: _Worker) -> list[dict[str, Any]]:
        """Replace a worker that is gone, and settle or queue what it was running."""
        ending = worker.process.wait()
        self._workers.remove(worker)
        self._fruitless += 0 if worker.expired else 1
        results = []
        if worker.stuck:
            ending = "stopped answering"
        else:
            results = [self._timed_out(worker.tasks.pop(row)) for row in worker.expired]
        for task in worker.tasks.values():
            if worker.expired and not worker.stuck:
                self._waiting.appendleft(task)  # the worker was ended because of another row
            else:
                results.extend(self._lost(task, ending))
        self._refuse_endless_starts(worker, ending)
        self._start_worker()
        return results

    def _lost(self, task: _Task, ending: str) -> list[dict[str, Any]]:
        task.kills += 1
        task.attempts += 1
        if task.kills == 1:
            self._waiting.append(task)
            return []
        self._fruitless = 0
        return [_result(task, {"error": f"the worker process {ending} both times this row ran"})]

    def _timed_out(self, task: _Task) -> dict[str, Any]:
        task.attempts += 1
        return _result(task, {"error": f"no answer within {self._crew.row_timeout:g} s: the row was given up"})

    def _refuse_endless_starts(self, worker: _Worker, ending: str) -> None:
        if self._fruitless >= _FRUITLESS_STARTS and not worker.tasks:
            what = "after" if worker.loaded else "before"
            raise DrawbridgeError(f"the worker process {ending} {what} the target was loaded, again and again")

    def _assign(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            while worker.loaded and not worker.expired and (task := self._pick(worker, now)):
                self._send(worker, task, now)

    def _pick(self, worker: _Worker, now: float) -> _Task | None:
        """Take the first row that may start on this worker; a row that a worker died with runs there alone."""
        if now < self._hold_until or len(worker.tasks) >= self._crew.concurrency or (worker.alone and worker.tasks):
            return None
        for position, task in enumerate(self._waiting):
            if task.not_before <= now and not (task.kills and worker.tasks):
                del self._waiting[position]
                return task
        return None

    def _send(self, worker: _Worker, task: _Task, now: float) -> None:
        worker.tasks[task.row.id] = task
        worker.alone = bool(task.kills)
        task.deadline = now + self._crew.row_timeout
        worker.process.send({"data": task.row.data, "attempt": task.attempt})

    def _next_moment(self) -> float:
        """Return when something has to be looked at even if no worker says anything."""
        moments = [worker.started + _LONGEST_START for worker in self._workers if not worker.scoring]
        moments += [task.deadline for worker in self._workers if worker.scoring for task in worker.tasks.values()]
        if any(worker.loaded and len(worker.tasks) < self._crew.concurrency for worker in self._workers):
            moments += [max(task.not_before, self._hold_until) for task in self._waiting if task.not_before]
            moments += [self._hold_until] if self._hold_until and self._waiting else []
        now = time.monotonic()
        return min((moment for moment in moments if moment > now), default=now + 1.0)

    def _expire(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if not worker.scoring and now >= worker.started + _LONGEST_START:
                raise DrawbridgeError(f"target and evaluators were not loaded within {_LONGEST_START:g} s")
            if worker.scoring and not worker.expired:
                worker.expired = {row for row, task in worker.tasks.items() if now >= task.deadline}
                if worker.expired:
                    worker.stuck = now - worker.heard > 3 * self._pulse
                    worker.process.kill()

    def _start_worker(self) -> None:
        worker = _Worker(time.monotonic())
        worker.process = WorkerProcess(self._setup, self._home, lambda event: self._events.put((worker, event)))
        self._workers.append(worker)


def run_aggregation(
    target: Mapping[str, Any],
    evaluators: Mapping[str, Mapping[str, Any]],
    results: Sequence[Path],
    repository: Path,
    home: Path,
) -> dict[str, float]:
    """Run the aggregation of evaluation flows over all result lines, in a worker process. Return the metrics.

    Raises Invalid when an evaluation flow cannot do it, DrawbridgeError when its process ends or takes too long.
    """
    if not any(_is_flow(str(spec["use"])) for spec in evaluators.values()):
        return {}
    events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    setup = {"repository": str(repository.resolve()), "target": dict(target), "evaluators": dict(evaluators)}
    files = [str(path.resolve()) for path in results]
    process = WorkerProcess({**setup, "aggregate": files}, home, events.put)
    try:
        event = events.get(timeout=_LONGEST_START)
    except queue.Empty as error:
        raise DrawbridgeError(f"aggregation did not end within {_LONGEST_START:g} s") from error
    finally:
        process.kill()
    ending = process.wait()
    if event is None:
        raise DrawbridgeError(f"aggregation did not end: its process {ending}")
    if event["event"] == "invalid":
        raise Invalid(event["error"])
    metrics: dict[str, float] = event["metrics"]
    return metrics


def _is_flow(use: str) -> bool:
    return ":" not in use and not use.startswith("azure.")


def _check_inputs(inputs: Mapping[str, bool], columns: Mapping[str, Any]) -> None:
    missing = [name for name, required in inputs.items() if required and columns and name not in columns]
    if missing:
        raise Invalid(f"columns: the target needs {', '.join(missing)}, which columns do not give")
    unknown = [name for name in columns if inputs and name not in inputs]
    if unknown:
        raise Invalid(f"columns.{unknown[0]}: the target has no such input, only {', '.join(inputs)}")


def _result(task: _Task, event: Mapping[str, Any]) -> dict[str, Any]:
    error = event.get("error")
    result = {
        "id": task.row.id,
        "inputs": event.get("inputs") or dict(task.row.data),
        "output": event.get("output"),
        "scores": {} if error else event["scores"],
        "error": error,
        "latency": event.get("latency"),
        "tokens": event.get("tokens", 0),
        "attempts": task.attempts,
    }
    aggregation = event.get("aggregation")
    return {**result, "aggregation": aggregation} if aggregation and not error else result


def _worded(reason: str, task: _Task) -> str:
    return f"{reason} (after {task.attempts} attempts)" if task.attempts > 1 else reason
