"""Find which changes a commit brings, who wrote them, and what their labels said when they merged."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import connect
from domain.errors import DrawbridgeError, as_answer
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def find_origin(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"origin"} of {"repository", "sha", "before", "label", "branch"}, or {"error"}, or {"retry_after"}."""
    wanted = (payload[name] for name in ("repository", "sha", "before", "label", "branch"))
    try:
        origin = connect.github(current()).find_origin(*wanted)
    except DrawbridgeError as error:
        return as_answer(error)
    return {"origin": asdict(origin)}
