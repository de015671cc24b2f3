"""Evaluators score one row: classes of azure-ai-evaluation, callables of the repository, evaluation flows."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import Any, Protocol

from domain.errors import Invalid
from evaluation.failures import describe
from evaluation.prompt_flow import FlowTarget, load_flow
from evaluation.targets import fill_variables

_AZURE = "azure.ai.evaluation."
# What azure-ai-evaluation adds to each score; the score itself is what gates are about.
_AZURE_EXTRAS = ("_threshold", "_passed", "_result", "_tokens", "_score", "_status", "_reason", "_properties")


class UnusableScore(Exception):
    """An evaluator returned nothing a mean can be made of."""


@dataclass(frozen=True)
class Scores:
    """The numbers an evaluator gave one row, and what its aggregation needs to see of the row."""

    numbers: dict[str, float]
    aggregation: dict[str, Any] = field(default_factory=dict)


class Evaluator(Protocol):
    """Scores one row from the arguments its columns name."""

    def score(self, name: str, arguments: dict[str, Any]) -> Scores:
        """Return the row's scores, or raise what went wrong."""
        ...


def load_evaluator(name: str, spec: Mapping[str, Any], repository: Path, environment: Mapping[str, Any]) -> Evaluator:
    """Load the evaluator that `spec["use"]` names.

    `environment` has "variables" for `${env:NAME}` and "connections" for evaluation flows.
    Raises Invalid naming the evaluator when there is no such thing or it cannot be built.
    """
    use, where = str(spec["use"]), f"evaluators.{name}"
    try:
        init = fill_variables(spec.get("init") or {}, environment["variables"], f"{where}.init")
        if use.startswith(_AZURE):
            return _AzureEvaluator(_azure_class(use)(**init))
        if ":" in use:
            return _CallableEvaluator(_callable(use, init))
        return _FlowEvaluator(load_flow(use, repository, environment["connections"]))
    except Invalid as error:
        raise Invalid(f"{where}: {error}") from error
    except BaseException as error:  # the repository's own module may even call sys.exit
        raise Invalid(f"{where}: {use} cannot be loaded: {describe(error)}") from error


class _AzureEvaluator:
    def __init__(self, evaluate: Callable[..., Any]) -> None:
        self._evaluate = evaluate

    def score(self, name: str, arguments: dict[str, Any]) -> Scores:
        return Scores(read_scores(name, _azure_scores(self._evaluate(**arguments))))


class _CallableEvaluator:
    def __init__(self, evaluate: Callable[..., Any]) -> None:
        self._evaluate = evaluate

    def score(self, name: str, arguments: dict[str, Any]) -> Scores:
        result = self._evaluate(**arguments)
        if inspect.isawaitable(result):
            result = asyncio.run(_await(result))
        return Scores(read_scores(name, result))


class _FlowEvaluator:
    def __init__(self, flow: FlowTarget) -> None:
        self._flow = flow

    def score(self, name: str, arguments: dict[str, Any]) -> Scores:
        answer = self._flow.answer(arguments)
        if not self._flow.aggregates:
            return Scores(read_scores(name, answer.output))
        # Grades in words are fine here: the flow's own aggregation makes numbers of them.
        numbers = read_scores(name, answer.output) if any(map(_is_number, answer.output.values())) else {}
        return Scores(numbers, answer.aggregation)


def read_scores(name: str, result: Any) -> dict[str, float]:
    """Return the named numbers in what an evaluator returned; words such as a reason are left out.

    A single number is called like its evaluator, several are "<evaluator>.<key>".
    Raises UnusableScore when there is no number, or one of them is missing, NaN or infinite.
    """
    if not isinstance(result, Mapping):
        return {name: _number(name, "", result)}
    if not result:
        raise UnusableScore(f"evaluator {name} returned nothing")
    numbers = {str(key): _number(name, f" for {key}", value) for key, value in result.items() if not _is_words(value)}
    if not numbers:
        raise UnusableScore(f"evaluator {name} returned no number, only {', '.join(map(str, result))}")
    return {name: next(iter(numbers.values()))} if len(numbers) == 1 else _prefixed(name, numbers)


def _number(name: str, key: str, value: Any) -> float:
    if value is None:
        raise UnusableScore(f"evaluator {name} returned nothing{key}")
    if not _is_number(value):
        raise UnusableScore(f"evaluator {name} returned {str(value)[:60]!r}{key}: expected a number")
    if not math.isfinite(value):
        raise UnusableScore(f"evaluator {name} returned {value}{key}")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real)


def _is_words(value: Any) -> bool:
    return isinstance(value, str | list | tuple | Mapping)


def _prefixed(name: str, numbers: Mapping[str, float]) -> dict[str, float]:
    return {f"{name}.{key}": number for key, number in numbers.items()}


def _azure_scores(result: Any) -> Any:
    """Keep the scores; azure-ai-evaluation returns each several times, with its threshold, verdict and reason."""
    if not isinstance(result, Mapping):
        return result
    for key, status in result.items():
        if key.endswith("_status") and status not in (None, "completed"):
            raise UnusableScore(f"{status}: {result.get(key.removesuffix('_status') + '_reason') or 'no reason given'}")
    return {key: value for key, value in result.items() if not _is_azure_extra(str(key), result)}


def _is_azure_extra(key: str, result: Mapping[str, Any]) -> bool:
    bare = key.removeprefix("gpt_")
    return (bare != key and bare in result) or any(
        key.endswith(extra) and any(key.startswith(other) and key != other for other in result)
        for extra in _AZURE_EXTRAS
    )


def _azure_class(use: str) -> Callable[..., Any]:
    # BLEU, GLEU and METEOR would download NLTK data; without the download they say what data they miss.
    vars(importlib.import_module("nltk"))["download"] = lambda *_, **__: False
    module = importlib.import_module("azure.ai.evaluation")
    name = use.removeprefix(_AZURE)
    found = getattr(module, name, None)
    if not inspect.isclass(found):
        known = ", ".join(sorted(known for known in dir(module) if known.endswith("Evaluator")))
        raise Invalid(f"azure-ai-evaluation has no {name!r}: it has {known}")
    return found


def _callable(use: str, init: Mapping[str, Any]) -> Callable[..., Any]:
    module_name, _, attribute = use.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not module_name.startswith(error.name):
            raise
        raise Invalid(f"{use}: there is no module {module_name} in the repository") from error
    found = getattr(module, attribute, None)
    if not callable(found):
        raise Invalid(f"{use}: the module has no callable {attribute!r}")
    if inspect.isclass(found) or init:
        found = found(**init)
    return found  # type: ignore[no-any-return]  # whatever the repository made


async def _await(result: Any) -> Any:
    return await result
