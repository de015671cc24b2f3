"""REST: pull requests."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from devhost.github import pulls, reviews, threads
from devhost.github.refusals import Refused
from devhost.github.rest import body, caller, number, optional_text, paged, repository, site, text, whether
from devhost.github.store import Record

routes = web.RouteTableDef()
_ORDERS = {"created": "created_at", "updated": "updated_at"}


def found_pull(request: web.Request) -> tuple[Record, Record]:
    """Give the repository and pull request of the path."""
    found = repository(request)
    return found, pulls.find(site(request).double, found, number(request))


def in_order(request: web.Request, found: list[Record], direction: str) -> list[Record]:
    """Sort threads as the query wants it; `direction` is the usual one."""
    field = _ORDERS.get(request.query.get("sort", "created"), "created_at")
    down = request.query.get("direction", direction) != "asc"
    return sorted(found, key=lambda one: (one[field], one["number"]), reverse=down)


@routes.get("/repos/{owner}/{name}/pulls")
async def list_pulls(request: web.Request) -> web.Response:
    """Answer the pull requests of a state, newest first."""
    found, at, query = repository(request), site(request), request.query
    state, base, head = query.get("state", "open"), query.get("base"), query.get("head", "").rpartition(":")[2]
    fitting = [
        pull
        for pull in pulls.everything(at.double, found)
        if state in ("all", pull["state"]) and base in (None, pull["base"]) and head in ("", pull["head"])
    ]
    usual = "desc" if "sort" not in query or query["sort"] == "created" else "asc"
    return paged(request, in_order(request, fitting, usual), lambda pull: at.shapes.listed_pull(found, pull))


@routes.post("/repos/{owner}/{name}/pulls")
async def create_pull(request: web.Request) -> web.Response:
    """Open a pull request."""
    found, at, fields = repository(request), site(request), await body(request)
    head, base, draft = text(fields, "head"), text(fields, "base"), whether(fields, "draft")
    title, words = text(fields, "title"), optional_text(fields, "body") or ""
    pull = pulls.open_pull(at.double, found, head, base, title, words, caller(request), draft)
    return web.json_response(at.shapes.pull(found, pull), status=201)


@routes.get(r"/repos/{owner}/{name}/pulls/{number:\d+}")
async def get_pull(request: web.Request) -> web.Response:
    """Answer one pull request."""
    found, pull = found_pull(request)
    return web.json_response(site(request).shapes.pull(found, pull))


@routes.patch(r"/repos/{owner}/{name}/pulls/{number:\d+}")
async def edit_pull(request: web.Request) -> web.Response:
    """Change a pull request's title, text, base or state."""
    found, pull = found_pull(request)
    at, fields, by = site(request), await body(request), caller(request)
    pull = threads.edit(at.double, found, pull, by, optional_text(fields, "title"), optional_text(fields, "body"))
    base = optional_text(fields, "base")
    if base:
        pull = pulls.change_base(at.double, found, pull["number"], base, by)
    match fields.get("state"):
        case "closed":
            pull = pulls.close(at.double, found, pull["number"], by)
        case "open":
            pull = pulls.reopen(at.double, found, pull["number"], by)
    return web.json_response(at.shapes.pull(found, pull))


@routes.get(r"/repos/{owner}/{name}/pulls/{number:\d+}/commits")
async def list_commits(request: web.Request) -> web.Response:
    """Answer a pull request's own commits, oldest first, at most 250."""
    found, pull = found_pull(request)
    at = site(request)
    commits = at.double.git(found).commits(pull["head_sha"], f"^{pull['base_sha']}")[::-1]
    return paged(request, commits[:250], lambda commit: at.shapes.commit(found, commit))


@routes.get(r"/repos/{owner}/{name}/pulls/{number:\d+}/files")
async def list_files(request: web.Request) -> web.Response:
    """Answer the files a pull request changes, at most 3,000."""
    found, pull = found_pull(request)
    at = site(request)
    files = pulls.difference(at.double, found, pull).files[:3000]
    return paged(request, files, lambda change: at.shapes.file(found, change, pull["head_sha"]))


@routes.get(r"/repos/{owner}/{name}/pulls/{number:\d+}/merge")
async def is_merged(request: web.Request) -> web.Response:
    """Answer 204 when a pull request was merged."""
    _, pull = found_pull(request)
    if not pull["merged_at"]:
        raise Refused(404, "Not Found")
    return web.Response(status=204)


@routes.put(r"/repos/{owner}/{name}/pulls/{number:\d+}/merge")
async def merge_pull(request: web.Request) -> web.Response:
    """Merge a pull request, if its head is still the one the caller saw."""
    found, pull = found_pull(request)
    fields: dict[str, Any] = await body(request)
    if fields.get("sha") not in (None, pull["head_sha"]):
        raise Refused(409, "Head branch was modified. Review and try the merge again.")
    method = text(fields, "merge_method", "merge")
    words = (optional_text(fields, "commit_title") or "", optional_text(fields, "commit_message") or "")
    merged = pulls.merge(site(request).double, found, pull["number"], caller(request), method, *words)
    answer = {"sha": merged["merge_commit_sha"], "merged": True, "message": "Pull Request successfully merged"}
    return web.json_response(answer)


@routes.get(r"/repos/{owner}/{name}/pulls/{number:\d+}/reviews")
async def list_reviews(request: web.Request) -> web.Response:
    """Answer a pull request's reviews, oldest first."""
    found, pull = found_pull(request)
    at = site(request)
    return paged(request, reviews.of_pull(at.double, pull), lambda review: at.shapes.review(found, review))
