"""REST: who people are, what they may do, who is in a team."""

from __future__ import annotations

import re

from aiohttp import web

from devhost.github import people
from devhost.github.refusals import Refused
from devhost.github.rest import caller, paged, repository, site

routes = web.RouteTableDef()
LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}(\[bot\])?")  # what can be an account's name


@routes.get("/user")
async def get_user(request: web.Request) -> web.Response:
    """Answer who the token belongs to; an installation token is nobody's."""
    login = caller(request)
    if login.endswith("[bot]"):
        raise Refused(403, "Resource not accessible by integration")
    return web.json_response(site(request).shapes.account(login))


@routes.get("/users/{login}")
async def get_somebody(request: web.Request) -> web.Response:
    """Answer an account by its login."""
    return web.json_response(site(request).shapes.account(request.match_info["login"]))


@routes.get("/repos/{owner}/{name}/collaborators/{login}/permission")
async def get_permission(request: web.Request) -> web.Response:
    """Answer what somebody may do with a repository."""
    found, at, login = repository(request), site(request), request.match_info["login"]
    if not LOGIN.fullmatch(login):
        raise Refused(404, "Not Found")
    role = people.role(at.double, found, login)
    user = {**at.shapes.user(login), "permissions": at.shapes.permissions(role), "role_name": role}
    return web.json_response({"permission": people.permission(role), "role_name": role, "user": user})


@routes.get("/orgs/{org}")
async def get_organization(request: web.Request) -> web.Response:
    """Answer an organization."""
    org = request.match_info["org"]
    if not site(request).double.store.all("team", "", organization=org.casefold()):
        raise Refused(404, "Not Found")
    return web.json_response(site(request).shapes.organization(org))


@routes.get("/orgs/{org}/teams/{slug}")
async def get_team(request: web.Request) -> web.Response:
    """Answer a team."""
    at = site(request)
    return web.json_response(at.shapes.team(people.team(at.double, **request.match_info)))


@routes.get("/orgs/{org}/teams/{slug}/members")
async def list_members(request: web.Request) -> web.Response:
    """Answer who is in a team."""
    at = site(request)
    return paged(request, people.team(at.double, **request.match_info)["members"], at.shapes.user)


@routes.get("/orgs/{org}/teams/{slug}/memberships/{login}")
async def get_membership(request: web.Request) -> web.Response:
    """Answer whether somebody is in a team."""
    at, login = site(request), request.match_info["login"]
    team = people.team(at.double, request.match_info["org"], request.match_info["slug"])
    if login.casefold() not in (member.casefold() for member in team["members"]):
        raise Refused(404, "Not Found")
    url = f"{at.shapes.team(team)['url']}/memberships/{login}"
    return web.json_response({"url": url, "role": "member", "state": "active"})
