"""Look at the repository's own checks of a change's head."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import changes, connect
from domain.changes import together
from domain.errors import DrawbridgeError, as_answer
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def look_at_checks(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"checks": one for each name, "over": the story of `instance` no longer speaks for the change}.

    Input: {"repository", "number", "instance", "sha", "names"}. {"error"} or {"retry_after"} when GitHub has none.
    """
    settings = current()
    if not changes.speaks(connect.blobs(settings), payload["repository"], payload["number"], payload["instance"]):
        return {"checks": [], "over": True}
    names = payload["names"]
    try:
        found = connect.github(settings).checks_of(payload["repository"], payload["sha"], names)
    except DrawbridgeError as error:
        return as_answer(error)
    return {"checks": [asdict(check) for check in together(names, found)], "over": False}
