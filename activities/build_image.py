"""Build the image of a commit's target, once for all environments."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import connect
from domain.errors import Invalid
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def build_image(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"image"} or {"error": what to mend} for {"snapshot", "target", "commit"}. Same files, same digest."""
    registry = connect.registry(current())
    try:
        image = registry.build(payload["snapshot"], payload["target"], payload["commit"])
    except Invalid as error:
        return {"error": str(error)}
    return {"image": asdict(image)}
