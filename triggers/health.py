"""Whether this app can do its work, dependency by dependency, before an event finds out."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping

import azure.durable_functions as df
import azure.functions as func

from adapters import connect, outbox
from domain.errors import DrawbridgeError
from settings import Settings, SettingsError, current
from triggers import reconcile

bp = df.Blueprint()
log = logging.getLogger("drawbridge.health")


@bp.route(route="health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def health(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the route hands it over by this name
    """Answer 200 when every check passes, else 503 with what each one says."""
    try:
        settings = current()
    except SettingsError as error:
        return _answer({"settings": (False, str(error))})
    names = list(CHECKS)
    results = await asyncio.gather(*(asyncio.to_thread(_check, CHECKS[name], settings) for name in names))
    return _answer(dict(zip(names, results, strict=True)))


def _answer(results: Mapping[str, tuple[bool, str]]) -> func.HttpResponse:
    body = {
        "ok": all(passed for passed, _ in results.values()),
        "checks": {name: words for name, (_, words) in results.items()},
    }
    return func.HttpResponse(json.dumps(body), status_code=200 if body["ok"] else 503, mimetype="application/json")


def _check(check: Callable[[Settings], object], settings: Settings) -> tuple[bool, str]:
    try:
        details = check(settings)
    except DrawbridgeError as error:
        return False, str(error)
    except Exception:  # one broken check must not hide what the others say; anybody may read this answer
        log.exception("a health check failed")
        return False, "it failed in an unexpected way: see this app's log"
    return True, f"ok: {details}" if isinstance(details, str) else "ok"


def _repositories(settings: Settings) -> None:
    for repository in settings.repositories:
        connect.github(settings).check_access(repository)


CHECKS: dict[str, Callable[[Settings], object]] = {
    "blobs": lambda settings: connect.blobs(settings).exists("health"),
    "github": _repositories,
    "outbox": lambda settings: outbox.check(connect.blobs(settings), time.time()),
    "events": reconcile.check,
}
