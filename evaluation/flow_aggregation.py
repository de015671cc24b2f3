"""The aggregation nodes of Prompt Flow evaluation flows, run in this process."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

from domain.errors import Invalid
from evaluation.failures import describe
from evaluation.prompt_flow import load_flow


def aggregate(
    evaluators: Mapping[str, Mapping[str, Any]],
    results: Sequence[Path],
    repository: Path,
    connections: Mapping[str, Mapping[str, Any]],
) -> dict[str, float]:
    """Return "<evaluator>.<metric>" of every evaluation flow that aggregates, over the rows that were scored.

    Runs the repository's code: only ever called in a worker process. Raises Invalid naming the evaluator.
    """
    metrics: dict[str, float] = {}
    for name, spec in evaluators.items():
        rows = list(_kept(name, results))
        if rows:
            flow = load_flow(str(spec["use"]), repository, connections)
            metrics.update(_checked(name, _aggregated(name, flow, rows)))
    return metrics


def _aggregated(name: str, flow: Any, rows: list[dict[str, Any]]) -> dict[str, Any]:
    try:
        found: dict[str, Any] = flow.aggregate(rows)
    except BaseException as error:  # a node may even call sys.exit
        raise Invalid(f"evaluators.{name}: its aggregation failed: {describe(error)}") from error
    if not found:
        raise Invalid(f"evaluators.{name}: its aggregation logged no metric")
    return found


def _kept(name: str, results: Iterable[Path]) -> Iterable[dict[str, Any]]:
    for path in results:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                kept = json.loads(line).get("aggregation", {}).get(name)
                if kept is not None:
                    yield kept


def _checked(name: str, found: Mapping[str, Any]) -> dict[str, float]:
    for key, value in found.items():
        if not isinstance(value, Real) or not math.isfinite(value):
            raise Invalid(f"evaluators.{name}: its aggregation logged {value!r} for {key}: expected a number")
    return {f"{name}.{key}": float(value) for key, value in found.items()}
