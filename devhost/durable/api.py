"""The durable HTTP API, for people under the public path and for the SDK on a loopback port of its own."""

from __future__ import annotations

import asyncio
import json
import random
import re
import traceback
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from aiohttp import web

from devhost.durable.client import management_urls
from devhost.durable.engine import Engine
from devhost.durable.errors import Conflict, Gone, HubError, NotFound, NotSupported, Refused
from devhost.durable.history import STATUS_NAMES, Status, timestamp
from devhost.durable.operations import Operations
from devhost.durable.queries import Filter
from devhost.durable.status import shown, shown_history
from devhost.keys import same

_RPC_PORT = 17071
_RPC_PATH = "/durabletask"
_LARGEST_BODY = 100 * 1024 * 1024
_STATUS_CODES: dict[type[HubError], int] = {NotFound: 404, Conflict: 409, Gone: 410, Refused: 400, NotSupported: 501}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_routes(app: web.Application, engine: Engine, prefix: str, key: str = "", origin: str = "") -> None:
    """Serve the API below `prefix`.

    With a `key`, every call must carry it as `code` or `x-functions-key`. URLs in answers begin with `origin`,
    or with where the caller found us.
    """
    api = _Api(engine, key, origin)
    one = prefix + "/instances/{id:[^/]+}"  # without the expression aiohttp takes no braces
    routes = [
        ("POST", prefix + "/orchestrators/{name}", api.start),
        ("POST", prefix + "/orchestrators/{name}/{id:[^/]+}", api.start),
        ("GET", prefix + "/instances", api.list),
        ("GET", prefix + "/instances/", api.list),
        ("DELETE", prefix + "/instances", api.purge_by),
        ("DELETE", prefix + "/instances/", api.purge_by),
        ("GET", one, api.status),
        ("DELETE", one, api.purge),
        ("POST", one + "/{operation}", api.operate),
        ("POST", one + "/{operation}/{event:[^/]+}", api.raise_event),
        ("*", prefix + "/entities/{rest:.*}", api.entity),
        ("*", prefix + "/entities", api.entity),
    ]
    for method, path, handler in routes:
        app.router.add_route(method, path, api.guarded(handler))


class RpcListener:
    """Serves the API to the SDK on 127.0.0.1:17071, or on a free port when that one is busy."""

    def __init__(self, engine: Engine, public_origin: str, port: int = _RPC_PORT) -> None:
        app = web.Application(client_max_size=_LARGEST_BODY)
        add_routes(app, engine, _RPC_PATH, origin=public_origin)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        self._port = port

    async def start(self) -> str:
        """Listen; returns the base URL, ending in a slash."""
        await self._runner.setup()
        ports = [self._port, *random.sample(range(30000, 31000), 50)]
        for port in ports:
            site = web.TCPSite(self._runner, "127.0.0.1", port, reuse_address=True)
            try:
                await site.start()
            except OSError:
                continue
            return f"http://127.0.0.1:{self._runner.addresses[0][1]}{_RPC_PATH}/"
        raise HubError(f"no free port for the durable client: {self._port} and 50 ports from 30000 on are all busy")

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()


class _Api:
    def __init__(self, engine: Engine, key: str, origin: str) -> None:
        self._engine = engine
        self._do = Operations(engine)
        self._key = key
        self._origin = origin

    def guarded(self, handler: Handler) -> Handler:
        """Check the key before, and put errors into words after."""

        async def handle(request: web.Request) -> web.StreamResponse:
            given = request.headers.get("x-functions-key") or request.query.get("code", "")
            if self._key and not same(self._key, given):
                return web.Response(status=401)
            try:
                return await handler(request)
            except HubError as error:
                return _failed(error)

        return handle

    async def start(self, request: web.Request) -> web.Response:
        """POST orchestrators/{name}[/{id}]"""
        query = request.query
        body = await _json_body(request)
        waits = _waits(request)  # read before anything is started
        name, wanted_id = request.match_info["name"], request.match_info.get("id")
        instance_id = await self._do.start(name, wanted_id, body, query.get("version"))
        if waits:
            finished = await self._wait(instance_id, *waits)
            if finished:
                return finished
        return self._accepted(request, instance_id, wait=10)

    async def status(self, request: web.Request) -> web.Response:
        """GET instances/{id}"""
        instance = await self._do.status(request.match_info["id"])
        body = shown(instance, _flag(request, "showInput", True))
        if _flag(request, "showHistory"):
            events = await self._do.history(instance.id)
            body["historyEvents"] = shown_history(events, _flag(request, "showHistoryOutput"))
        if not instance.status.finished:
            headers = {"Location": self._urls(request, instance.id)["statusQueryGetUri"], "Retry-After": "5"}
            return web.json_response(body, status=202, headers=headers)
        failed = instance.status == Status.FAILED and _flag(request, "returnInternalServerErrorOnFailure")
        return web.json_response(body, status=500 if failed else 200)

    async def list(self, request: web.Request) -> web.Response:
        """GET instances/"""
        top = _whole_number(request, "top")
        after = request.headers.get("x-ms-continuation-token", "")
        # Without `top` everything is returned: the SDK does not follow continuation tokens.
        instances, following = await self._do.list(_filter(request), top or 2**31, after)
        show_input = _flag(request, "showInput", True)
        headers = {"x-ms-continuation-token": following} if following else {}
        return web.json_response([shown(instance, show_input) for instance in instances], headers=headers)

    async def purge(self, request: web.Request) -> web.Response:
        """DELETE instances/{id}"""
        try:
            await self._do.purge(request.match_info["id"])
        except Conflict as error:
            return _failed(error, 412)
        return web.json_response({"instancesDeleted": 1})

    async def purge_by(self, request: web.Request) -> web.Response:
        """DELETE instances/?createdTimeFrom="""
        if not request.query.get("createdTimeFrom"):
            raise Refused("Please provide value for 'createdTimeFrom' parameter.")
        count = await self._do.purge_by(_filter(request))
        return web.json_response({"instancesDeleted": count}, status=200 if count else 404)

    async def raise_event(self, request: web.Request) -> web.Response:
        """POST instances/{id}/raiseEvent/{event}"""
        if request.match_info["operation"].lower() != "raiseevent":
            raise web.HTTPNotFound
        if request.content_type != "application/json":
            raise Refused("Only application/json request content is supported")
        await self._do.raise_event(request.match_info["id"], request.match_info["event"], await _json_body(request))
        return web.Response(status=202)

    async def operate(self, request: web.Request) -> web.Response:
        """POST instances/{id}/{terminate, suspend, resume, restart or rewind}"""
        instance_id, operation = request.match_info["id"], request.match_info["operation"].lower()
        reason = request.query.get("reason", "")
        if operation == "restart":
            with_new_id = _flag(request, "restartWithNewInstanceId", True)
            return self._accepted(request, await self._do.restart(instance_id, with_new_id), wait=10)
        if operation == "rewind":
            return await self._refuse_rewind(instance_id)
        command = {"terminate": self._do.terminate, "suspend": self._do.suspend, "resume": self._do.resume}
        if operation not in command:
            raise web.HTTPNotFound
        try:
            await command[operation](instance_id, reason)
        except Conflict as error:
            return _failed(error, 500)
        return web.Response(status=202)

    async def entity(self, _request: web.Request) -> web.Response:
        """Anything about entities."""
        raise NotSupported("Entities are not supported by this host: run this app with Core Tools or on Azure.")

    async def _refuse_rewind(self, instance_id: str) -> web.Response:
        try:
            await self._do.rewind(instance_id)
        except NotSupported as error:
            # A plain string, for that is what the SDK shows to its caller.
            return web.json_response(str(error), status=501)
        return web.Response(status=202)

    async def _wait(self, instance_id: str, seconds: float, interval: float) -> web.Response | None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while True:
            instance = await self._do.status(instance_id)
            if instance.status.finished:
                body = shown(instance)
                done = instance.status == Status.COMPLETED
                return web.json_response(body["output"] if done else body, status=200)
            left = end - loop.time()
            if left <= 0:
                return None
            await self._engine.wait_for_end(instance_id, min(max(interval, 0.05), left))

    def _accepted(self, request: web.Request, instance_id: str, wait: int) -> web.Response:
        urls = self._urls(request, instance_id)
        headers = {"Location": urls["statusQueryGetUri"], "Retry-After": str(wait)}
        return web.json_response(urls, status=202, headers=headers)

    def _urls(self, request: web.Request, instance_id: str) -> dict[str, str]:
        origin = self._origin or f"{request.scheme}://{request.host}"
        urls = management_urls(origin, self._engine.settings.hub_name, self._key, instance_id)
        del urls["rewindPostUri"]
        return urls


def _failed(error: HubError, status: int | None = None) -> web.Response:
    body = {
        "Message": "Something went wrong while processing your request",
        "ExceptionMessage": str(error),
        "ExceptionType": type(error).__name__,
        "StackTrace": "".join(traceback.format_tb(error.__traceback__)),
    }
    return web.json_response(body, status=status or _STATUS_CODES.get(type(error), 500))


async def _json_body(request: web.Request) -> str | None:
    try:
        text = await request.text()
        if not text.strip():
            return None
        json.loads(text)
    except (ValueError, LookupError, RecursionError) as error:  # a bad encoding, an unknown one, bad JSON
        raise Refused(f"The request body is not JSON: {error}") from None
    return text


def _flag(request: web.Request, name: str, default: bool = False) -> bool:
    text = request.query.get(name)
    return default if text is None else text.lower() == "true"


def _waits(request: web.Request) -> tuple[float, float] | None:
    """Read how long to wait for the output and how often to look, in seconds; None unless both are given."""
    texts = [request.query.get(name) for name in ("timeout", "pollingInterval")]
    if None in texts:
        return None
    if not all(re.fullmatch(r"\d{1,9}(\.\d+)?", text or "") for text in texts):
        raise Refused(f"timeout and pollingInterval must be seconds, not {texts[0]!r} and {texts[1]!r}.")
    return float(texts[0] or 0), float(texts[1] or 0)


def _whole_number(request: web.Request, name: str) -> int:
    text = request.query.get(name, "0")
    if not re.fullmatch(r"\d{1,18}", text):
        raise Refused(f"{name}={text!r} is not a whole number.")
    return int(text)


def _filter(request: web.Request) -> Filter:
    names = {name.lower(): status for status, name in STATUS_NAMES.items()}
    wanted = [name.strip().lower() for name in request.query.get("runtimeStatus", "").split(",") if name.strip()]
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise Refused(f"runtimeStatus has {unknown}: use {', '.join(STATUS_NAMES.values())}.")
    return Filter(
        created_from=_time(request, "createdTimeFrom"),
        created_to=_time(request, "createdTimeTo"),
        statuses=tuple(names[name] for name in wanted),
        prefix=request.query.get("instanceIdPrefix", ""),
    )


def _time(request: web.Request, name: str) -> str:
    text = request.query.get(name, "")
    if not text:
        return ""
    try:
        at = datetime.fromisoformat(text.replace(" ", "+"))  # an unescaped + arrives as a space
    except ValueError:
        raise Refused(f"{name}={text!r} is not a time such as 2026-01-31T12:00:00Z.") from None
    return timestamp(at if at.tzinfo else at.replace(tzinfo=UTC))
