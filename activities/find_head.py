"""Find the newest commit of a branch."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from adapters import connect
from domain.errors import DrawbridgeError, as_answer
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def find_head(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"sha"} of {"repository", "branch"}, or {"error": what to mend}, or {"retry_after": seconds}."""
    try:
        return {"sha": connect.github(current()).head_of(payload["repository"], payload["branch"])}
    except DrawbridgeError as error:
        return as_answer(error)
