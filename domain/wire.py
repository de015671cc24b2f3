"""Dataclasses from the plain dicts that cross process boundaries, and the digest of what crosses them."""

from __future__ import annotations

import hashlib
import json
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


def digest_of(value: Any) -> str:
    """Return the SHA-256, in hex, of plain data in canonical JSON: what names evidence, before and after storing it."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
