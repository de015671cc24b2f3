"""One process with everything a function app needs: HTTP, timers and the durable engine."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from aiohttp import web
from rich.console import Console
from rich.table import Table

from devhost.durable.api import RpcListener, add_routes
from devhost.durable.client import PUBLIC_PATH, client_binding
from devhost.durable.engine import Engine
from devhost.durable.hub import Hub
from devhost.durable.settings import DurableSettings
from devhost.environment import StartError, prepare_environment
from devhost.http import LARGEST_BODY, FunctionServer, Route, given_key, routes_of
from devhost.invoker import Invoker
from devhost.keys import Keys, keep_keys, keep_secret
from devhost.loader import App, load_app
from devhost.logs import apply_host_json
from devhost.signin import SignIn, read_people, require_loopback
from devhost.timers import Timer, Timers, timers_of

log = logging.getLogger("devhost.host")

_GRACE = 3.0  # seconds that HTTP functions have to end after a signal; activities had theirs before


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    app: Path
    port: int
    hub: Path
    address: str
    enable_auth: bool
    sign_in: bool


def run(options: Options) -> bool:
    """Run the app until a signal; returns False when a function still runs in a thread. Raises StartError."""
    if options.sign_in:
        require_loopback(options.address)
        os.environ["WEBSITE_AUTH_ENABLED"] = "True"
    with _bind(options.address, options.port) as listening:
        port = listening.getsockname()[1]
        prepare_environment(options.app, port)
        app = load_app(options.app)
        apply_host_json(app.host_json)
        _refuse_entities(app)
        return asyncio.run(Host(app, options, listening, port).run())


def _bind(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((address, port))
        listening.listen(128)  # at once, for two sockets may bind one port and only the second to listen is told
    except OSError as error:
        listening.close()
        raise StartError(
            f"port {port} on {address} cannot be used ({error.strerror}): give another one with --port or --host"
        ) from error
    return listening


def _refuse_entities(app: App) -> None:
    if app.entities:
        names = ", ".join(sorted(function.name for function in app.entities.values()))
        raise StartError(f"entity triggers are not supported by devhost ({names}): run this app with Core Tools")


class Host:
    """Starts the parts in order and stops them in reverse."""

    def __init__(self, app: App, options: Options, listening: socket.socket, port: int) -> None:
        self._app = app
        self._options = options
        self._listening = listening
        self._origin = f"http://localhost:{port}"
        self._settings = DurableSettings.from_host_json(app.host_json, os.environ)
        self._routes = routes_of(app)
        self._timers = timers_of(app)
        self._people = read_people(os.environ)

    async def run(self) -> bool:
        """Serve until SIGTERM or SIGINT; returns False when a function still runs in a thread."""
        hub = Hub(_prepared(self._options.hub))
        hub.open()
        invoker = Invoker(self._app, self._settings.function_timeout)
        try:
            async with contextlib.AsyncExitStack() as parts:
                await self._start(hub, invoker, parts)
                await _signal()
                log.info("stopping")
            return not invoker.is_busy
        finally:
            hub.close()

    async def _start(self, hub: Hub, invoker: Invoker, parts: contextlib.AsyncExitStack) -> None:
        """Start every part; `parts` stops them in reverse order, also when a later one does not start."""
        keys = await keep_keys(hub, self._app.functions) if self._options.enable_auth else None
        engine = Engine(hub, invoker, self._settings)
        timers = Timers(self._timers, invoker, hub)
        if self._app.is_durable:
            invoker.client_json = await self._listen_for_sdk(engine, keys, parts)
        server = await self._web_app(hub, engine, invoker, timers, keys)
        runner = web.AppRunner(server, access_log=None, auto_decompress=False, shutdown_timeout=0.5)
        await runner.setup()
        parts.push_async_callback(runner.cleanup)
        parts.push_async_callback(invoker.stop, _GRACE)
        await engine.start()
        parts.push_async_callback(engine.stop)
        timers.start()
        parts.push_async_callback(timers.stop)
        site = web.SockSite(runner, self._listening)
        await site.start()
        parts.push_async_callback(site.stop)
        self._announce(keys)

    async def _listen_for_sdk(self, engine: Engine, keys: Keys | None, parts: contextlib.AsyncExitStack) -> str:
        """Serve the durable API to the SDK; returns the durable client's JSON."""
        rpc = RpcListener(engine, self._origin)
        rpc_url = await rpc.start()
        parts.push_async_callback(rpc.stop)
        return client_binding(self._origin, rpc_url, self._settings.hub_name, keys.durable if keys else "")

    async def _web_app(
        self, hub: Hub, engine: Engine, invoker: Invoker, timers: Timers, keys: Keys | None
    ) -> web.Application:
        app = web.Application(client_max_size=LARGEST_BODY)
        if self._app.is_durable:
            add_routes(app, engine, PUBLIC_PATH, keys.durable if keys else "")
        sign_in = SignIn(self._people, await keep_secret(hub, "sign-in")) if self._options.sign_in else None
        if sign_in:
            sign_in.add_routes(app)
        _add_admin_routes(app, timers, keys)
        server = FunctionServer(self._routes, invoker, keys, sign_in)
        app.router.add_route("*", r"/{path:[\s\S]*}", server.handle)  # line breaks, too, are the app's business
        return app

    def _announce(self, keys: Keys | None) -> None:
        console = Console(stderr=True, highlight=False, markup=False)  # a route may hold a regular expression
        console.width = max(console.width, 400)  # a URL cut at the edge could not be copied
        console.print("\nFunctions:\n")
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2))
        for route in self._routes:
            table.add_row(route.function.name, _verbs(route), _url(self._origin, route, keys))
        for timer in self._timers:
            table.add_row(timer.function.name, "timer", _when(timer))
        for kind in ("orchestrationTrigger", "activityTrigger"):
            for function in self._app.with_trigger(kind):
                table.add_row(function.name, kind.removesuffix("Trigger"))
        for name in self._app.disabled:
            table.add_row(name, "disabled")
        console.print(table)
        log.info("devhost %s listens on %s, task hub %s", self._app.directory.name, self._origin, self._options.hub)


def _prepared(hub: Path) -> Path:
    if hub.parent.name == ".devhost":
        with contextlib.suppress(OSError):  # opening the hub says what is wrong there
            hub.parent.mkdir(parents=True, exist_ok=True)
            (hub.parent / ".gitignore").write_text("*\n")
    return hub


def _verbs(route: Route) -> str:
    return f"[{','.join(route.methods) or 'any'}]"


def _url(origin: str, route: Route, keys: Keys | None) -> str:
    code = keys.functions.get(route.function.name.lower()) if keys and route.level == "FUNCTION" else None
    return f"{origin}/{route.template.text}{f'?code={code}' if code else ''}"


def _when(timer: Timer) -> str:
    due = timer.schedule.next_after(datetime.now().astimezone())
    return f"{timer.text}, next {due:%Y-%m-%d %H:%M:%S}" if due else f"{timer.text}, never"


def _add_admin_routes(app: web.Application, timers: Timers, keys: Keys | None) -> None:
    async def ping(_request: web.Request) -> web.Response:
        return web.Response()

    async def status(request: web.Request) -> web.Response:
        _require_master(request)
        return web.json_response({"state": "Running", "processUptime": round(asyncio.get_running_loop().time() * 1000)})

    async def run_timer(request: web.Request) -> web.Response:
        _require_master(request)
        return web.Response(status=202 if timers.run_now(request.match_info["name"]) else 404)

    def _require_master(request: web.Request) -> None:
        if keys and not keys.allow("ADMIN", "", given_key(request)):
            raise web.HTTPUnauthorized

    app.router.add_get("/admin/host/ping", ping)
    app.router.add_get("/admin/host/status", status)
    app.router.add_post("/admin/functions/{name}", run_timer)


async def _signal() -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await stopping.wait()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(number)  # a second signal ends the host at once
