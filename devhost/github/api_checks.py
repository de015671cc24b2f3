"""REST: check runs and suites. Only an App may write them."""

from __future__ import annotations

from aiohttp import web

from devhost.github import checks
from devhost.github.rest import app_slug, body, caller, number, page_of, paged, repository, site
from devhost.github.shapes import Json
from devhost.github.store import Record

routes = web.RouteTableDef()


def _found(request: web.Request) -> tuple[Record, Record]:
    found = repository(request)
    return found, checks.find(site(request).double, found, number(request))


@routes.post("/repos/{owner}/{name}/check-runs")
async def create_run(request: web.Request) -> web.Response:
    """Make a check run."""
    app = app_slug(request)
    found, at, fields = repository(request), site(request), await body(request)
    run = checks.create(at.double, found, app, fields)
    return web.json_response(at.shapes.check_run(found, run), status=201)


@routes.get(r"/repos/{owner}/{name}/check-runs/{number:\d+}")
async def get_run(request: web.Request) -> web.Response:
    """Answer one check run."""
    return web.json_response(site(request).shapes.check_run(*_found(request)))


@routes.patch(r"/repos/{owner}/{name}/check-runs/{number:\d+}")
async def update_run(request: web.Request) -> web.Response:
    """Say how a check run goes on; annotations are added to those that are there."""
    app = app_slug(request)
    found, run = _found(request)
    at, fields = site(request), await body(request)
    return web.json_response(at.shapes.check_run(found, checks.update(at.double, found, run, app, fields)))


@routes.get(r"/repos/{owner}/{name}/check-runs/{number:\d+}/annotations")
async def list_annotations(request: web.Request) -> web.Response:
    """Answer what a check run says about lines."""
    found, run = _found(request)
    return paged(request, run["annotations"], lambda one: site(request).shapes.annotation(found, run, one))


@routes.post(r"/repos/{owner}/{name}/check-runs/{number:\d+}/rerequest")
async def rerequest(request: web.Request) -> web.Response:
    """Ask for a check run again."""
    found, run = _found(request)
    checks.rerequest(site(request).double, found, run, caller(request))
    return web.json_response({}, status=201)


@routes.get("/repos/{owner}/{name}/commits/{ref}/check-runs")
async def list_runs(request: web.Request) -> web.Response:
    """Answer a commit's check runs, newest first: the latest of each name, or all."""
    found, at, query = repository(request), site(request), request.query
    sha = at.double.commit_sha(found, request.match_info["ref"])
    runs = [
        run
        for run in checks.of_commit(at.double, found["repository"], sha, query.get("filter", "latest") == "latest")
        if query.get("check_name") in (None, run["name"])
        and query.get("status") in (None, run["status"])
        and query.get("app_id") in (None, str(at.shapes.app_named(run["app"])["id"]))
    ]
    return _listed(request, "check_runs", runs, [at.shapes.check_run(found, run) for run in runs])


@routes.get("/repos/{owner}/{name}/commits/{ref}/check-suites")
async def list_suites(request: web.Request) -> web.Response:
    """Answer a commit's check suites."""
    found, at, query = repository(request), site(request), request.query
    sha = at.double.commit_sha(found, request.match_info["ref"])
    suites = [
        suite
        for suite in at.double.store.all("check_suite", found["repository"], sha=sha)
        if query.get("app_id") in (None, str(at.shapes.app_named(suite["app"])["id"]))
    ]
    return _listed(request, "check_suites", suites, [at.shapes.check_suite(found, suite) for suite in suites])


@routes.get(r"/repos/{owner}/{name}/check-suites/{number:\d+}")
async def get_suite(request: web.Request) -> web.Response:
    """Answer one check suite."""
    found, at = repository(request), site(request)
    suite = checks.find_suite(at.double, found, number(request))
    return web.json_response(at.shapes.check_suite(found, suite))


@routes.post(r"/repos/{owner}/{name}/check-suites/{number:\d+}/rerequest")
async def rerequest_all(request: web.Request) -> web.Response:
    """Ask for all checks of a suite again."""
    found, double = repository(request), site(request).double
    checks.rerequest_all(double, found, checks.find_suite(double, found, number(request)), caller(request))
    return web.json_response({}, status=201)


@routes.get("/repos/{owner}/{name}/actions/runs")
async def list_workflow_runs(request: web.Request) -> web.Response:
    """Answer the runs of GitHub Actions, newest first."""
    found, at, query = repository(request), site(request), request.query
    runs = [
        run
        for run in at.double.store.all("workflow_run", found["repository"])[::-1]
        if query.get("head_sha") in (None, run["sha"]) and query.get("branch") in (None, run["branch"])
    ]
    return _listed(request, "workflow_runs", runs, [at.shapes.workflow_run(found, run) for run in runs])


def _listed(request: web.Request, name: str, records: list[Record], shapes: list[Json]) -> web.Response:
    first, last, headers = page_of(request, len(records), 30)
    return web.json_response({"total_count": len(records), name: shapes[first:last]}, headers=headers)
