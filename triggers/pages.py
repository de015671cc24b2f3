"""The list of releases, and the report of an evaluation. Only for people who are signed in."""

from __future__ import annotations

import asyncio
import logging
import re
from datetime import UTC, datetime
from functools import partial

import azure.durable_functions as df
import azure.functions as func

from adapters import connect, release_index
from adapters.blobs import Blobs
from adapters.records import read_rows
from domain import blob_names
from domain.errors import NotFound
from domain.models import EvaluationSummary
from domain.schedules import EvaluationRecord
from domain.wire import read
from settings import current
from triggers.answers import page, page_for_people, refreshes
from triggers.fresh import Fresh
from triggers.release_pages import live_progress
from triggers.views import evaluation_page, evaluation_running_page, release_list_page

bp = df.Blueprint()
log = logging.getLogger("drawbridge.pages")
lists: Fresh[func.HttpResponse] = Fresh()  # the same for everybody who is signed in


@bp.route(route="releases", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def releases(req: func.HttpRequest) -> func.HttpResponse:
    """List the releases, newest first, one page of them."""

    number, refresh = _number(req), refreshes(req)

    async def show() -> func.HttpResponse:
        blobs = connect.blobs(current())
        make = partial(asyncio.to_thread, _list, blobs, number, refresh)
        return await lists.get((blobs, number, refresh), make)

    return await page_for_people(log, req, show)


@bp.route(route="evaluations/{id}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
@bp.durable_client_input(client_name="client")
async def evaluation_report(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Show one evaluation with its rows, which never leave the private network; or how far it is."""

    async def show() -> func.HttpResponse:
        blobs, name = connect.blobs(current()), req.route_params["id"]
        report = await asyncio.to_thread(_report, blobs, name, _number(req))
        if report is not None:
            return report
        record = await asyncio.to_thread(_running, blobs, name)
        progress = await live_progress(client, [f"{record.instance}:shards"])
        view = evaluation_running_page(record, datetime.now(UTC), progress, refresh=refreshes(req))
        return page("evaluation_running.html", view)

    return await page_for_people(log, req, show)


def _list(blobs: Blobs, number: int, refresh: bool) -> func.HttpResponse:
    rows, number, pages = release_index.read_page(blobs, number)
    return page("releases.html", release_list_page(rows, datetime.now(UTC), page=number, pages=pages, refresh=refresh))


def _running(blobs: Blobs, evaluation: str) -> EvaluationRecord:
    kept = blobs.read_json(blob_names.evaluation_record(evaluation)) if blob_names.is_id(evaluation) else None
    if kept is None:
        raise NotFound("There is no finished evaluation of this name. Its release page shows how far it is.")
    return read(EvaluationRecord, kept)


def _report(blobs: Blobs, evaluation: str, number: int) -> func.HttpResponse | None:
    kept = blobs.read_json(blob_names.summary(evaluation)) if blob_names.is_id(evaluation) else None
    if kept is None:
        return None
    summary = read(EvaluationSummary, kept)
    compared = summary.comparison is not None and summary.comparison.refused is None
    view = evaluation_page(
        summary,
        read_rows(blobs, evaluation),
        datetime.now(UTC),
        baseline_rows=read_rows(blobs, summary.comparison.baseline) if compared and summary.comparison else [],
        release=_release_of(evaluation),
        page=number,
    )
    return page("evaluation.html", view)


def _release_of(evaluation: str) -> str:
    """Return the release that an evaluation is a part of, or the payment of whose debt it is; nothing for others."""
    found = re.match(r"release-.+-[0-9a-f]{40}(?=\.)", evaluation)
    return found[0] if found else ""


def _number(req: func.HttpRequest) -> int:
    """Read which page is wished for; what is no number is page 1."""
    number = req.params.get("page", "1")
    return int(number) if re.fullmatch("[0-9]{1,6}", number) else 1
