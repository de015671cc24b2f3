"""REST: a repository's webhooks, and the log of deliveries."""

from __future__ import annotations

from aiohttp import web

from devhost.github.hooks import OWN
from devhost.github.refusals import Refused
from devhost.github.rest import app_caller, body, cursor_paged, number, paged, repository, site
from devhost.github.store import Record

routes = web.RouteTableDef()
_LOGS = ("/app/hook/deliveries", r"/repos/{owner}/{name}/hooks/{hook:\d+}/deliveries")


@routes.get("/app/hook/config")
async def get_own_config(request: web.Request) -> web.Response:
    """Answer where the App's webhooks go."""
    app_caller(request)
    own = site(request).hooks.own
    if not own.url:
        raise Refused(404, "Not Found")
    secret = {"secret": "********"} if own.secret else {}
    return web.json_response({"url": own.url, "content_type": "json", "insecure_ssl": "0", **secret})


@routes.get("/repos/{owner}/{name}/hooks")
async def list_hooks(request: web.Request) -> web.Response:
    """Answer a repository's webhooks."""
    at = site(request)
    return paged(request, at.hooks.of(repository(request)), at.shapes.hook)


@routes.post("/repos/{owner}/{name}/hooks")
async def register_hook(request: web.Request) -> web.Response:
    """Register a webhook and ping it."""
    found, at = repository(request), site(request)
    hook = at.hooks.register(found, await body(request))
    payload = at.shapes.webhook("ping", "", found, {"hook": at.shapes.hook(hook)})
    at.webhooks.send_to(hook, "ping", "", found, payload)
    return web.json_response(at.shapes.hook(hook), status=201)


@routes.get(r"/repos/{owner}/{name}/hooks/{number:\d+}")
async def get_hook(request: web.Request) -> web.Response:
    """Answer one webhook."""
    at = site(request)
    return web.json_response(at.shapes.hook(at.hooks.find(repository(request), number(request))))


@routes.patch(r"/repos/{owner}/{name}/hooks/{number:\d+}")
async def change_hook(request: web.Request) -> web.Response:
    """Change a webhook."""
    at = site(request)
    hook = at.hooks.find(repository(request), number(request))
    return web.json_response(at.shapes.hook(at.hooks.change(hook, await body(request))))


@routes.delete(r"/repos/{owner}/{name}/hooks/{number:\d+}")
async def remove_hook(request: web.Request) -> web.Response:
    """Delete a webhook."""
    at = site(request)
    at.double.store.remove(at.hooks.find(repository(request), number(request)))
    return web.Response(status=204)


async def list_deliveries(request: web.Request) -> web.Response:
    """Answer the deliveries of a hook, newest first, a page from a cursor on."""
    at, wanted = site(request), request.query.get("status")
    log = [one for one in _log(request)[::-1] if wanted is None or (wanted == "success") == _arrived(one)]
    return cursor_paged(request, log, lambda one: at.shapes.delivery(one, at.hooks.own.app))


async def get_delivery(request: web.Request) -> web.Response:
    """Answer a delivery with what was sent and what came back."""
    at, delivery = site(request), _delivery(request)
    headers = at.webhooks.headers(delivery, at.hooks.own.secret if delivery["hook"] == OWN else "")
    return web.json_response(at.shapes.full_delivery(delivery, at.hooks.own.app, headers))


async def redeliver(request: web.Request) -> web.Response:
    """Send a delivery again under the same X-GitHub-Delivery."""
    delivery = _delivery(request)
    site(request).webhooks.redeliver(delivery, site(request).double.repository(delivery["repository"]))
    return web.json_response({}, status=202)


for _place in _LOGS:
    routes.get(_place)(list_deliveries)
    routes.get(_place + r"/{number:\d+}")(get_delivery)
    routes.post(_place + r"/{number:\d+}/attempts")(redeliver)


def _log(request: web.Request) -> list[Record]:
    at = site(request)
    if "owner" in request.match_info:
        found, hook = repository(request), number(request, "hook")
        if not at.hooks.own.app:
            at.hooks.find(found, hook)
        return at.double.store.all("delivery", found["repository"], hook=hook)
    app_caller(request)
    return at.double.store.all("delivery", hook=OWN)


def _delivery(request: web.Request) -> Record:
    found = next((one for one in _log(request) if one["id"] == number(request)), None)
    if found is None:
        raise Refused(404, "Not Found")
    return found


def _arrived(delivery: Record) -> bool:
    return 200 <= int(delivery["status_code"]) < 300
