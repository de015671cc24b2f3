"""Control: roles, teams, branch protection, what the App may do, limits."""

from __future__ import annotations

from aiohttp import web

from devhost.github import apps, people
from devhost.github.rest import body, names, repository, site, text, whether

routes = web.RouteTableDef()
_OK = {"ok": True}


@routes.post("/_double/repositories/{owner}/{name}/roles")
async def set_role(request: web.Request) -> web.Response:
    """Give somebody a role."""
    fields = await body(request)
    people.set_role(site(request).double, repository(request), text(fields, "login"), text(fields, "role"))
    return web.json_response(_OK)


@routes.post("/_double/repositories/{owner}/{name}/protection")
async def protect(request: web.Request) -> web.Response:
    """Protect a branch."""
    fields = await body(request)
    checks, reviews = names(fields.get("checks")), int(fields.get("reviews", 0))
    found, branch = repository(request), text(fields, "branch")
    by_rules, queue = whether(fields, "by_rules"), whether(fields, "queue")
    people.protect(site(request).double, found, branch, checks, reviews, by_rules, queue)
    return web.json_response(_OK)


@routes.post("/_double/teams")
async def set_team(request: web.Request) -> web.Response:
    """Say who is in a team."""
    fields = await body(request)
    members = names(fields.get("members"))
    people.set_team(site(request).double, text(fields, "organization"), text(fields, "slug"), members)
    return web.json_response(_OK)


@routes.post("/_double/app/permissions")
async def set_app_permissions(request: web.Request) -> web.Response:
    """Say what the App may do."""
    apps.set_permissions(site(request).double, {str(name): str(level) for name, level in (await body(request)).items()})
    return web.json_response(_OK)


@routes.post("/_double/rates")
async def set_rates(request: web.Request) -> web.Response:
    """Set the rate limits and forget what was used."""
    fields = await body(request)
    site(request).rates.change(int(fields.get("per_hour", 5000)), int(fields.get("writes_per_minute", 0)))
    return web.json_response(_OK)
