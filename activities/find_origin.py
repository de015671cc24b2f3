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
    """Return the Origin of {"repository", "sha", "before", "label", "branch"}."""
    wanted = (payload[name] for name in ("repository", "sha", "before", "label", "branch"))
    return asdict(connect.github(current()).find_origin(*wanted))
