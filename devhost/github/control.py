"""What only the double has: people acting through scripts, deliveries, faults. Everything below /_double/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp import web

from devhost.github.refusals import Refused
from devhost.github.rest import body, number, repository, site, text
from devhost.github.store import Record

routes = web.RouteTableDef()


@routes.get("/_double/health")
async def health(_request: web.Request) -> web.Response:
    """Answer that the double is up."""
    return web.json_response({"ok": True})


@routes.post("/_double/repositories")
async def create_repository(request: web.Request) -> web.Response:
    """Make a repository of a local directory's files."""
    at, fields = site(request), await body(request)
    directory = Path(text(fields, "from_dir")) if fields.get("from_dir") else None
    if directory and not directory.is_dir():
        raise Refused(422, f"{directory} is not a directory")
    branches = fields.get("branches") or ["main"]
    found = at.double.create_repository(text(fields, "name"), directory, branches, text(fields, "author", "ghost"))
    return web.json_response(_repository(request, found), status=201)


@routes.get("/_double/repositories/{owner}/{name}")
async def get_repository(request: web.Request) -> web.Response:
    """Answer a repository with its branches and where to clone it from."""
    return web.json_response(_repository(request, repository(request)))


def _repository(request: web.Request, found: Record) -> dict[str, Any]:
    at = site(request)
    place = at.double.git(found)
    return {**at.shapes.repository(found), "clone_path": str(place.path), "heads": place.heads()}


@routes.post("/_double/repositories/{owner}/{name}/notice")
async def notice(request: web.Request) -> web.Response:
    """Look for pushes; what the post-receive hook calls."""
    site(request).double.notice_pushes(repository(request))
    return web.json_response({"ok": True})


@routes.post("/_double/repositories/{owner}/{name}/commits")
async def commit_files(request: web.Request) -> web.Response:
    """Push a commit of the given files."""
    fields = await body(request)
    sha = site(request).double.commit_files(
        repository(request),
        text(fields, "branch"),
        fields.get("files") or {},
        text(fields, "message", "Change files"),
        text(fields, "author", "ghost"),
        fields.get("base"),
        bool(fields.get("force")),
    )
    return web.json_response({"sha": sha}, status=201)


@routes.post("/_double/repositories/{owner}/{name}/pulls")
async def open_pull(request: web.Request) -> web.Response:
    """Open a pull request as anybody, with labels."""
    found, double, fields = repository(request), site(request).double, await body(request)
    head, base = text(fields, "head"), text(fields, "base", found["default_branch"])
    author = text(fields, "author", "ghost")
    pull = double.open_pull(found, head, base, text(fields, "title"), text(fields, "body"), author)
    for label in fields.get("labels") or []:
        double.add_label(found, pull["number"], label, author)
    return web.json_response(_pull(request, found, pull["number"]), status=201)


@routes.get(r"/_double/repositories/{owner}/{name}/pulls/{number:\d+}")
async def get_pull(request: web.Request) -> web.Response:
    """Answer a pull request with everything that hangs on it."""
    return web.json_response(_pull(request, repository(request), number(request)))


@routes.post(r"/_double/repositories/{owner}/{name}/pulls/{number:\d+}/{act:label|unlabel|merge|comment|close}")
async def act(request: web.Request) -> web.Response:
    """Label, merge, close or comment on a pull request as anybody."""
    found, double, fields = repository(request), site(request).double, await body(request)
    which, by = number(request), text(fields, "by", "ghost")
    match request.match_info["act"]:
        case "label":
            double.add_label(found, which, text(fields, "label"), by)
        case "unlabel":
            double.remove_label(found, which, text(fields, "label"), by)
        case "comment":
            double.add_comment(found, text(fields, "body"), by, number=double.pull(found, which)["number"])
        case "close":
            double.close_pull(found, which, by)
        case _:
            double.merge(found, which, by, text(fields, "method", "merge"))
    return web.json_response(_pull(request, found, which))


@routes.get("/_double/repositories/{owner}/{name}/commits/{ref}")
async def get_commit(request: web.Request) -> web.Response:
    """Answer a commit with everything that hangs on it."""
    found, at = repository(request), site(request)
    commit = at.double.git(found).commit(at.double.commit_sha(found, request.match_info["ref"]))
    return web.json_response({**at.shapes.commit(found, commit), **_marks(request, found, [commit.sha])})


def _pull(request: web.Request, found: Record, which: int) -> dict[str, Any]:
    at = site(request)
    pull = at.double.pull(found, which)
    comments = at.double.store.all("comment", found["repository"], number=which)
    shas = [sha for sha in (pull["head_sha"], pull["merge_commit_sha"]) if sha]
    return {
        **at.shapes.pull(found, pull),
        "comments": [at.shapes.comment(found, comment) for comment in comments],
        **_marks(request, found, shas),
    }


def _marks(request: web.Request, found: Record, shas: list[str]) -> dict[str, Any]:
    at, name = site(request), found["repository"]
    deployments = [one for sha in shas for one in at.double.store.all("deployment", name, sha=sha)]
    return {
        "statuses": [
            at.shapes.status(found, one) for sha in shas for one in at.double.store.all("status", name, sha=sha)
        ],
        "commit_comments": [
            at.shapes.comment(found, one)
            for sha in shas
            for one in at.double.store.all("commit_comment", name, sha=sha)
        ],
        "deployments": [
            {
                **at.shapes.deployment(found, one),
                "statuses": [
                    at.shapes.deployment_status(found, status)
                    for status in at.double.store.all("deployment_status", name, deployment=one["id"])
                ],
            }
            for one in deployments
        ],
    }


@routes.get("/_double/deliveries")
async def deliveries(request: web.Request) -> web.Response:
    """Answer the whole delivery log, oldest first, bodies included."""
    return web.json_response(site(request).double.store.all("delivery"))


@routes.post(r"/_double/deliveries/{number:\d+}/redeliver")
async def redeliver(request: web.Request) -> web.Response:
    """Send a delivery again under the same id."""
    at = site(request)
    found = next((one for one in at.double.store.all("delivery") if one["id"] == number(request)), None)
    if found is None:
        raise Refused(404, "Not Found")
    return web.json_response(at.webhooks.redeliver(found), status=202)


@routes.post("/_double/faults")
async def add_fault(request: web.Request) -> web.Response:
    """Let coming API requests fail."""
    try:
        site(request).faults.add(await body(request))
    except TypeError as error:
        raise Refused(422, str(error)) from error
    return web.json_response({"ok": True}, status=201)


@routes.delete("/_double/faults")
async def clear_faults(request: web.Request) -> web.Response:
    """Let every request pass again."""
    site(request).faults.clear()
    return web.json_response({"ok": True})


@routes.get("/_double/requests")
async def requests(request: web.Request) -> web.Response:
    """Answer the last API requests, oldest first."""
    return web.json_response(site(request).requests)
