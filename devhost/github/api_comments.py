"""REST: comments on pull requests, issues and commits."""

from __future__ import annotations

from aiohttp import web

from devhost.github import comments
from devhost.github.api_issues import found_thread
from devhost.github.rest import body, caller, number, paged, repository, site, text
from devhost.github.store import Record

routes = web.RouteTableDef()


@routes.get("/repos/{owner}/{name}/issues/comments")
async def list_all_comments(request: web.Request) -> web.Response:
    """Answer the comments of every pull request and issue since a time, oldest first."""
    found, at, query = repository(request), site(request), request.query
    field, since = "updated_at" if query.get("sort") == "updated" else "created_at", query.get("since", "")
    fitting = [one for one in at.double.store.all("comment", found["repository"]) if one["updated_at"] >= since]
    down = query.get("direction") == "desc" and "sort" in query  # which GitHub ignores without sort
    fitting.sort(key=lambda one: (one[field], one["id"]), reverse=down)
    return paged(request, fitting, lambda comment: at.shapes.comment(found, comment))


@routes.get(r"/repos/{owner}/{name}/issues/{number:\d+}/comments")
async def list_comments(request: web.Request) -> web.Response:
    """Answer a pull request's or issue's comments, oldest first."""
    found, thread = found_thread(request)
    at, since = site(request), request.query.get("since", "")
    known = at.double.store.all("comment", found["repository"], number=thread["number"])
    fitting = [one for one in known if one["updated_at"] >= since]
    return paged(request, fitting, lambda comment: at.shapes.comment(found, comment))


@routes.post(r"/repos/{owner}/{name}/issues/{number:\d+}/comments")
async def add_comment(request: web.Request) -> web.Response:
    """Comment on a pull request or issue."""
    found, thread = found_thread(request)
    at, fields = site(request), await body(request)
    comment = comments.on_thread(at.double, found, thread, text(fields, "body"), caller(request))
    return web.json_response(at.shapes.comment(found, comment), status=201)


@routes.get("/repos/{owner}/{name}/commits/{ref}/comments")
async def list_commit_comments(request: web.Request) -> web.Response:
    """Answer a commit's comments, oldest first."""
    found, at = repository(request), site(request)
    sha = at.double.commit_sha(found, request.match_info["ref"])
    known = at.double.store.all("commit_comment", found["repository"], sha=sha)
    return paged(request, known, lambda comment: at.shapes.comment(found, comment))


@routes.post("/repos/{owner}/{name}/commits/{ref}/comments")
async def add_commit_comment(request: web.Request) -> web.Response:
    """Comment on a commit."""
    found, at, fields = repository(request), site(request), await body(request)
    sha = at.double.commit_sha(found, request.match_info["ref"])
    comment = comments.on_commit(at.double, found, sha, text(fields, "body"), caller(request))
    return web.json_response(at.shapes.comment(found, comment), status=201)


def _comment(request: web.Request) -> tuple[Record, Record]:
    found = repository(request)
    kind = "comment" if "/issues/comments/" in request.path else "commit_comment"
    return found, comments.find(site(request).double, found, kind, number(request))


async def get_comment(request: web.Request) -> web.Response:
    """Answer one comment."""
    return web.json_response(site(request).shapes.comment(*_comment(request)))


async def edit_comment(request: web.Request) -> web.Response:
    """Replace a comment's text."""
    found, comment = _comment(request)
    at, fields = site(request), await body(request)
    edited = comments.edit(at.double, found, comment, text(fields, "body"), caller(request))
    return web.json_response(at.shapes.comment(found, edited))


async def remove_comment(request: web.Request) -> web.Response:
    """Delete a comment."""
    comments.remove(site(request).double, *_comment(request), caller(request))
    return web.Response(status=204)


for _place in (r"/repos/{owner}/{name}/issues/comments/{number:\d+}", r"/repos/{owner}/{name}/comments/{number:\d+}"):
    routes.get(_place)(get_comment)
    routes.patch(_place)(edit_comment)
    routes.delete(_place)(remove_comment)
