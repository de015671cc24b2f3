"""Answers: pages, and errors as JSON or a page with one structured log line each. The only place that does it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import azure.functions as func

from adapters import connect
from domain.errors import DrawbridgeError, Unauthorized, Unavailable
from settings import Settings, SettingsError, current
from triggers.forms import wants_json
from triggers.identity import Person, person, principal
from triggers.render import HEADERS, render
from triggers.traces import keep_foreign_form
from triggers.views import message_page, sign_in_page

TITLES = {
    400: "That cannot be read",
    401: "Sign in",
    403: "Not for you",
    404: "Not found",
    409: "Something changed",
    410: "Too late",
    413: "Too large",
    503: "Try again in a moment",
}


def structured(log: logging.Logger, event: str, **fields: object) -> None:
    """Write one log line that a query can take apart: the event and its fields as JSON."""
    log.info("%s", json.dumps({"event": event, **fields}, default=str))


def refused(log: logging.Logger, error: DrawbridgeError, event: str, **fields: object) -> None:
    """Log a refusal, or what was ignored, with its reason: one line."""
    decision = "ignored" if error.status == 202 else "refused"
    line = {"event": event, "decision": decision, "status": error.status, "reason": str(error), **fields}
    if error.status >= 500 and error.__cause__ is not None:
        line["cause"] = repr(error.__cause__)[:300]
    log.log(logging.ERROR if error.status >= 500 else logging.INFO, "%s", json.dumps(line, default=str))


def refusal(error: DrawbridgeError) -> func.HttpResponse:
    """Answer a machine that was refused or ignored, with the reason."""
    decision = "ignored" if error.status == 202 else "refused"
    return func.HttpResponse(
        json.dumps({"decision": decision, "reason": str(error)}),
        status_code=error.status,
        mimetype="application/json",
        headers=_retry_after(error),
    )


def page(template: str, view: Any, status: int = 200, headers: dict[str, str] | None = None) -> func.HttpResponse:
    """Answer a person with a page."""
    return func.HttpResponse(render(template, view), status_code=status, headers={**HEADERS, **(headers or {})})


def refreshes(req: func.HttpRequest) -> bool:
    """Say whether a page is to load itself again; `?refresh=off` stops that for its reader."""
    return bool(req.params.get("refresh") != "off")


def refusal_page(error: DrawbridgeError) -> func.HttpResponse:
    """Tell a person what is wrong and what to do."""
    view = message_page(TITLES.get(error.status, "That did not work"), str(error), status=error.status)
    return page("message.html", view, error.status, _retry_after(error))


async def page_for_people(
    log: logging.Logger, req: func.HttpRequest, show: Callable[[], Awaitable[func.HttpResponse]]
) -> func.HttpResponse:
    """Answer with what `show` makes, to people who are signed in; send everybody else to the sign-in."""
    path = urlsplit(req.url).path
    try:
        if not principal(req.headers, current().authentication):
            refused(log, Unauthorized("nobody is signed in"), event="page", path=path)
            return page("sign_in_needed.html", sign_in_page(path), 401)
        return await show()
    except DrawbridgeError as error:
        refused(log, error, event="page", path=path)
        return refusal_page(error)


async def action_of_people(
    log: logging.Logger, req: func.HttpRequest, event: str, act: Callable[[Person], Awaitable[func.HttpResponse]]
) -> func.HttpResponse:
    """Answer with what `act` does for the person who is signed in, or refuse: with a page, or with JSON to a script."""

    async def answer(settings: Settings) -> func.HttpResponse:
        return await _action_of(person(req.headers, settings.authentication), log, req, event, act)

    return await with_settings(log, req, event, answer)


async def with_settings(
    log: logging.Logger, req: func.HttpRequest, event: str, answer: Callable[[Settings], Awaitable[func.HttpResponse]]
) -> func.HttpResponse:
    """Answer with what `answer` does with the settings, or with what is wrong with them."""
    try:
        settings = current()
    except SettingsError as error:
        refused(log, error, event=event, path=urlsplit(req.url).path)
        return refusal(error) if wants_json(req) else refusal_page(error)
    return await answer(settings)


async def _action_of(
    who: Person | None,
    log: logging.Logger,
    req: func.HttpRequest,
    event: str,
    act: Callable[[Person], Awaitable[func.HttpResponse]],
) -> func.HttpResponse:
    try:
        if who is None:
            raise Unauthorized("Sign in first: nobody is signed in.")
        return await act(who)
    except DrawbridgeError as error:
        refused(log, error, event=event, path=urlsplit(req.url).path, principal=who.name if who else None)
        await asyncio.to_thread(keep_foreign_form, connect.blobs(current()), error, who=who, of=event)
        if wants_json(req):
            return refusal(error)
        if isinstance(error, Unauthorized):
            return page("sign_in_needed.html", sign_in_page("/api/releases", "do this"), 401)
        return refusal_page(error)


def done(req: func.HttpRequest, body: dict[str, str], view: Any) -> func.HttpResponse:
    """Answer that something was done: a page for people, JSON for scripts."""
    if wants_json(req):
        return func.HttpResponse(json.dumps(body), status_code=202, mimetype="application/json")
    return page("message.html", view)


def _retry_after(error: DrawbridgeError) -> dict[str, str]:
    return {"Retry-After": str(round(error.retry_after or 30))} if isinstance(error, Unavailable) else {}
