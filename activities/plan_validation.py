"""Plan the validation of a commit: its own commands, its flow, its sample rows, as one job."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import connect
from adapters.blobs import Blobs
from domain import blob_names
from domain.config import Config
from domain.models import Job
from settings import current

PART = "validation"  # of the plan: its only job
TIMEOUT = 30 * 60  # seconds for all commands and sample rows together
NOWHERE = "http://sealed.invalid"  # stands for each variable of a sealed job's connections
_VARIABLE = re.compile(r"\$\{env:[^{}]+\}")

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def plan_validation(payload: dict[str, Any]) -> dict[str, Any]:
    """Return what `run_jobs` needs for {"release": or the change's validation, "snapshot", "config"}.

    With {"sealed": true} the code is a stranger's: it gets neither secrets nor the model.
    """
    settings = current()
    config = Config.model_validate(payload["config"])
    sealed = bool(payload.get("sealed"))
    blob = plan(payload["release"], payload["snapshot"], config, connect.blobs(settings), sealed)
    return {"plan": blob, "part": PART, "poll": settings.poll_seconds, "stage": "validate"}


def plan(release: str, snapshot: str, config: Config, blobs: Blobs, sealed: bool = False) -> str:
    """Write the plan and return its blob name. Sample rows need the model, so a sealed validation goes without."""
    target = config.target.model_dump(mode="json")
    spec = {
        "commands": config.validation.commands,
        "target": _without_variables(target) if sealed else target,
        "sample": None if sealed else config.validation.sample,
        "columns": config.evaluation.columns,
    }
    job = Job(f"{release}.validate", "validate", snapshot, spec, TIMEOUT, sealed=sealed, short=True)
    blob = blob_names.validation_plan(release)
    blobs.write_json(blob, {PART: [{"job": asdict(job), "results": blob_names.validation_results(release)}]})
    return blob


def _without_variables(target: dict[str, Any]) -> dict[str, Any]:
    """Let the target load where no variable is set: what it would connect to is nowhere."""
    connections = {
        name: {key: _VARIABLE.sub(NOWHERE, text) for key, text in connection.items()}
        for name, connection in target["connections"].items()
    }
    return {**target, "connections": connections}
