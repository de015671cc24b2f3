"""Supervises worker processes: every row given comes back exactly once, scored or with the reason why not.

One thread reads each worker's events into one queue; everything is decided on the thread that takes from it.
"""

from __future__ import annotations

import heapq
import queue
import random
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from domain.errors import DrawbridgeError, Invalid
from evaluation.columns import MissingColumn, fill_columns
from evaluation.dataset import Row
from evaluation.process import WorkerProcess

LONGEST_START = 300.0  # seconds until a worker must have loaded target and evaluators
_LONGEST_BACKOFF = 60.0  # seconds between two attempts when nobody said how long
_LONGEST_RETRY_AFTER = 300.0  # seconds; a model that wants more is down for this evaluation
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
    attempt: dict[str, Any] = field(default_factory=dict)  # what is known of it before its next attempt
    attempts: int = 0
    retries: int = 0
    kills: int = 0  # workers that died while this row ran; then it is a suspect
    deadline: float = 0.0


@dataclass
class _Worker:
    started: float
    process: WorkerProcess = field(init=False)
    loaded: bool = False
    scoring: bool = False  # its evaluators are loaded, so deadlines count
    tasks: dict[str, _Task] = field(default_factory=dict)
    alone: bool = False  # runs one suspect and nothing beside it
    heard: float = 0.0  # when it last said anything
    expired: set[str] = field(default_factory=set)  # rows it was ended for
    stuck: bool = False  # it was ended having said nothing for a while: any of its rows may be to blame


class Pool:
    """Worker processes for one target and its evaluators. Use as a context manager: leaving it ends them."""

    def __init__(self, setup: Mapping[str, Any], columns: Mapping[str, Any], crew: Crew, home: Path) -> None:
        self._pulse = min(1.0, crew.row_timeout / 4)  # seconds between two signs of life of a worker
        self._setup = {**setup, "concurrency": crew.concurrency, "pulse": self._pulse}
        self._columns = columns
        self._crew = crew
        self._home = home
        self._events: queue.SimpleQueue[tuple[_Worker, dict[str, Any] | None]] = queue.SimpleQueue()
        self._workers: list[_Worker] = []
        self._waiting: deque[_Task] = deque()
        self._suspects: deque[_Task] = deque()
        self._later: list[tuple[float, str, _Task]] = []  # a heap of when, row id, task
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

    def load(self) -> dict[str, bool]:
        """Wait until the target is loaded; return its inputs, and whether each is required.

        Raises Invalid when it cannot be loaded or needs inputs that the columns do not give.
        """
        while self._inputs is None:
            self._next_results()
        return self._inputs

    def run(self, rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
        """Yield one result per row, as they finish. Raises Invalid when target or evaluators cannot be loaded."""
        if not rows:
            return
        inputs, remaining = self.load(), len(rows)
        for row in rows:
            task = _Task(row)
            try:
                task.attempt = {"id": row.id, "inputs": _row_inputs(row, self._columns, inputs)}
                self._waiting.append(task)
            except MissingColumn as error:
                remaining -= 1
                yield _result(task, {"error": str(error)})
        while remaining:
            self._assign()
            for result in self._next_results():
                remaining -= 1
                yield result

    def _next_results(self) -> list[dict[str, Any]]:
        self._expire()
        try:
            worker, event = self._events.get(timeout=max(0.0, self._next_moment() - time.monotonic()))
        except queue.Empty:
            return []
        return self._worker_ended(worker) if event is None else self._take(worker, event)

    def _take(self, worker: _Worker, event: dict[str, Any]) -> list[dict[str, Any]]:
        worker.heard = time.monotonic()
        kind = event["event"]
        if kind == "invalid":
            raise Invalid(event["error"])
        if kind == "loaded":
            _check_inputs(event["inputs"], self._columns)
            worker.loaded = True
            self._inputs = event["inputs"]
        elif kind == "evaluators":
            worker.scoring = True
            for task in worker.tasks.values():
                task.deadline = worker.heard + self._crew.row_timeout
        elif kind == "row":
            self._fruitless = 0
            return self._attempt_ended(worker.tasks.pop(event["id"]), event)
        return []

    def _attempt_ended(self, task: _Task, event: dict[str, Any]) -> list[dict[str, Any]]:
        failure = event["failure"]
        task.attempts += 1
        if failure is None:
            return [_result(task, event)]
        if failure["again"] and task.retries < self._crew.retries and (failure["after"] or 0) <= _LONGEST_RETRY_AFTER:
            self._try_again(task, event, failure)
            return []
        tried = f" (after {task.attempts} attempts)" if task.attempts > 1 else ""
        return [_result(task, {**event, "error": failure["reason"] + tried})]

    def _try_again(self, task: _Task, event: dict[str, Any], failure: dict[str, Any]) -> None:
        task.retries += 1
        delay = failure["after"]
        if delay is None:
            delay = min(_LONGEST_BACKOFF, 2.0 ** (task.retries - 1)) * random.uniform(0.5, 1.0)  # noqa: S311  spreads load
        when = time.monotonic() + delay
        if failure["limited"] and failure["after"] is not None:
            self._hold_until = max(self._hold_until, when)
        if event["output"] is not None:  # only an evaluator failed: the answer stands
            task.attempt = {name: event[name] for name in ("id", "inputs", "output", "latency", "tokens")}
        heapq.heappush(self._later, (when, task.row.id, task))

    def _worker_ended(self, worker: _Worker) -> list[dict[str, Any]]:
        """Replace a worker that is gone, and settle or queue what it was running."""
        ending = worker.process.wait()
        self._workers.remove(worker)
        self._refuse_endless_starts(worker, ending)
        results = []
        for name, task in worker.tasks.items():
            if worker.stuck or not worker.expired:
                results += self._lost(task, "stopped answering" if worker.stuck else ending)
            elif name in worker.expired:
                results += self._timed_out(task)
            else:
                self._waiting.appendleft(task)  # the worker was ended because of another row
        self._start_worker()
        return results

    def _refuse_endless_starts(self, worker: _Worker, ending: str) -> None:
        self._fruitless = 0 if worker.tasks else self._fruitless + 1
        if self._fruitless >= _FRUITLESS_STARTS:
            when = "after" if worker.loaded else "before"
            raise DrawbridgeError(f"the worker process {ending} {when} the target was loaded, again and again")

    def _lost(self, task: _Task, ending: str) -> list[dict[str, Any]]:
        task.kills += 1
        task.attempts += 1
        if task.kills > 1:
            return [_result(task, {"error": f"the worker process {ending} both times this row ran"})]
        self._suspects.append(task)
        return []

    def _timed_out(self, task: _Task) -> list[dict[str, Any]]:
        task.attempts += 1
        return [_result(task, {"error": f"no answer within {self._crew.row_timeout:g} s: the row was given up"})]

    def _assign(self) -> None:
        now = time.monotonic()
        while self._later and self._later[0][0] <= now:
            due = heapq.heappop(self._later)[2]
            (self._suspects if due.kills else self._waiting).append(due)
        if now < self._hold_until:
            return
        for worker in self._workers:
            while self._has_room(worker) and (task := self._pick(worker)) is not None:
                worker.tasks[task.row.id] = task
                worker.alone = bool(task.kills)
                task.deadline = now + self._crew.row_timeout
                worker.process.send({"data": task.row.data, "attempt": task.attempt})

    def _has_room(self, worker: _Worker) -> bool:
        limit = 1 if worker.alone else self._crew.concurrency
        return worker.loaded and not worker.expired and len(worker.tasks) < limit

    def _pick(self, worker: _Worker) -> _Task | None:
        """Take a waiting row; suspects come last, each on an idle worker, so that only they can be to blame."""
        if self._waiting:
            return self._waiting.popleft()
        return self._suspects.popleft() if self._suspects and not worker.tasks else None

    def _next_moment(self) -> float:
        """Return when something has to be looked at even if no worker says anything."""
        starts = (worker.started + LONGEST_START for worker in self._workers if not worker.scoring)
        deadlines = (task.deadline for worker in self._active() for task in worker.tasks.values())
        retries = [self._later[0][0]] if self._later else []
        hold = [self._hold_until] if time.monotonic() < self._hold_until else []
        return min((*starts, *deadlines, *retries, *hold), default=time.monotonic() + 1.0)

    def _active(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.scoring and not worker.expired]

    def _expire(self) -> None:
        """End workers that have a row whose time is over."""
        now = time.monotonic()
        if any(not worker.scoring and now >= worker.started + LONGEST_START for worker in self._workers):
            raise DrawbridgeError(f"target and evaluators were not loaded within {LONGEST_START:g} s")
        for worker in self._active():
            worker.expired = {name for name, task in worker.tasks.items() if now >= task.deadline}
            if worker.expired:
                worker.stuck = now - worker.heard > 3 * self._pulse
                worker.process.kill()

    def _start_worker(self) -> None:
        worker = _Worker(time.monotonic())
        worker.process = WorkerProcess(self._setup, self._home, lambda event: self._events.put((worker, event)))
        self._workers.append(worker)


def _row_inputs(row: Row, columns: Mapping[str, Any], inputs: Mapping[str, bool]) -> dict[str, Any]:
    """Return the target's inputs; without columns they are the fields of the same names."""
    return fill_columns(columns, row.data) if columns else {name: row.data[name] for name in inputs if name in row.data}


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
        "inputs": task.attempt.get("inputs", {}),
        "output": event.get("output"),
        "scores": {} if error else event["scores"],
        "error": error,
        "latency": event.get("latency"),
        "tokens": event.get("tokens", 0),
        "attempts": task.attempts,
    }
    aggregation = event.get("aggregation")
    return {**result, "aggregation": aggregation} if aggregation and not error else result
