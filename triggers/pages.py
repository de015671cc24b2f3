"""The pages people read: releases, one release, one evaluation. Only for people who are signed in."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from adapters import connect
from adapters.blobs import Blobs
from adapters.records import read_rows, rows_behind
from domain import blob_names, timeline
from domain.errors import NotFound
from domain.models import EvaluationSummary, ReleaseRecord
from domain.wire import read
from settings import current
from triggers.answers import page, page_for_people
from triggers.views import evaluation_page, release_list_page, release_page

bp = df.Blueprint()
log = logging.getLogger("drawbridge.pages")

READERS = 16  # blobs read at once for the list


@bp.route(route="releases", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def releases(req: func.HttpRequest) -> func.HttpResponse:
    """List all releases, newest first."""

    async def show() -> func.HttpResponse:
        records = await asyncio.to_thread(read_records, connect.blobs(current()))
        return page("releases.html", release_list_page(records, datetime.now(UTC), refresh=_refresh(req)))

    return await page_for_people(log, req, show)


@bp.route(route="releases/{id}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
@bp.durable_client_input(client_name="client")
async def release_details(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Show one release: its timeline, live progress, evaluations, deployments and votes."""

    async def show() -> func.HttpResponse:
        blobs = connect.blobs(current())
        record = await asyncio.to_thread(read_record, blobs, req.route_params["id"])
        progress, rows = await asyncio.gather(
            live_progress(client, record), asyncio.to_thread(rows_behind, blobs, record.evaluations)
        )
        view = release_page(record, datetime.now(UTC), progress=progress, rows=rows, refresh=_refresh(req))
        return page("release.html", view)

    return await page_for_people(log, req, show)


@bp.route(route="evaluations/{id}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def evaluation_report(req: func.HttpRequest) -> func.HttpResponse:
    """Show one evaluation with its rows, which never leave the private network."""

    async def show() -> func.HttpResponse:
        number = req.params.get("page", "1")
        wanted = int(number) if re.fullmatch("[0-9]{1,6}", number) else 1
        return await asyncio.to_thread(_report, connect.blobs(current()), req.route_params["id"], wanted)

    return await page_for_people(log, req, show)


def read_records(blobs: Blobs) -> list[ReleaseRecord]:
    """Read the record of every release."""
    names = [name for name in blobs.names("releases/") if name.endswith("/record.json")]
    with ThreadPoolExecutor(READERS) as readers:
        return [read(ReleaseRecord, record) for record in readers.map(blobs.read_json, names)]


def read_record(blobs: Blobs, release: str) -> ReleaseRecord:
    """Read one release's record. Raises NotFound."""
    record = blobs.read_json(blob_names.record(release)) if blob_names.is_id(release) else None
    if record is None:
        raise NotFound("There is no release of this name. A merge to the release branch starts one.")
    return read(ReleaseRecord, record)


async def live_progress(client: df.DurableOrchestrationClient, record: ReleaseRecord) -> list[Mapping[str, Any]]:
    """Ask the orchestrations of the running stages how far they are; what cannot be asked shows no progress."""
    instances = [stage.instance for stage in timeline.current_stages(record) if stage.instance]
    statuses = await asyncio.gather(*(client.get_status(instance) for instance in instances), return_exceptions=True)
    found = [getattr(status, "custom_status", None) for status in statuses]
    return [status for status in found if isinstance(status, dict) and status.get("since")]


def _report(blobs: Blobs, evaluation: str, number: int) -> func.HttpResponse:
    kept = blobs.read_json(blob_names.summary(evaluation)) if blob_names.is_id(evaluation) else None
    if kept is None:
        raise NotFound("There is no finished evaluation of this name. Its release page shows how far it is.")
    summary = read(EvaluationSummary, kept)
    compared = summary.comparison is not None and summary.comparison.refused is None
    view = evaluation_page(
        summary,
        read_rows(blobs, evaluation),
        datetime.now(UTC),
        baseline_rows=read_rows(blobs, summary.comparison.baseline) if compared and summary.comparison else [],
        release=evaluation.rpartition(".")[0],
        page=number,
    )
    return page("evaluation.html", view)


def _refresh(req: func.HttpRequest) -> bool:
    return bool(req.params.get("refresh") != "off")
