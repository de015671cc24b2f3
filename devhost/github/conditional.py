"""Rate limits and conditional requests around every API request."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable

from aiohttp import web

from devhost.github.rates import Rates
from devhost.github.refusals import Refused, refused
from devhost.github.rest import site

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
routes = web.RouteTableDef()
FREE = ("/rate_limit", "/_codeload/")


@routes.get("/rate_limit")
async def get_rate_limit(request: web.Request) -> web.Response:
    """Answer what is left; this costs nothing."""
    core = site(request).rates.overview(request)
    return web.json_response({"resources": {"core": core, "search": core}, "rate": core})


async def limited(request: web.Request, handler: Handler, rates: Rates) -> web.StreamResponse:
    """Count the request, and answer 304 for free when the caller has the answer already."""
    if request.path.startswith(FREE):
        return await handler(request)
    try:
        rates.take(request)
    except Refused as refusal:
        return _with(refused(refusal), rates.headers(request))
    reply = await handler(request)
    if request.method == "GET" and reply.status == 200 and isinstance(reply, web.Response) and reply.text is not None:
        reply = _tagged(request, reply)
        if reply.status == 304:
            rates.give_back(request)
    return _with(reply, rates.headers(request))


def _tagged(request: web.Request, reply: web.Response) -> web.Response:
    tag = f'W/"{hashlib.sha256((reply.text or "").encode()).hexdigest()}"'
    had = request.headers.get("If-None-Match", "")
    if tag.removeprefix("W/") in (one.strip().removeprefix("W/") for one in had.split(",")):
        return web.Response(status=304, headers={"ETag": tag})
    reply.headers["ETag"] = tag
    return reply


def _with(reply: web.StreamResponse, headers: dict[str, str]) -> web.StreamResponse:
    for name, value in headers.items():
        reply.headers.setdefault(name, value)  # a fault may have said something else
    return reply
