"""The double as a web server: API, pages and control on one port."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from devhost.github import (
    api_apps,
    api_checks,
    api_comments,
    api_git,
    api_hooks,
    api_issues,
    api_labels,
    api_marks,
    api_people,
    api_pulls,
    conditional,
    control,
    control_marks,
    control_people,
    control_threads,
    pages,
)
from devhost.github.conditional import limited
from devhost.github.double import Double
from devhost.github.faults import Faults
from devhost.github.git import GitError
from devhost.github.hooks import Hooks, OwnHook
from devhost.github.rates import Rates
from devhost.github.refusals import Refused, refused
from devhost.github.rest import SITE, Access, Site, check_permission
from devhost.github.shapes import Shapes
from devhost.github.shapes.base import INSTALLATION
from devhost.github.store import Record
from devhost.github.webhooks import Webhooks

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = logging.getLogger("devhost.github")
API = ("/repos/", "/app", "/user", "/orgs/", "/rate_limit", "/_codeload/")
KEPT_REQUESTS = 2_000
RESOURCES = (
    *(control, control_marks, control_people, control_threads),
    *(
        api_git,
        api_pulls,
        api_comments,
        api_issues,
        api_labels,
        api_marks,
        api_checks,
        api_people,
        api_apps,
        api_hooks,
        conditional,
    ),
    pages,  # last: its paths begin with anything
)


@dataclass(frozen=True)
class Options:
    """How the double runs. Port 0 takes a free one."""

    root: Path
    port: int = 0
    webhook: str = ""
    secret: str = field(default="", repr=False)
    access: Access = field(default_factory=Access, repr=False)


@asynccontextmanager
async def serving(options: Options) -> AsyncIterator[str]:
    """Serve on loopback while inside; gives the origin."""
    app = web.Application(
        middlewares=[_guard, _log_and_limit, _answer_refusals, _fail_on_demand], client_max_size=32 * 1024 * 1024
    )
    for resource in RESOURCES:
        app.add_routes(resource.routes)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    app[SITE] = _site(options)
    await runner.setup()
    try:
        listener = web.TCPSite(runner, "127.0.0.1", options.port)
        await listener.start()
        at = app[SITE]
        at.shapes.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
        (at.double.root / "address").write_text(at.shapes.origin, encoding="utf-8")
        at.double.wake()
        yield at.shapes.origin
    finally:
        await app[SITE].webhooks.close()
        await runner.cleanup()
        app[SITE].double.store.close()


def _site(options: Options) -> Site:
    double, access = Double(options.root), options.access
    double.robot = access.login
    shapes = Shapes(double, (access.app_slug, int(access.app_id or 0)))
    own = OwnHook(options.webhook, options.secret, app=bool(access.app_id))
    hooks = Hooks(double.store, own)
    webhooks = Webhooks(double.store, hooks)
    site = Site(double, shapes, hooks, webhooks, Faults(), access, Rates(), [])
    double.emit = partial(_tell, site)
    return site


def _tell(site: Site, event: str, action: str, repository: Record, details: Mapping[str, Any]) -> None:
    if event == "ping":
        hook = site.hooks.own_of(repository)
        details = {"hook": site.shapes.hook(hook, int(site.access.app_id or 0))}
    payload = site.shapes.webhook(event, action, repository, details)
    if site.hooks.own.app and event != "ping":
        payload["installation"] = {"id": INSTALLATION, "node_id": f"I_{INSTALLATION}"}
    site.webhooks.send(event, action, repository, payload)


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what a page of another site makes a browser send; on loopback nothing else keeps it out."""
    origin = request.headers.get("Origin")
    if request.method != "GET" and origin is not None and urlsplit(origin).netloc != request.host:
        raise web.HTTPForbidden(text="This request comes from another site.")
    return await handler(request)


@web.middleware
async def _log_and_limit(request: web.Request, handler: Handler) -> web.StreamResponse:
    if not request.path.startswith(API):
        return await handler(request)
    at = request.app[SITE]
    seen = {"method": request.method, "path": request.path, "authorized": "Authorization" in request.headers}
    at.requests.append(seen)
    del at.requests[:-KEPT_REQUESTS]
    reply = await limited(request, handler, at.rates)
    seen["status"] = reply.status
    return reply


@web.middleware
async def _answer_refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    for_program = request.path.startswith((*API, "/_double/"))
    try:
        reply = await handler(request)
    except Refused as refusal:
        reply = refused(refusal) if for_program else pages.refusal(refusal)
    except GitError as error:
        log.exception("git failed on %s %s", request.method, request.path)
        reply = web.json_response({"message": str(error)}, status=500)
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
        missing = Refused(404, "Not Found")
        reply = refused(missing) if for_program else pages.refusal(missing)
    return reply


@web.middleware
async def _fail_on_demand(request: web.Request, handler: Handler) -> web.StreamResponse:
    if not request.path.startswith(API):
        return await handler(request)
    return await request.app[SITE].faults.around(request, _authorized(handler))


def _authorized(handler: Handler) -> Handler:
    async def check_first(request: web.Request) -> web.StreamResponse:
        # The App signs in with its own key on these, and an archive's link is its own credential.
        if not request.path.startswith(("/app", "/_codeload/")) and not request.path.endswith("/installation"):
            check_permission(request)
        return await handler(request)

    return check_first
