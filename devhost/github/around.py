"""What happens around every request, from the outside in."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

from devhost.github import pages
from devhost.github.conditional import limited
from devhost.github.git import GitError
from devhost.github.refusals import Refused, refused
from devhost.github.rest import SITE, check_permission

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = logging.getLogger("devhost.github")
API = ("/repos/", "/app", "/user", "/orgs/", "/rate_limit", "/_codeload/")
KEPT_REQUESTS = 2_000


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
    if at.access.scopes:
        reply.headers["X-OAuth-Scopes"] = ", ".join(at.access.scopes)
    return reply


@web.middleware
async def _hold_requests_to_what_is_published(request: web.Request, handler: Handler) -> web.StreamResponse:
    if not _is_published(request):
        return await handler(request)
    await request.read()  # before a fault breaks the connection
    reply = await handler(request)
    await request.app[SITE].findings.check_request(request, reply.status)
    return reply


@web.middleware
async def _fail_on_demand(request: web.Request, handler: Handler) -> web.StreamResponse:
    if not request.path.startswith(API):
        return await handler(request)
    return await request.app[SITE].faults.around(request, handler)


@web.middleware
async def _hold_answers_to_what_is_published(request: web.Request, handler: Handler) -> web.StreamResponse:
    reply = await handler(request)
    if _is_published(request):
        request.app[SITE].findings.check_answer(request, reply)
    return reply


def _is_published(request: web.Request) -> bool:
    # An archive's own link is not part of the API.
    return request.path.startswith(API) and not request.path.startswith("/_codeload/")


@web.middleware
async def _answer_refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    for_program = request.path.startswith((*API, "/_double/"))
    try:
        return await handler(request)
    except Refused as refusal:
        return refused(refusal) if for_program else pages.refusal(refusal)
    except GitError as error:
        log.exception("git failed on %s %s", request.method, request.path)
        return web.json_response({"message": str(error)}, status=500)
    except web.HTTPFound as found:
        return web.Response(status=302, headers={"Location": str(found.location)})
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
        missing = Refused(404, "Not Found")
        return refused(missing) if for_program else pages.refusal(missing)


@web.middleware
async def _let_in(request: web.Request, handler: Handler) -> web.StreamResponse:
    # The App signs in with its own key on these, and an archive's link is its own credential.
    own = request.path.startswith(("/app", "/_codeload/")) or request.path.endswith("/installation")
    if request.path.startswith(API) and not own:
        check_permission(request)
    return await handler(request)


# A fault's answer is a test's own word; the request that it meets is held to what GitHub takes like any other.
EVERYTHING = (
    *(_guard, _log_and_limit, _hold_requests_to_what_is_published, _fail_on_demand),
    *(_hold_answers_to_what_is_published, _answer_refusals, _let_in),
)
