"""What only the double has: people acting through scripts, deliveries, faults. Everything below /_double/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp import web

from devhost.github import forks
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


@routes.post("/_double/repositories/{owner}/{name}/fork")
async def fork(request: web.Request) -> web.Response:
    """Make somebody's fork."""
    found, fields = repository(request), await body(request)
    made = forks.fork(site(request).double, found, text(fields, "owner"))
    return web.json_response(_repository(request, made), status=201)


@routes.post("/_double/repositories/{owner}/{name}/{act:rename|delete}")
async def rename_or_delete(request: web.Request) -> web.Response:
    """Rename or delete a repository as anybody."""
    found, double, fields = repository(request), site(request).double, await body(request)
    by = text(fields, "by", "ghost")
    if request.match_info["act"] == "delete":
        double.delete_repository(found, by)
        return web.json_response({"ok": True})
    return web.json_response(_repository(request, double.rename_repository(found, text(fields, "new_name"), by)))


@routes.post("/_double/repositories/{owner}/{name}/branches")
async def move_branch(request: web.Request) -> web.Response:
    """Put a branch somewhere, or delete it."""
    found, double, fields = repository(request), site(request).double, await body(request)
    place, branch, to = double.git(found), text(fields, "branch"), fields.get("to")
    if to is None:
        place.remove_branch(branch)
    else:
        place.move(branch, double.commit_sha(found, str(to)))
    double.notice_pushes(found, text(fields, "by", "ghost"))
    return web.json_response(_repository(request, found))


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
    return web.json_response(at.webhooks.redeliver(found, at.double.repository(found["repository"])), status=202)


@routes.post("/_double/deliveries/lose")
async def lose(request: web.Request) -> web.Response:
    """Let the next deliveries never arrive."""
    fields = await body(request)
    site(request).webhooks.lose(int(fields.get("times", 1)), int(fields.get("status", 502)))
    return web.json_response({"ok": True})


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


@routes.get("/_double/findings")
async def findings(request: web.Request) -> web.Response:
    """Answer what was not as GitHub publishes it."""
    return web.json_response(site(request).findings.all())


@routes.delete("/_double/findings")
async def forget_findings(request: web.Request) -> web.Response:
    """Forget what was found."""
    site(request).findings.forget()
    return web.json_response({"ok": True})
