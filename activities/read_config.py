"""Read the commit's own drawbridge.yaml: the rules travel with the code they judge."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from adapters import connect, records
from adapters.blobs import Blobs
from domain.config import read_config as parse
from domain.errors import Invalid
from settings import current

FILE = "drawbridge.yaml"

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def read_config(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"config": …} for {"snapshot": sha256}, or {"error": what is wrong, with line numbers}.

    With {"branch"}, the config must be for releases from that branch.
    """
    return config_of(payload["snapshot"], payload.get("branch", ""), connect.blobs(current()))


def config_of(snapshot: str, branch: str, blobs: Blobs) -> dict[str, Any]:
    """Read and check the config of a snapshot. What a person must mend is an answer, not an exception."""
    content = records.read_snapshot_file(blobs, snapshot, FILE)
    if content is None:
        return {"error": f"The repository has no {FILE} at its top. See docs/configuration.md for one to start from."}
    try:
        config = parse(content.decode("utf-8"), FILE)
    except UnicodeDecodeError:
        return {"error": f"{FILE} is not UTF-8 text."}
    except Invalid as error:
        return {"error": str(error)}
    if branch and config.branches.main != branch:
        main = config.branches.main
        return {
            "error": f"{FILE} releases branch {main}, and this app releases {branch} of this repository: correct "
            f"`branches` there, or put owner/name={main} into the app's setting DRAWBRIDGE_RELEASE_BRANCH."
        }
    return {"config": config.model_dump(mode="json", by_alias=True)}
