"""The pages people read: releases, one release, one evaluation. Only for people who are signed in."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from adapters import connect, release_index
from adapters.blobs import Blobs
from adapters.records import need_record, read_rows, rows_behind
from domain import blob_names, timeline
from domain.errors import NotFound
from domain.models import EvaluationSummary, ReleaseRecord
from domain.wire import read
from settings import current
from triggers.answers import page, page_for_people
from triggers.fresh import Fresh
from triggers.views import evaluation_page, release_list_page, release_page

bp = df.Blueprint()
log = logging.getLogger("drawbridge.pages")
lists: Fresh[func.HttpResponse] = Fresh()  # the same for everybody who is signed in


@bp.route(route="releases", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def releases(req: func.HttpRequest) -> func.HttpResponse:
    """List the releases, newest first, one page of them."""

    number, refresh = _number(req), _refresh(req)

    async def show() -> func.HttpResponse:
        blobs = connect.blobs(current())
        make = partial(asyncio.to_thread, _list, blobs, number, refresh)
        return await lists.get((blobs, number, refresh), make)

    return await page_for_people(log, req, show)


@bp.route(route="releases/{id}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
@bp.durable_client_input(client_name="client")
async def release_details(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Show one release: its timeline, live progress, evaluations, deployments and votes."""

    async def show() -> func.HttpResponse:
        blobs = connect.blobs(current())
        record = await asyncio.to_thread(need_record, blobs, req.route_params["id"])
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
        return await asyncio.to_thread(_report, connect.blobs(current()), req.route_params["id"], _number(req))

    return await page_for_people(log, req, show)


async def live_progress(client: df.DurableOrchestrationClient, record: ReleaseRecord) -> list[Mapping[str, Any]]:
    """Ask the orchestrations of the running stages how far they are; what cannot be asked shows no progress."""
    instances = [stage.instance for stage in timeline.current_stages(record) if stage.instance]
    statuses = await asyncio.gather(*(client.get_status(instance) for instance in instances), return_exceptions=True)
    found = [getattr(status, "custom_status", None) for status in statuses]
    return [status for status in found if isinstance(status, dict) and status.get("since")]


def _list(blobs: Blobs, number: int, refresh: bool) -> func.HttpResponse:
    rows, number, pages = release_index.read_page(blobs, number)
    return page("releases.html", release_list_page(rows, datetime.now(UTC), page=number, pages=pages, refresh=refresh))


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


def _number(req: func.HttpRequest) -> int:
    """Read which page is wished for; what is no number is page 1."""
    number = req.params.get("page", "1")
    return int(number) if re.fullmatch("[0-9]{1,6}", number) else 1


def _refresh(req: func.HttpRequest) -> bool:
    return bool(req.params.get("refresh") != "off")
