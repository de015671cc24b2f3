"""Column mappings: `${data.x}` is a field of the row, `${target.y}` one of the target's outputs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from domain.errors import Invalid
from evaluation.dataset import Row

_REFERENCE = re.compile(r"\$\{(data|target)\.([^{}]+)\}")


class MissingColumn(Exception):
    """One row lacks what a column refers to."""


def check_columns(columns: Mapping[str, Any], rows: Sequence[Row], where: str, sources: Iterable[str]) -> None:
    """Refuse references that can never be resolved: a wrong form, a wrong source, a field that no row has."""
    allowed = " or ".join(f"${{{source}.name}}" for source in sources)
    for name, value in columns.items():
        if not isinstance(value, str) or "${" not in value:
            continue
        match = _REFERENCE.fullmatch(value)
        if match is None or match[1] not in sources:
            raise Invalid(f"{where}.{name}: {value!r} is not a reference: expected {allowed}")
        if match[1] == "data" and rows and not any(match[2] in row.data for row in rows):
            known = ", ".join(sorted({field for row in rows for field in row.data}))
            raise Invalid(f"{where}.{name}: no row of the dataset has a column {match[2]!r}: there are {known}")


def fill_columns(
    columns: Mapping[str, Any], data: Mapping[str, Any], output: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the values that the columns refer to in one row. Raises MissingColumn naming what is not there."""
    sources: dict[str, Mapping[str, Any]] = {"data": data, "target": output or {}}
    return {name: _resolve(value, sources) for name, value in columns.items()}


def _resolve(value: Any, sources: Mapping[str, Mapping[str, Any]]) -> Any:
    match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    source, name = match.groups()
    if name not in sources[source]:
        owner, kind = ("the row", "column") if source == "data" else ("the target's answer", "output")
        known = ", ".join(sources[source]) or "nothing"
        raise MissingColumn(f"{owner} has no {kind} {name!r}, only {known}")
    return sources[source][name]
