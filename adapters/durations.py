"""How long a repository's evaluations took lately, so that people know how long the next one will."""

from __future__ import annotations

from statistics import median
from typing import Any

from adapters.blobs import Blobs

LATELY = 5  # evaluations of each kind


def keep(blobs: Blobs, repository: str, kind: str, evaluation: str, seconds: float) -> None:
    """Remember how long an evaluation took; the same evaluation twice counts once."""

    def add(kept: Any) -> dict[str, list[dict[str, Any]]]:
        known = dict(kept or {})
        others = [one for one in known.get(kind, ()) if one["evaluation"] != evaluation]
        return {**known, kind: [*others, {"evaluation": evaluation, "seconds": seconds}][-LATELY:]}

    blobs.change_json(_name(repository), add)


def lately(blobs: Blobs, repository: str) -> dict[str, float]:
    """Return the median seconds of the last evaluations by kind."""
    known = blobs.read_json(_name(repository)) or {}
    return {kind: median(one["seconds"] for one in runs) for kind, runs in known.items() if runs}


def _name(repository: str) -> str:
    return f"durations/{repository.lower().replace('/', '.')}.json"
