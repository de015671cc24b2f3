"""What is evaluated, behind one small interface. Prompt Flow is the first implementation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from domain.errors import Invalid

_ENV = re.compile(r"\$\{env:([^{}]+)\}")


@dataclass(frozen=True)
class Answer:
    """What a target gave for one row. `aggregation` is what its aggregation needs to see of this row."""

    output: dict[str, Any]
    tokens: int = 0
    aggregation: dict[str, Any] = field(default_factory=dict)


class Target(Protocol):
    """Something that answers rows. Loaded once in a worker process, called from many threads, or awaited."""

    inputs: Mapping[str, bool]  # name -> whether a value is required
    is_async: bool  # then `answer_async` is awaited, all rows on one event loop

    def answer(self, inputs: Mapping[str, Any]) -> Answer:
        """Answer one row; raises whatever went wrong."""
        ...

    async def answer_async(self, inputs: Mapping[str, Any]) -> Answer:
        """Answer one row without holding a thread."""
        ...


def fill_variables(value: Any, variables: Mapping[str, str], where: str) -> Any:
    """Return the value with each `${env:NAME}` in it replaced, at any depth. Raises Invalid naming what is not set."""
    if isinstance(value, Mapping):
        return {key: fill_variables(inner, variables, f"{where}.{key}") for key, inner in value.items()}
    if isinstance(value, list):
        return [fill_variables(inner, variables, where) for inner in value]
    return _ENV.sub(lambda match: _variable(match[1], variables, where), value) if isinstance(value, str) else value


def _variable(name: str, variables: Mapping[str, str], where: str) -> str:
    if name not in variables:
        raise Invalid(f"{where}: the environment variable {name} is not set where the evaluation runs")
    return variables[name]
