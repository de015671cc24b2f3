"""REST: the App, its installation tokens, and the log of webhook deliveries."""

from __future__ import annotations

from aiohttp import web

from devhost.github.refusals import Refused
from devhost.github.rest import app_caller, body, number, paged, repository, site
from devhost.github.store import Record
from devhost.github.webhooks import HOOK_ID

routes = web.RouteTableDef()
INSTALLATION = 1


@routes.get("/app")
async def get_app(request: web.Request) -> web.Response:
    """Answer the App itself."""
    app_caller(request)
    access, shapes = site(request).access, site(request).shapes
    return web.json_response(
        {
            "id": int(access.app_id),
            "slug": access.app_slug,
            "name": access.app_slug,
            "owner": shapes.user("octo-org"),
            "html_url": f"{shapes.origin}/apps/{access.app_slug}",
        }
    )


@routes.get("/repos/{owner}/{name}/installation")
async def get_installation(request: web.Request) -> web.Response:
    """Answer the App's installation on a repository."""
    app_caller(request)
    owner = repository(request)["repository"].split("/")[0]
    at = site(request)
    return web.json_response(
        {
            "id": INSTALLATION,
            "app_id": int(at.access.app_id),
            "app_slug": at.access.app_slug,
            "target_type": "User",
            "account": at.shapes.user(owner),
            "access_tokens_url": f"{at.shapes.origin}/app/installations/{INSTALLATION}/access_tokens",
        }
    )


@routes.post(r"/app/installations/{number:\d+}/access_tokens")
async def create_token(request: web.Request) -> web.Response:
    """Give an installation token for an hour."""
    app_caller(request)
    await body(request)
    if number(request) != INSTALLATION:
        raise Refused(404, "Not Found")
    token, expires = site(request).double.issue_token()
    shape = {"token": token, "expires_at": expires, "permissions": {}, "repository_selection": "all"}
    return web.json_response(shape, status=201)


@routes.get("/app/hook/deliveries")
@routes.get(rf"/repos/{{owner}}/{{name}}/hooks/{HOOK_ID}/deliveries")
async def list_deliveries(request: web.Request) -> web.Response:
    """Answer the webhook deliveries, newest first."""
    _check(request)
    name = repository(request)["repository"] if "owner" in request.match_info else None
    deliveries = site(request).double.store.all("delivery", name)[::-1]
    return paged(request, [_delivery(delivery) for delivery in deliveries])


@routes.post(r"/app/hook/deliveries/{number:\d+}/attempts")
@routes.post(rf"/repos/{{owner}}/{{name}}/hooks/{HOOK_ID}/deliveries/{{number:\d+}}/attempts")
async def redeliver(request: web.Request) -> web.Response:
    """Send a delivery again under the same X-GitHub-Delivery."""
    _check(request)
    at = site(request)
    found = next((one for one in at.double.store.all("delivery") if one["id"] == number(request)), None)
    if found is None:
        raise Refused(404, "Not Found")
    at.webhooks.redeliver(found)
    return web.json_response({}, status=202)


def _check(request: web.Request) -> None:
    if request.path.startswith("/app/"):
        app_caller(request)


def _delivery(delivery: Record) -> Record:
    names = ("id", "guid", "delivered_at", "redelivery", "duration", "status", "status_code", "event", "action")
    return {**{name: delivery[name] for name in names}, "action": delivery["action"] or None}
