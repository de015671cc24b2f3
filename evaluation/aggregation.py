"""Metrics over all rows from evaluation flows, computed in a worker process."""

from __future__ import annotations

import queue
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from domain.errors import DrawbridgeError, Invalid
from evaluation.process import WorkerProcess

_LONGEST = 600.0  # seconds for the aggregation of all evaluation flows


def run_aggregation(
    target: Mapping[str, Any],
    evaluators: Mapping[str, Mapping[str, Any]],
    results: Sequence[Path],
    repository: Path,
    home: Path,
) -> dict[str, float]:
    """Run the aggregation of evaluation flows over all result lines. Return "<evaluator>.<metric>" by number.

    Raises Invalid when an evaluation flow cannot do it, DrawbridgeError when its process ends or takes too long.
    """
    if not any(_is_flow(str(spec["use"])) for spec in evaluators.values()):
        return {}
    event = _ask(
        {
            "repository": str(repository.resolve()),
            "target": dict(target),
            "evaluators": dict(evaluators),
            "aggregate": [str(path.resolve()) for path in results],
        },
        home,
    )
    if event["event"] == "invalid":
        raise Invalid(event["error"])
    metrics: dict[str, float] = event["metrics"]
    return metrics


def _ask(setup: Mapping[str, Any], home: Path) -> dict[str, Any]:
    events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    process = WorkerProcess(setup, home, events.put)
    try:
        event = events.get(timeout=_LONGEST)
    except queue.Empty as error:
        raise DrawbridgeError(f"aggregation: not done within {_LONGEST:g} s") from error
    finally:
        process.kill()
    ending = process.wait()
    if event is None:
        raise DrawbridgeError(f"aggregation: its process {ending}")
    return event


def _is_flow(use: str) -> bool:
    return ":" not in use and not use.startswith("azure.")
