"""Look at whether a change can be merged, and whether it was."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import changes, connect
from domain.changes import touches_rules
from domain.errors import DrawbridgeError, as_answer
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def look_at_merge(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"facts", "rules": it may touch drawbridge.yaml, "over"} of {"repository", "number", "instance"}.

    "over": the story of the instance no longer speaks for the change. {"error"} or {"retry_after"} without an answer.
    """
    settings = current()
    github = connect.github(settings)
    where = payload["repository"], payload["number"]
    try:
        facts = github.change_facts(*where)
        files = github.changed_files(*where)
    except DrawbridgeError as error:
        return as_answer(error)
    # A merged change was ended by its own merge: its story still tells that.
    over = facts.open and not changes.speaks(connect.blobs(settings), *where, payload["instance"])
    return {"facts": asdict(facts), "rules": touches_rules(files), "over": over}
