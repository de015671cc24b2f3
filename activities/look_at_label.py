"""Look again at the labels of an open change, of which one has moved."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from activities.preview_release import preview
from activities.read_config import config_of
from adapters import changes, connect
from domain.config import Config
from domain.errors import DrawbridgeError, as_answer
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def look_at_label(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {} of {"repository", "number"}, or {"retry_after": seconds}, or {"error"}.

    Before its validation has read the head's own config there is nothing to say: the validation says it then.
    """
    settings = current()
    where = payload["repository"], payload["number"]
    outbox = connect.outbox(settings)
    record = changes.find(outbox.blobs, *where)
    if record is None or not record.snapshot or record.ended:
        return {}
    found = config_of(record.snapshot, settings.release_branch, outbox.blobs)
    if record.base != settings.release_branch or "error" in found:
        return {}
    try:
        preview(
            *where,
            Config.model_validate(found["config"]),
            f"{settings.public_url}/api",
            connect.github(settings),
            outbox,
        )
    except DrawbridgeError as error:
        return as_answer(error)
    return {}
