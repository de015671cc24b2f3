"""Control: everything that hangs on commits, for scripts that want to look."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from devhost.github import checks
from devhost.github.rest import repository, site
from devhost.github.shapes import Json
from devhost.github.store import Record

routes = web.RouteTableDef()


@routes.get("/_double/repositories/{owner}/{name}/commits/{ref}")
async def get_commit(request: web.Request) -> web.Response:
    """Answer a commit with everything that hangs on it."""
    found, at = repository(request), site(request)
    commit = at.double.git(found).commit(at.double.commit_sha(found, request.match_info["ref"]))
    return web.json_response({**at.shapes.commit(found, commit), **marks_of(request, found, [commit.sha])})


def marks_of(request: web.Request, found: Record, shas: list[str]) -> dict[str, Any]:
    """Give the statuses, check runs, comments and deployments of commits, oldest first."""
    shapes = site(request).shapes

    def known(kind: str) -> list[Record]:
        store = site(request).double.store
        return [one for sha in shas for one in store.all(kind, found["repository"], sha=sha)]

    runs = [run for sha in shas for run in checks.of_commit(site(request).double, found["repository"], sha)[::-1]]
    return {
        "statuses": [shapes.status(found, one) for one in known("status")],
        "check_runs": [_check_run(request, found, run) for run in runs],
        "commit_comments": [shapes.comment(found, one) for one in known("commit_comment")],
        "deployments": [_deployment(request, found, one) for one in known("deployment")],
    }


def _check_run(request: web.Request, found: Record, run: Record) -> Json:
    shape = site(request).shapes.check_run(found, run)
    return {**shape, "annotations": run["annotations"], "actions": run["actions"]}


def _deployment(request: web.Request, found: Record, deployment: Record) -> Json:
    at = site(request)
    statuses = at.double.store.all("deployment_status", found["repository"], deployment=deployment["id"])
    shape = at.shapes.deployment(found, deployment)
    return {**shape, "statuses": [at.shapes.deployment_status(found, status) for status in statuses]}
