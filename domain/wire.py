"""Dataclasses from the plain dicts that cross process boundaries."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")


def read(kind: type[T], payload: Any) -> T:
    """Build a (nested) frozen dataclass from what `dataclasses.asdict` made of it.

    Raises pydantic.ValidationError naming each field that does not fit.
    """
    value: T = _adapter(kind).validate_python(payload)
    return value


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
