"""A change and what its validation printed, which may quote rows and so never leaves this place."""

from __future__ import annotations

import asyncio
import logging
import re
from datetime import UTC, datetime

import azure.durable_functions as df
import azure.functions as func

from adapters import changes, connect, records
from adapters.blobs import Blobs
from domain import blob_names
from domain.errors import NotFound
from settings import current
from triggers.answers import page, page_for_people, refreshes
from triggers.views import change_page

_OF_CHANGE = re.compile(r"change-(.+)-([0-9]{1,10})-[0-9a-f]{40}(?:\.[0-9]+)?")
_OF_GROUP = re.compile(r"group-(.+)-([0-9a-f]{40})")

bp = df.Blueprint()
log = logging.getLogger("drawbridge.pages")


@bp.route(route="changes/{repository}/{number}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def change_details(req: func.HttpRequest) -> func.HttpResponse:
    """Show a change of the repository written as owner.name: its newest validation."""

    async def show() -> func.HttpResponse:
        place = req.route_params["repository"], req.route_params["number"]
        return await asyncio.to_thread(_change, connect.blobs(current()), *place, "", refreshes(req))

    return await page_for_people(log, req, show)


@bp.route(route="changes/{id}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def change_validation(req: func.HttpRequest) -> func.HttpResponse:
    """Show one validation of a change or of a merge queue's group, by its instance, as GitHub links to it."""

    async def show() -> func.HttpResponse:
        instance = req.route_params["id"]
        found = _OF_CHANGE.fullmatch(instance) or _OF_GROUP.fullmatch(instance)
        place = (found[1], found[2]) if found else ("", "")
        return await asyncio.to_thread(_change, connect.blobs(current()), *place, instance, refreshes(req))

    return await page_for_people(log, req, show)


def _change(blobs: Blobs, repository: str, key: str, instance: str, refresh: bool) -> func.HttpResponse:
    known = blob_names.is_id(repository) and re.fullmatch("[1-9][0-9]{0,9}|[0-9a-f]{40}", key)
    record = changes.find(blobs, repository, key) if known else None
    if record is None:
        raise NotFound("There is no change of this number here. A pull request that is open shows up within seconds.")
    carrier = None if record.group else blobs.read_json(blob_names.carrier(record.repository, record.number))
    view = change_page(
        record,
        datetime.now(UTC),
        lines=records.read_lines(blobs, blob_names.validation_results(instance or record.instance)),
        instance=instance,
        release=str(carrier["release"]) if carrier else "",
        refresh=refresh,
    )
    return page("change.html", view)
