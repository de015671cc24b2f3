"""Who owes which evaluation: the page for people, the same as JSON for scripts."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import azure.durable_functions as df
import azure.functions as func

from adapters import connect
from adapters.debts import recent
from domain.models import Debt
from settings import current
from triggers.answers import page, page_for_people
from triggers.views import debts_page, people_of

bp = df.Blueprint()
log = logging.getLogger("drawbridge.pages")


@bp.route(route="debts", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def debts(req: func.HttpRequest) -> func.HttpResponse:
    """Show the debts that are open and those settled in the last year, and who opts out how often."""

    async def show() -> func.HttpResponse:
        known = await asyncio.to_thread(recent, connect.blobs(current()))
        if "application/json" in req.headers.get("accept", ""):
            return func.HttpResponse(
                _as_json(known), mimetype="application/json", headers={"Cache-Control": "no-store"}
            )
        return page("debts.html", debts_page(known, datetime.now(UTC)))

    return await page_for_people(log, req, show)


def _as_json(debts: Sequence[Debt]) -> str:
    return json.dumps(
        {"debts": [asdict(debt) for debt in debts], "people": [asdict(person) for person in people_of(debts)]}
    )
