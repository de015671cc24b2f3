"""What the reconciler remembers, in blobs, and whose turn a pass is."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeVar

from adapters.blobs import Blobs
from domain import reconcile
from domain.blob_names import SEEN_PASS
from domain.reconcile import Pass
from domain.wire import read

T = TypeVar("T")


def begin_pass(blobs: Blobs, now: datetime, every: float) -> str:
    """Take the turn if a pass is due, of many hosts one; returns what `end_pass` wants, "" when it is not our turn."""
    holder = uuid.uuid4().hex
    mine = _data(Pass(now.isoformat(), holder))
    found = blobs.read_with_etag(SEEN_PASS)
    if found is None:
        return holder if blobs.create(SEEN_PASS, mine) else ""
    kept, etag = found
    if not reconcile.due(read(Pass, json.loads(kept)), now, every):
        return ""
    return holder if blobs.replace(SEEN_PASS, mine, etag) else ""


def end_pass(blobs: Blobs, holder: str, failed: bool) -> None:
    """Give the turn back, unless it was taken from us meanwhile, and say whether something could not be looked at."""
    found = blobs.read_with_etag(SEEN_PASS)
    if found is None:
        return
    last = read(Pass, json.loads(found[0]))
    if last.holder == holder:
        blobs.replace(SEEN_PASS, _data(Pass(last.began, failed=failed)), found[1])


def load(blobs: Blobs, name: str, kind: type[T]) -> T:
    """Return what is remembered under a name; before the first time, what that kind begins with."""
    kept = blobs.read_json(name)
    return kind() if kept is None else read(kind, kept)


def save(blobs: Blobs, name: str, value: Any) -> None:
    """Remember something under a name."""
    blobs.write(name, _data(value))


def _data(value: Any) -> bytes:
    return json.dumps(asdict(value), ensure_ascii=False).encode()
