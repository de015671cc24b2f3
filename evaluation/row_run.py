"""One attempt at one row: the target answers, then each evaluator scores the answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from evaluation.columns import MissingColumn, fill_columns
from evaluation.evaluators import Evaluator, UnusableScore
from evaluation.failures import Failure, read_failure
from evaluation.targets import Answer

Ask = Callable[[Mapping[str, Any]], Answer]


@dataclass
class Attempt:
    """What an attempt came to. An answer that is given is kept when only an evaluator has to be asked again."""

    id: str
    inputs: dict[str, Any] = field(default_factory=dict)
    output: dict[str, Any] | None = None
    latency: float | None = None  # seconds the target took
    tokens: int = 0
    scores: dict[str, float] = field(default_factory=dict)
    aggregation: dict[str, Any] = field(default_factory=dict)  # by evaluator, for its aggregation
    failure: Failure | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it as a plain dict for the wire."""
        return asdict(self)


def run_row(
    attempt: Attempt,
    data: Mapping[str, Any],
    ask: Ask,
    evaluators: Callable[[], Mapping[str, tuple[Evaluator, Mapping[str, Any]]]],
) -> None:
    """Answer and score one row into `attempt`; whatever goes wrong becomes its failure.

    `evaluators` is called after the answer: they may still be loading until then.
    """
    try:
        if attempt.output is None:
            _answer(attempt, ask)
        for name, (evaluator, columns) in evaluators().items():
            attempt.failure = attempt.failure or _score(attempt, name, evaluator, columns, data)
    except BaseException as error:  # a flow that calls sys.exit is a row with an error like any other
        attempt.failure = read_failure(error)


def _answer(attempt: Attempt, ask: Ask) -> None:
    started = time.perf_counter()
    answer = ask(attempt.inputs)
    attempt.latency = round(time.perf_counter() - started, 4)
    attempt.output, attempt.tokens = answer.output, answer.tokens


def _score(
    attempt: Attempt, name: str, evaluator: Evaluator, columns: Mapping[str, Any], data: Mapping[str, Any]
) -> Failure | None:
    try:
        scores = evaluator.score(name, fill_columns(columns, data, attempt.output))
    except UnusableScore as error:
        return Failure(str(error))
    except BaseException as error:
        failure = Failure(str(error)) if isinstance(error, MissingColumn) else read_failure(error)
        return Failure(f"evaluator {name}: {failure.reason}", failure.again, failure.after, failure.limited)
    attempt.scores.update(scores.numbers)
    if scores.aggregation:
        attempt.aggregation[name] = scores.aggregation
    return None
