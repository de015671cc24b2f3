"""Take the fingerprint of everything that a commit's full evaluation hangs on."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from adapters import connect, snapshot_files
from domain import fingerprints
from domain.config import Config
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def take_fingerprint(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"fingerprint"} of {"snapshot": sha256, "config"}."""
    files = snapshot_files.list_files(connect.blobs(current()), payload["snapshot"])
    return {"fingerprint": fingerprints.of_full_evaluation(Config.model_validate(payload["config"]), files)}
