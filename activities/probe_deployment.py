"""Send real requests to a deployment and say what they showed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import connect, records
from adapters.platform import WebApp
from domain.git_flow import web_app_name
from domain.models import Probe
from evaluation.columns import fill_columns
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def probe_deployment(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the Probe for {"repository", "environment", "release", "snapshot", "sample", "columns", "requests"}."""
    settings = current()
    rows = records.read_snapshot_rows(connect.blobs(settings), payload["snapshot"], payload["sample"])
    inputs = [fill_columns(payload["columns"], row) for row in rows]
    app = web_app_name(payload["repository"], payload["environment"])
    return asdict(probe(connect.web_app(settings), app, payload["release"], inputs, payload["requests"]))


def probe(web_app: WebApp, app: str, release: str, inputs: list[dict[str, Any]], requests: int) -> Probe:
    """Ask the release's own deployment; one that another release has replaced shows nothing about this one."""
    running = web_app.current(app)
    if running is None or running.release != release:
        return Probe(False, 0, 0, (), "another release has been deployed there meanwhile")
    return web_app.probe(app, inputs, requests if inputs else 0)
