"""REST: files, trees, references, branch protection."""

from __future__ import annotations

import base64
import binascii

from aiohttp import web

from devhost.github import people
from devhost.github.git import ZEROS
from devhost.github.refusals import Refused
from devhost.github.rest import body, caller, optional_text, repository, site, text, whether
from devhost.github.shapes import Json
from devhost.github.store import Record

routes = web.RouteTableDef()


@routes.get("/repos/{owner}/{name}/contents")
@routes.get("/repos/{owner}/{name}/contents/{path:.*}")
async def get_contents(request: web.Request) -> web.Response:
    """Answer a file with what is in it, or what a directory holds."""
    found, at, path = repository(request), site(request), request.match_info.get("path", "").strip("/")
    ref = request.query.get("ref") or found["default_branch"]
    place = at.double.git(found)
    sha = place.resolve(ref)
    if sha is None:
        raise Refused(404, f"No commit found for the ref {ref}")
    entry = place.entry(sha, path)
    if entry is None:
        raise Refused(404, "Not Found")
    if entry.kind == "tree":
        inside = place.tree(entry.sha, recursive=False)
        prefix = f"{path}/" if path else ""
        return web.json_response([at.shapes.entry(found, one, f"{prefix}{one.path}", ref) for one in inside])
    content = base64.encodebytes(place.blob(entry.sha)).decode()
    file = at.shapes.entry(found, entry, path, ref)
    return web.json_response({**file, "encoding": "base64", "content": content})


@routes.put("/repos/{owner}/{name}/contents/{path:.+}")
async def put_file(request: web.Request) -> web.Response:
    """Commit a file to a branch; one that is there only when the caller knows what it replaces."""
    found, at, fields = repository(request), site(request), await body(request)
    branch, path = optional_text(fields, "branch") or found["default_branch"], request.match_info["path"]
    place = at.double.git(found)
    head = place.heads().get(branch)
    if head is None:
        raise Refused(404, f"Branch {branch} not found")
    known = place.entry(head, path)
    _check_known(known.sha if known else None, optional_text(fields, "sha"), path)
    content = _decoded(text(fields, "content"))
    new = at.double.commit_files(found, branch, {path: content}, text(fields, "message"), caller(request))
    entry = place.entry(new, path)
    if entry is None:
        raise Refused(422, "path is not a file")
    answer = {
        "content": at.shapes.entry(found, entry, path, branch),
        "commit": at.shapes.git_commit(found, place.commit(new)),
    }
    return web.json_response(answer, status=200 if known else 201)


def _check_known(there: str | None, told: str | None, path: str) -> None:
    if there and told is None:
        raise Refused(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if told is not None and told != there:
        raise Refused(409, f"{path} does not match {told}")


def _decoded(content: str) -> str:
    try:
        return base64.b64decode("".join(content.split()), validate=True).decode("utf-8", "surrogateescape")
    except binascii.Error as error:
        raise Refused(422, "content is not valid Base64") from error


@routes.get("/repos/{owner}/{name}/git/trees/{sha}")
async def get_tree(request: web.Request) -> web.Response:
    """Answer what a tree, or a commit's, holds; with `recursive` also what is below."""
    found, at = repository(request), site(request)
    place = at.double.git(found)
    sha = place.tree_sha(request.match_info["sha"])
    if sha is None:
        raise Refused(404, "Not Found")
    entries = place.tree(sha, recursive="recursive" in request.query)
    return web.json_response(at.shapes.tree(found, sha, entries))


@routes.get("/repos/{owner}/{name}/git/ref/{ref:.+}")
async def get_ref(request: web.Request) -> web.Response:
    """Answer where a branch is."""
    found, branch = _branch(request)
    sha = site(request).double.git(found).heads().get(branch)
    if sha is None:
        raise Refused(404, "Not Found")
    return web.json_response(site(request).shapes.reference(found, branch, sha))


@routes.get("/repos/{owner}/{name}/git/matching-refs/{ref:.*}")
async def list_refs(request: web.Request) -> web.Response:
    """Answer the branches whose names begin so."""
    found, at = repository(request), site(request)
    heads = sorted(at.double.git(found).heads().items())
    fitting = [head for head in heads if f"heads/{head[0]}".startswith(request.match_info["ref"])]
    return web.json_response([at.shapes.reference(found, *head) for head in fitting])


@routes.post("/repos/{owner}/{name}/git/refs")
async def create_ref(request: web.Request) -> web.Response:
    """Make a branch."""
    found, at, fields = repository(request), site(request), await body(request)
    ref, sha = text(fields, "ref"), text(fields, "sha")
    branch = ref.removeprefix("refs/heads/")
    place = at.double.git(found)
    if branch == ref or not branch:
        raise Refused(422, "Reference name must start with 'refs/heads/' here.")
    if branch in place.heads():
        raise Refused(422, "Reference already exists")
    if place.resolve(sha) != sha:
        raise Refused(422, "Object does not exist")
    place.move(branch, sha, ZEROS)
    at.double.notice_pushes(found, caller(request))
    return web.json_response(at.shapes.reference(found, branch, sha), status=201)


@routes.patch("/repos/{owner}/{name}/git/refs/{ref:.+}")
async def move_ref(request: web.Request) -> web.Response:
    """Put a branch elsewhere; back or aside only with `force`."""
    found, branch = _branch(request)
    at, fields = site(request), await body(request)
    place, sha = at.double.git(found), text(fields, "sha")
    old = place.heads().get(branch)
    if old is None or place.resolve(sha) != sha:
        raise Refused(422, "Reference does not exist" if old is None else "Object does not exist")
    if not whether(fields, "force") and not place.is_ancestor(old, sha):
        raise Refused(422, "Update is not a fast forward")
    place.move(branch, sha, old)
    at.double.notice_pushes(found, caller(request))
    return web.json_response(at.shapes.reference(found, branch, sha))


@routes.delete("/repos/{owner}/{name}/git/refs/{ref:.+}")
async def remove_ref(request: web.Request) -> web.Response:
    """Delete a branch."""
    found, branch = _branch(request)
    double = site(request).double
    if branch not in double.git(found).heads():
        raise Refused(422, "Reference does not exist")
    double.git(found).remove_branch(branch)
    double.notice_pushes(found, caller(request))
    return web.Response(status=204)


def _branch(request: web.Request) -> tuple[Record, str]:
    return repository(request), request.match_info["ref"].removeprefix("heads/")


@routes.get("/repos/{owner}/{name}/branches/{branch:.+}/protection")
async def get_protection(request: web.Request) -> web.Response:
    """Answer how a branch is protected."""
    found, at, branch = repository(request), site(request), request.match_info["branch"]
    protection = people.protection(at.double, found, branch)
    if protection is None or protection["by_rules"]:
        raise Refused(404, "Branch not protected")
    shape: Json = at.shapes.protection(found, branch, protection)
    return web.json_response(shape)


@routes.get("/repos/{owner}/{name}/rules/branches/{branch:.+}")
async def list_rules(request: web.Request) -> web.Response:
    """Answer the rules that hold for a branch; protection of the older kind is not among them."""
    found, at, branch = repository(request), site(request), request.match_info["branch"]
    protection = people.protection(at.double, found, branch)
    return web.json_response(at.shapes.rules(found, protection) if protection and protection["by_rules"] else [])
