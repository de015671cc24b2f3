"""Send real requests to a deployment and say what they showed."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import connect, records
from adapters.blobs import Blobs
from evaluation.columns import fill_columns
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def probe_deployment(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the Probe for {"environment", "snapshot", "sample", "columns", "requests"}."""
    settings = current()
    inputs = sample_inputs(payload["snapshot"], payload["sample"], payload["columns"], connect.blobs(settings))
    probe = connect.web_app(settings).probe(payload["environment"], inputs, payload["requests"] if inputs else 0)
    return asdict(probe)


def sample_inputs(snapshot: str, sample: str | None, columns: dict[str, str], blobs: Blobs) -> list[dict[str, Any]]:
    """Return the target's inputs for each sample row; none without a sample."""
    content = records.read_snapshot_file(blobs, snapshot, sample) if sample else None
    lines = content.decode().splitlines() if content else []
    return [fill_columns(columns, json.loads(line)) for line in lines if line.strip()]
