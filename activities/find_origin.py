"""Find which changes a commit brings, who wrote them, and what their labels said when they merged."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import connect
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def find_origin(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the Origin of {"repository", "sha", "before", "label"}."""
    github = connect.github(current())
    origin = github.find_origin(payload["repository"], payload["sha"], payload["before"], payload["label"])
    return asdict(origin)
