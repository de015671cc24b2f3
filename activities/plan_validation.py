"""Plan the validation of a commit: its own commands, its flow, its sample rows, as one job."""

from __future__ import annotations

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

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def plan_validation(payload: dict[str, Any]) -> dict[str, Any]:
    """Return what `run_jobs` needs for {"release", "snapshot", "config"}."""
    settings = current()
    config = Config.model_validate(payload["config"])
    blob = plan(payload["release"], payload["snapshot"], config, connect.blobs(settings))
    return {"plan": blob, "part": PART, "poll": settings.poll_seconds, "stage": "validate"}


def plan(release: str, snapshot: str, config: Config, blobs: Blobs) -> str:
    """Write the plan and return its blob name."""
    spec = {
        "commands": config.validation.commands,
        "target": config.target.model_dump(mode="json"),
        "sample": config.validation.sample,
        "columns": config.evaluation.columns,
    }
    job = Job(name=f"{release}.validate", kind="validate", snapshot=snapshot, spec=spec, timeout=TIMEOUT)
    blob = blob_names.validation_plan(release)
    blobs.write_json(blob, {PART: [{"job": asdict(job), "results": blob_names.validation_results(release)}]})
    return blob
