"""A worker process: loads the target once, then answers and scores rows that come as JSON lines on its input.

Events go out as JSON lines on a copy of standard output; what the flow prints goes to standard error. It ends when
its input ends, whatever its rows are doing.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TextIO

from domain.errors import Invalid
from evaluation.evaluators import Evaluator, load_evaluator
from evaluation.failures import Failure, describe
from evaluation.flow_aggregation import aggregate
from evaluation.light_import import stop_inner_retries
from evaluation.load import load_target
from evaluation.row_run import Ask, Attempt, run_row
from evaluation.targets import Answer, Target, fill_variables

_LONGEST_LINE = 8 * 1024 * 1024  # characters of one row's result
_KILL_WITH_PARENT = 1  # PR_SET_PDEATHSIG in <sys/prctl.h>


class Worker:
    """Runs rows in this process."""

    def __init__(self, setup: dict[str, Any], out: TextIO) -> None:
        self._setup = setup
        self._repository = Path(setup["repository"])
        self._out = out
        self._writing = threading.Lock()
        self._evaluators: Future[dict[str, tuple[Evaluator, Mapping[str, Any]]]] = Future()

    def serve(self, lines: TextIO) -> None:
        """Load the target, tell what inputs it needs, and run rows until there are no more lines."""
        if "aggregate" in self._setup:
            self._aggregate()
            return
        gc.disable()  # imports make nothing but keepers: a fifth of their time went into looking through them
        try:
            target = load_target(self._setup["target"], self._repository, os.environ)
        except Invalid as error:
            self._tell({"event": "invalid", "error": str(error)})
            return
        gc.freeze()
        gc.enable()
        self._tell({"event": "loaded", "inputs": dict(target.inputs)})
        threading.Thread(target=self._load_evaluators, daemon=True).start()
        threading.Thread(target=self._show_life, daemon=True).start()
        ask = _ask_on_loop(target) if target.is_async else target.answer
        with ThreadPoolExecutor(self._setup["concurrency"]) as pool:
            for line in lines:
                pool.submit(self._run, json.loads(line), ask)

    def _load_evaluators(self) -> None:
        """Import evaluators while the first rows wait for the model: azure-ai-evaluation takes seconds."""
        try:
            environment = {"variables": os.environ, "connections": self._connections()}
            loaded = {
                name: (load_evaluator(name, spec, self._repository, environment), spec.get("columns") or {})
                for name, spec in self._setup["evaluators"].items()
            }
        except Invalid as error:
            self._tell({"event": "invalid", "error": str(error)})
            return
        stop_inner_retries()
        self._evaluators.set_result(loaded)
        self._tell({"event": "evaluators"})

    def _show_life(self) -> None:
        """Tell now and then that threads get their turn here: a node that holds the interpreter silences this."""
        while True:
            time.sleep(self._setup["pulse"])
            self._tell({"event": "alive"})

    def _aggregate(self) -> None:
        try:
            results = [Path(name) for name in self._setup["aggregate"]]
            metrics = aggregate(self._setup["evaluators"], results, self._repository, self._connections())
        except Invalid as error:
            self._tell({"event": "invalid", "error": str(error)})
            return
        self._tell({"event": "metrics", "metrics": metrics})

    def _connections(self) -> Any:
        return fill_variables(self._setup["target"].get("connections") or {}, os.environ, "target.connections")

    def _run(self, message: dict[str, Any], ask: Ask) -> None:
        attempt = Attempt(**message["attempt"])
        run_row(attempt, message["data"], ask, self._evaluators.result)
        try:
            self._tell({"event": "row", **attempt.as_dict()})
        except (ValueError, TypeError) as error:
            failure = Failure(f"the answer cannot be written as JSON: {describe(error)}")
            self._tell({"event": "row", **Attempt(attempt.id, failure=failure).as_dict()})

    def _tell(self, event: dict[str, Any]) -> None:
        line = json.dumps(event, default=str, allow_nan=False)
        if len(line) > _LONGEST_LINE:
            raise ValueError(f"{len(line)} characters are more than {_LONGEST_LINE}")
        with self._writing:
            self._out.write(line + "\n")
            self._out.flush()


def _ask_on_loop(target: Target) -> Ask:
    """Await every row on one event loop, so that clients which the target keeps belong to a loop that lives on."""
    import asyncio  # noqa: PLC0415  a target without async code starts faster without it

    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()

    def ask(inputs: Mapping[str, Any]) -> Answer:
        return asyncio.run_coroutine_threadsafe(target.answer_async(inputs), loop).result()

    return ask


def _take_standard_output() -> TextIO:
    """Return standard output for events alone; everything else that writes there reaches standard error."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return out


def _make_room(repository: Path) -> None:
    """Let the repository's modules be found first, also where they are called like ours (`settings`, `domain`)."""
    ours = Path(__file__).resolve().parent.parent
    sys.path[:] = [str(repository), *(place for place in sys.path if Path(place or ".").resolve() != ours)]
    os.environ.pop("PYTHONPATH", None)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("evaluation", "domain")]:
        del sys.modules[name]


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_KILL_WITH_PARENT, signal.SIGKILL)


def _serve(lines: TextIO, end: Callable[[int], None]) -> None:
    _die_with_parent()
    setup = json.loads(lines.readline() or "null")
    if setup is not None:
        worker = Worker(setup, _take_standard_output())
        os.chdir(setup["repository"])
        _make_room(Path(setup["repository"]))
        worker.serve(lines)
    end(0)  # without waiting for threads: a node that never returns must not keep the process


if __name__ == "__main__":
    _serve(sys.stdin, os._exit)
