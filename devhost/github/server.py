"""The double as a web server: API, pages and control on one port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from devhost.github import (
    api_apps,
    api_checks,
    api_comments,
    api_contents,
    api_git,
    api_hooks,
    api_issues,
    api_labels,
    api_marks,
    api_people,
    api_pulls,
    around,
    conditional,
    control,
    control_marks,
    control_people,
    control_queue,
    control_threads,
    pages,
)
from devhost.github.double import Double
from devhost.github.faults import Faults
from devhost.github.findings import Findings
from devhost.github.hooks import Hooks, OwnHook
from devhost.github.rates import Rates
from devhost.github.rest import SITE, Access, Site
from devhost.github.shapes import Shapes
from devhost.github.shapes.base import INSTALLATION
from devhost.github.store import Record
from devhost.github.webhooks import Webhooks

RESOURCES = (
    *(control, control_marks, control_people, control_queue, control_threads),
    *(api_apps, api_checks, api_comments, api_contents, api_git, api_hooks, api_issues, api_labels, api_marks),
    *(api_people, api_pulls, conditional),
    pages,  # last: its paths begin with anything
)


@dataclass(frozen=True)
class Options:
    """How the double runs. Port 0 takes a free one.

    With `check` everything is held to what GitHub publishes; findings are for Client.findings().
    """

    root: Path
    port: int = 0
    webhook: str = ""
    secret: str = field(default="", repr=False)
    access: Access = field(default_factory=Access, repr=False)
    check: bool = False


@asynccontextmanager
async def serving(options: Options) -> AsyncIterator[str]:
    """Serve on loopback while inside; gives the origin."""
    app = web.Application(middlewares=around.EVERYTHING, client_max_size=32 * 1024 * 1024)
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
    hooks = Hooks(double.store, OwnHook(options.webhook, options.secret, app=bool(access.app_id)))
    webhooks = Webhooks(double.store, hooks)
    findings = Findings(double.store, options.check)
    site = Site(double, shapes, hooks, webhooks, Faults(), access, Rates(), findings, [])
    double.emit = partial(_tell, site)
    return site


def _tell(site: Site, event: str, action: str, repository: Record, details: Mapping[str, Any]) -> None:
    if event == "ping":
        hook = site.hooks.own_of(repository)
        details = {"hook": site.shapes.hook(hook, int(site.access.app_id or 0))}
    payload = site.shapes.webhook(event, action, repository, details)
    if site.hooks.own.app and event != "ping":
        payload["installation"] = {"id": INSTALLATION, "node_id": f"I_{INSTALLATION}"}
    site.findings.check_webhook(event, payload)
    site.webhooks.send(event, action, repository, payload)
