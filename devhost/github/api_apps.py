"""REST: the App, its installation and tokens."""

from __future__ import annotations

from aiohttp import web

from devhost.github import apps
from devhost.github.refusals import Refused
from devhost.github.rest import app_caller, body, number, repository, site
from devhost.github.shapes import Json
from devhost.github.shapes.base import INSTALLATION

routes = web.RouteTableDef()


def _app(request: web.Request) -> Json:
    at = site(request)
    return at.shapes.app(at.access.app_slug, int(at.access.app_id or 0), apps.permissions(at.double))


@routes.get("/app")
async def get_app(request: web.Request) -> web.Response:
    """Answer the App itself."""
    app_caller(request)
    return web.json_response(_app(request))


@routes.get("/repos/{owner}/{name}/installation")
async def get_installation(request: web.Request) -> web.Response:
    """Answer the App's installation on a repository."""
    app_caller(request)
    owner = repository(request)["repository"].split("/")[0]
    return web.json_response(site(request).shapes.installation(_app(request), owner))


@routes.get("/orgs/{org}/installation")
async def get_organization_installation(request: web.Request) -> web.Response:
    """Answer the App's installation on an organization: an account that owns a repository."""
    app_caller(request)
    at, org = site(request), request.match_info["org"]
    owners = {found["repository"].split("/")[0].casefold() for found in at.double.repositories()}
    if org.casefold() not in owners:
        raise Refused(404, "Not Found")
    return web.json_response(at.shapes.installation(_app(request), org))


@routes.post(r"/app/installations/{number:\d+}/access_tokens")
async def create_token(request: web.Request) -> web.Response:
    """Give an installation token for an hour."""
    app_caller(request)
    await body(request)
    if number(request) != INSTALLATION:
        raise Refused(404, "Not Found")
    double = site(request).double
    token, expires = apps.issue_token(double)
    allowed = {"permissions": apps.permissions(double), "repository_selection": "all"}
    return web.json_response({"token": token, "expires_at": expires, **allowed}, status=201)
