"""Dataclasses from the plain dicts that cross process boundaries."""

from __future__ import annotations

from collections.abc import Hashable
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter

T = TypeVar("T")


def read(kind: type[T], payload: Any) -> T:
    """Build a (nested) frozen dataclass from what `dataclasses.asdict` made of it.

    Raises pydantic.ValidationError naming each field that does not fit.
    """
    # The cast is for mypy, which does not see that a class is hashable.
    value: T = _adapter(cast(Hashable, kind)).validate_python(payload)
    return value


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
