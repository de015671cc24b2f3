"""REST: commit statuses, deployments and their statuses."""

from __future__ import annotations

from aiohttp import web

from devhost.github import marks
from devhost.github.rest import body, caller, number, page_of, paged, repository, site
from devhost.github.store import Record

routes = web.RouteTableDef()


@routes.post("/repos/{owner}/{name}/statuses/{sha}")
async def add_status(request: web.Request) -> web.Response:
    """Set a commit status."""
    found, at, fields = repository(request), site(request), await body(request)
    status = marks.add_status(at.double, found, request.match_info["sha"], caller(request), fields)
    return web.json_response(at.shapes.status(found, status), status=201)


@routes.get("/repos/{owner}/{name}/statuses/{ref}")
@routes.get("/repos/{owner}/{name}/commits/{ref}/statuses")
async def list_statuses(request: web.Request) -> web.Response:
    """Answer a commit's statuses, newest first."""
    found = repository(request)
    return paged(request, _statuses(request, found), lambda status: site(request).shapes.status(found, status))


@routes.get("/repos/{owner}/{name}/commits/{ref}/status")
async def combined_status(request: web.Request) -> web.Response:
    """Answer the newest status of each context, and what they come to."""
    found, at = repository(request), site(request)
    sha = at.double.commit_sha(found, request.match_info["ref"])
    newest = marks.newest_statuses(at.double, found, sha)
    first, last, headers = page_of(request, len(newest), 30)
    shape = {
        "state": marks.combined_state(newest),
        "sha": sha,
        "total_count": len(newest),
        "statuses": [at.shapes.simple_status(found, status) for status in newest[first:last]],
        "repository": at.shapes.bare_repository(found),
        "url": at.shapes.api(found, f"/commits/{sha}/status"),
        "commit_url": at.shapes.api(found, f"/commits/{sha}"),
    }
    return web.json_response(shape, headers=headers)


def _statuses(request: web.Request, found: Record) -> list[Record]:
    double = site(request).double
    sha = double.commit_sha(found, request.match_info["ref"])
    return double.store.all("status", found["repository"], sha=sha)[::-1]


@routes.get("/repos/{owner}/{name}/deployments")
async def list_deployments(request: web.Request) -> web.Response:
    """Answer deployments, newest first, of a commit, reference, task or environment."""
    found, at = repository(request), site(request)
    wanted = {name: value for name, value in request.query.items() if name in ("sha", "ref", "task", "environment")}
    deployments = at.double.store.all("deployment", found["repository"], **wanted)[::-1]
    return paged(request, deployments, lambda deployment: at.shapes.deployment(found, deployment))


@routes.post("/repos/{owner}/{name}/deployments")
async def add_deployment(request: web.Request) -> web.Response:
    """Record a deployment."""
    found, at, fields = repository(request), site(request), await body(request)
    deployment = marks.add_deployment(at.double, found, caller(request), fields)
    return web.json_response(at.shapes.deployment(found, deployment), status=201)


@routes.get(r"/repos/{owner}/{name}/deployments/{number:\d+}")
async def get_deployment(request: web.Request) -> web.Response:
    """Answer one deployment."""
    found, at = repository(request), site(request)
    return web.json_response(at.shapes.deployment(found, marks.deployment(at.double, found, number(request))))


@routes.get(r"/repos/{owner}/{name}/deployments/{number:\d+}/statuses")
async def list_deployment_statuses(request: web.Request) -> web.Response:
    """Answer a deployment's statuses, newest first."""
    found, at = repository(request), site(request)
    deployment = marks.deployment(at.double, found, number(request))
    statuses = at.double.store.all("deployment_status", found["repository"], deployment=deployment["id"])[::-1]
    return paged(request, statuses, lambda status: at.shapes.deployment_status(found, status))


@routes.post(r"/repos/{owner}/{name}/deployments/{number:\d+}/statuses")
async def add_deployment_status(request: web.Request) -> web.Response:
    """Say how a deployment goes."""
    found, at, fields = repository(request), site(request), await body(request)
    status = marks.add_deployment_status(at.double, found, number(request), caller(request), fields)
    return web.json_response(at.shapes.deployment_status(found, status), status=201)
