"""REST: pull requests, their labels, history and comments, and comments on commits."""

from __future__ import annotations

from aiohttp import web

from devhost.github.refusals import Refused
from devhost.github.rest import body, caller, number, paged, repository, site, text
from devhost.github.store import Record

routes = web.RouteTableDef()


@routes.get("/repos/{owner}/{name}/pulls")
async def list_pulls(request: web.Request) -> web.Response:
    """Answer the pull requests of a state, newest first."""
    found, at = repository(request), site(request)
    state = request.query.get("state", "open")
    base, head = request.query.get("base"), request.query.get("head", "").rpartition(":")[2]
    pulls = [
        at.shapes.listed_pull(found, pull)
        for pull in at.double.pulls(found)
        if state in ("all", pull["state"]) and base in (None, pull["base"]) and head in ("", pull["head"])
    ]
    return paged(request, pulls if request.query.get("direction") == "asc" else pulls[::-1])


@routes.post("/repos/{owner}/{name}/pulls")
async def create_pull(request: web.Request) -> web.Response:
    """Open a pull request."""
    found, at, fields = repository(request), site(request), await body(request)
    head = text(fields, "head").rpartition(":")[2]
    title, comment = text(fields, "title"), text(fields, "body")
    pull = at.double.open_pull(found, head, text(fields, "base"), title, comment, caller(request))
    return web.json_response(at.shapes.pull(found, pull), status=201)


@routes.get(r"/repos/{owner}/{name}/pulls/{number:\d+}")
async def get_pull(request: web.Request) -> web.Response:
    """Answer one pull request."""
    found, at = repository(request), site(request)
    return web.json_response(at.shapes.pull(found, at.double.pull(found, number(request))))


@routes.patch(r"/repos/{owner}/{name}/pulls/{number:\d+}")
async def edit_pull(request: web.Request) -> web.Response:
    """Close a pull request."""
    found, at, fields = repository(request), site(request), await body(request)
    pull = at.double.pull(found, number(request))
    if fields.get("state") == "closed" and pull["state"] == "open":
        pull = at.double.close_pull(found, number(request), caller(request))
    return web.json_response(at.shapes.pull(found, pull))


@routes.get(r"/repos/{owner}/{name}/pulls/{number:\d+}/commits")
async def list_commits(request: web.Request) -> web.Response:
    """Answer a pull request's own commits, oldest first, at most 250."""
    found, at = repository(request), site(request)
    pull = at.double.pull(found, number(request))
    commits = at.double.git(found).commits(pull["head_sha"], f"^{pull['base_sha']}")[::-1]
    return paged(request, [at.shapes.commit(found, commit) for commit in commits[:250]])


@routes.get(r"/repos/{owner}/{name}/pulls/{number:\d+}/files")
async def list_files(request: web.Request) -> web.Response:
    """Answer the files a pull request changes."""
    found, at = repository(request), site(request)
    pull = at.double.pull(found, number(request))
    place = at.double.git(found)
    start = place.merge_base(pull["base_sha"], pull["head_sha"]) or pull["base_sha"]
    files = place.changed_files(start, pull["head_sha"])
    return paged(request, [at.shapes.file(found, change) for change in files])


@routes.put(r"/repos/{owner}/{name}/pulls/{number:\d+}/merge")
async def merge_pull(request: web.Request) -> web.Response:
    """Merge a pull request, if its head is still the one the caller saw."""
    found, at, fields = repository(request), site(request), await body(request)
    pull = at.double.pull(found, number(request))
    if fields.get("sha") not in (None, pull["head_sha"]):
        raise Refused(409, "Head branch was modified. Review and try the merge again.")
    method, title = text(fields, "merge_method", "merge"), text(fields, "commit_title")
    merged = at.double.merge(found, pull["number"], caller(request), method, title)
    answer = {"sha": merged["merge_commit_sha"], "merged": True, "message": "Pull Request successfully merged"}
    return web.json_response(answer)


@routes.get(r"/repos/{owner}/{name}/issues/{number:\d+}/events")
async def list_events(request: web.Request) -> web.Response:
    """Answer a pull request's history, oldest first."""
    found, at = repository(request), site(request)
    pull = at.double.pull(found, number(request))
    events = at.double.store.all("event", found["repository"], number=pull["number"])
    return paged(request, [at.shapes.event(found, event) for event in events])


@routes.get(r"/repos/{owner}/{name}/issues/{number:\d+}/labels")
async def list_labels(request: web.Request) -> web.Response:
    """Answer a pull request's labels."""
    found = repository(request)
    return paged(request, _labels(request, found, site(request).double.pull(found, number(request))))


@routes.post(r"/repos/{owner}/{name}/issues/{number:\d+}/labels")
async def add_labels(request: web.Request) -> web.Response:
    """Put labels on a pull request."""
    found, at, fields = repository(request), site(request), await body(request)
    pull = at.double.pull(found, number(request))
    for label in fields.get("labels") or []:
        pull = at.double.add_label(found, pull["number"], str(label), caller(request))
    return web.json_response(_labels(request, found, pull))


@routes.delete(r"/repos/{owner}/{name}/issues/{number:\d+}/labels/{label}")
async def remove_label(request: web.Request) -> web.Response:
    """Take a label off a pull request."""
    found, at = repository(request), site(request)
    pull = at.double.remove_label(found, number(request), request.match_info["label"], caller(request))
    return web.json_response(_labels(request, found, pull))


def _labels(request: web.Request, found: Record, pull: Record) -> list[dict[str, object]]:
    return [site(request).shapes.label(found, name) for name in pull["labels"]]


@routes.get(r"/repos/{owner}/{name}/issues/{number:\d+}/comments")
async def list_comments(request: web.Request) -> web.Response:
    """Answer a pull request's comments, oldest first."""
    found, at = repository(request), site(request)
    pull = at.double.pull(found, number(request))
    comments = at.double.store.all("comment", found["repository"], number=pull["number"])
    return paged(request, [at.shapes.comment(found, comment) for comment in comments])


@routes.post(r"/repos/{owner}/{name}/issues/{number:\d+}/comments")
async def add_comment(request: web.Request) -> web.Response:
    """Comment on a pull request."""
    found, at, fields = repository(request), site(request), await body(request)
    pull = at.double.pull(found, number(request))
    comment = at.double.add_comment(found, text(fields, "body"), caller(request), number=pull["number"])
    return web.json_response(at.shapes.comment(found, comment), status=201)


@routes.get("/repos/{owner}/{name}/commits/{ref}/comments")
async def list_commit_comments(request: web.Request) -> web.Response:
    """Answer a commit's comments, oldest first."""
    found, at = repository(request), site(request)
    sha = at.double.commit_sha(found, request.match_info["ref"])
    comments = at.double.store.all("commit_comment", found["repository"], sha=sha)
    return paged(request, [at.shapes.comment(found, comment) for comment in comments])


@routes.post("/repos/{owner}/{name}/commits/{ref}/comments")
async def add_commit_comment(request: web.Request) -> web.Response:
    """Comment on a commit."""
    found, at, fields = repository(request), site(request), await body(request)
    sha = at.double.commit_sha(found, request.match_info["ref"])
    comment = at.double.add_comment(found, text(fields, "body"), caller(request), sha=sha)
    return web.json_response(at.shapes.comment(found, comment), status=201)


def _comment(request: web.Request, found: Record) -> Record:
    kind = "comment" if "/issues/comments/" in request.path else "commit_comment"
    comment = site(request).double.store.by_id(kind, found["repository"], number(request))
    if comment is None:
        raise Refused(404, "Not Found")
    return comment


async def get_comment(request: web.Request) -> web.Response:
    """Answer one comment."""
    found = repository(request)
    return web.json_response(site(request).shapes.comment(found, _comment(request, found)))


async def edit_comment(request: web.Request) -> web.Response:
    """Replace a comment's text."""
    found, at, fields = repository(request), site(request), await body(request)
    comment = at.double.edit_comment(_comment(request, found), text(fields, "body"))
    return web.json_response(at.shapes.comment(found, comment))


async def remove_comment(request: web.Request) -> web.Response:
    """Delete a comment."""
    site(request).double.store.remove(_comment(request, repository(request)))
    return web.Response(status=204)


for _place in (r"/repos/{owner}/{name}/issues/comments/{number:\d+}", r"/repos/{owner}/{name}/comments/{number:\d+}"):
    routes.get(_place)(get_comment)
    routes.patch(_place)(edit_comment)
    routes.delete(_place)(remove_comment)
