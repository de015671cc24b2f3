"""Serve HTTP functions: routes, keys, and the platform's identity headers."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from devhost.environment import StartError, section
from devhost.invoker import HttpCall, HttpReply, log_failure
from devhost.keys import Keys
from devhost.loader import App, Function
from devhost.routes import Template, parse, split_path

log = logging.getLogger("devhost.http")

LARGEST_BODY = 100 * 1024 * 1024  # bytes, as on Azure; a larger request is answered 413
IDENTITY_HEADERS = ("x-ms-client-principal", "x-ms-token-")  # only the platform may set headers that begin so
_FRAMING = ("content-length", "transfer-encoding")


class Answerer(Protocol):
    """Runs HTTP functions."""

    async def answer(self, function: Function, call: HttpCall) -> HttpReply:
        """Return the function's reply or raise what it raised."""


class Identity(Protocol):
    """Knows who sent a request."""

    def headers_for(self, request: web.Request) -> Mapping[str, str]:
        """Return the platform's identity headers, none for somebody who is not signed in."""


@dataclass(frozen=True)
class Route:
    """Where one function is reached."""

    function: Function
    template: Template
    methods: tuple[str, ...]  # empty for all
    level: str

    def takes(self, method: str) -> bool:
        """Tell whether the function wants this verb."""
        return not self.methods or method in self.methods


def routes_of(app: App) -> list[Route]:
    """List the routes in the order in which they are tried. Raises StartError for a bad template."""
    return [_route(function, route_prefix(app)) for function in app.with_trigger("httpTrigger")]


def route_prefix(app: App) -> str:
    """Return the prefix from host.json, without slashes; `api` when it is not set."""
    prefix = section(app.host_json, "extensions", "http").get("routeprefix")
    return str("api" if prefix is None else prefix).strip("/")


def _route(function: Function, prefix: str) -> Route:
    trigger = function.trigger
    route = str(trigger.get("route", function.name)).lstrip("/")
    try:
        template = parse(f"{prefix}/{route}" if prefix else route)
    except StartError as error:
        raise StartError(f"Function '{function.name}': {error}") from error
    methods = tuple(str(method).upper() for method in trigger.get("methods") or ())
    return Route(function, template, methods, str(trigger.get("authLevel", "FUNCTION")).upper())


class FunctionServer:
    """Answers the requests that belong to functions, 404 to all others."""

    def __init__(
        self, routes: list[Route], invoker: Answerer, keys: Keys | None = None, identity: Identity | None = None
    ) -> None:
        self._routes = routes
        self._invoker = invoker
        self._keys = keys  # None leaves every function open, as Core Tools does
        self._identity = identity

    async def handle(self, request: web.Request) -> web.Response:
        """Find the function, check the key, run it, and log one line."""
        started = time.perf_counter()
        route, values = self._find(request)
        if route is None:
            return web.Response(status=404)
        name = route.function.name
        if self._keys and not self._keys.allow(route.level, name, given_key(request)):
            log.warning("%s %s -> 401: '%s' needs a key", request.method, route.template.text, name)
            return web.Response(status=401)
        try:
            reply = await self._invoker.answer(route.function, await self._call(request, values))
            response = _response(reply)
        except web.HTTPException:
            raise
        except Exception as error:
            log_failure(route.function, error)
            response = web.Response(status=500)
        spent = (time.perf_counter() - started) * 1000
        # The route, not the path: what stands in its parameters may be a secret, such as an approval link's.
        log.info("%s %s -> %d  %s, %.0f ms", request.method, route.template.text, response.status, name, spent)
        return response

    def _find(self, request: web.Request) -> tuple[Route | None, dict[str, str]]:
        path = split_path(request.rel_url.raw_path)
        for route in self._routes:
            values = route.template.match(path) if route.takes(request.method) else None
            if values is not None:
                return route, values
        return None, {}

    async def _call(self, request: web.Request, values: dict[str, str]) -> HttpCall:
        identity = self._identity.headers_for(request) if self._identity else {}
        return HttpCall(
            method=request.method,
            url=f"{request.scheme}://{request.host}{request.raw_path}",
            headers=_headers(request) | {name.lower(): value for name, value in identity.items()},
            query=_joined(request.query.items()),
            route=values,
            body=await request.read(),
        )


def _response(reply: HttpReply) -> web.Response:
    if not 200 <= reply.status <= 999:
        raise ValueError(f"a function cannot answer with status {reply.status}")
    # The server frames the body; what an app says about it, wrong or right, would leave the client waiting.
    headers = [(name, value) for name, value in reply.headers if name.lower() not in _FRAMING]
    return web.Response(status=reply.status, headers=headers, body=reply.body)


def _headers(request: web.Request) -> dict[str, str]:
    headers = _joined((name.lower(), value) for name, value in request.headers.items())
    return {name: value for name, value in headers.items() if not name.startswith(IDENTITY_HEADERS)}


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def given_key(request: web.Request) -> str:
    """Read the key a caller sent, empty without one."""
    return request.headers.get("x-functions-key") or request.query.get("code", "")
