"""REST: repositories, branches, commits, comparisons, tarballs."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from aiohttp import web

from devhost.github import people, pulls
from devhost.github.refusals import Refused
from devhost.github.rest import caller, page_of, paged, repository, site
from devhost.github.store import Record

routes = web.RouteTableDef()
COMPARED = 250  # commits a comparison shows when no page is asked for
_LINK_KEY = b"links of the double"


@routes.get("/repos/{owner}/{name}")
async def get_repository(request: web.Request) -> web.Response:
    """Answer one repository."""
    found, at, login = repository(request), site(request), caller(request)
    role = "admin" if login.endswith("[bot]") else people.role(at.double, found, login)
    return web.json_response(at.shapes.full_repository(found, role))


@routes.get("/repos/{owner}/{name}/branches")
async def list_branches(request: web.Request) -> web.Response:
    """Answer the branches."""
    found, at = repository(request), site(request)
    heads = at.double.git(found).heads()
    protected = {one["branch"] for one in at.double.store.all("protection", found["repository"])}
    return paged(
        request,
        sorted(heads.items()),
        lambda branch: at.shapes.short_branch(found, *branch, branch[0] in protected),
    )


@routes.get("/repos/{owner}/{name}/branches/{branch:.+}")
async def get_branch(request: web.Request) -> web.Response:
    """Answer one branch."""
    found, at, name = repository(request), site(request), request.match_info["branch"]
    place = at.double.git(found)
    sha = place.heads().get(name)
    if sha is None:
        raise Refused(404, "Branch not found")
    protection = people.protection(at.double, found, name)
    return web.json_response(at.shapes.branch(found, name, place.commit(sha), protection))


@routes.get("/repos/{owner}/{name}/commits")
async def list_commits(request: web.Request) -> web.Response:
    """Answer the commits of a branch, newest first."""
    found, at = repository(request), site(request)
    ref = request.query.get("sha") or found["default_branch"]
    sha = at.double.git(found).resolve(ref)
    if sha is None:
        raise Refused(404, "Not Found")
    span = [f"--{name}={request.query[name]}" for name in ("since", "until", "author") if name in request.query]
    return paged(request, at.double.git(found).commits(*span, sha), lambda commit: at.shapes.commit(found, commit))


@routes.get("/repos/{owner}/{name}/commits/{ref}")
async def get_commit(request: web.Request) -> web.Response:
    """Answer one commit with the files it changes."""
    found, at = repository(request), site(request)
    place = at.double.git(found)
    commit = place.commit(at.double.commit_sha(found, request.match_info["ref"]))
    files = place.changed_files(commit.parents[0], commit.sha) if commit.parents else []
    return web.json_response(at.shapes.full_commit(found, commit, files))


@routes.get("/repos/{owner}/{name}/commits/{ref}/pulls")
async def list_pulls_of_commit(request: web.Request) -> web.Response:
    """Answer the pull requests a commit came with: none after a direct push, or several."""
    found, at = repository(request), site(request)
    sha = at.double.commit_sha(found, request.match_info["ref"])
    having = [pull for pull in pulls.everything(at.double, found) if _has(request, found, pull, sha)]
    return paged(request, having, lambda pull: at.shapes.listed_pull(found, pull))


def _has(request: web.Request, found: Record, pull: Record, sha: str) -> bool:
    if pull["merged_at"]:
        return sha in pull["landed"]
    place = site(request).double.git(found)
    own = place.is_ancestor(sha, pull["head_sha"])
    return pull["state"] == "open" and own and not place.is_ancestor(sha, pull["base_sha"])


@routes.get("/repos/{owner}/{name}/compare/{spec:.+}")
async def compare(request: web.Request) -> web.Response:
    """Answer what `head` has since it left `base`; oldest commit first."""
    found, at = repository(request), site(request)
    place = at.double.git(found)
    base, _, head = request.match_info["spec"].partition("...")
    start, end = place.resolve(base), place.resolve(head)
    if start is None or end is None:
        raise Refused(404, "Not Found")
    common = place.merge_base(start, end)
    if common is None:
        raise Refused(404, f"No common ancestor between {base} and {head}.")
    ahead = place.commits(end, f"^{start}")[::-1]
    behind = len(place.commits(start, f"^{end}"))
    first, last, headers = page_of(request, len(ahead), COMPARED)
    files = place.changed_files(common, end) if first == 0 else []
    page = at.shapes.page(found, f"/compare/{base}...{head}")
    shape: dict[str, Any] = {
        "url": at.shapes.api(found, f"/compare/{base}...{head}"),
        "html_url": page,
        "permalink_url": at.shapes.page(found, f"/compare/{start}...{end}"),
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "status": _relation(len(ahead), behind),
        "ahead_by": len(ahead),
        "behind_by": behind,
        "total_commits": len(ahead),
        "base_commit": at.shapes.commit(found, place.commit(start)),
        "merge_base_commit": at.shapes.commit(found, place.commit(common)),
        "commits": [at.shapes.commit(found, commit) for commit in ahead[first:last]],
        "files": [at.shapes.file(found, change, end) for change in files],
    }
    return web.json_response(shape, headers=headers)


def _relation(ahead: int, behind: int) -> str:
    if ahead and behind:
        return "diverged"
    return "ahead" if ahead else "behind" if behind else "identical"


@routes.get("/repos/{owner}/{name}/tarball/{ref:.*}")
async def tarball(request: web.Request) -> web.Response:
    """Send the caller to where the archive is, with a token of that link's own."""
    found, at = repository(request), site(request)
    sha = at.double.git(found).resolve(request.match_info["ref"] or found["default_branch"])
    if sha is None:
        raise Refused(404, "Not Found")
    path = f"/_codeload/{found['repository']}/legacy.tar.gz/{sha}"
    raise web.HTTPFound(f"{at.shapes.origin}{path}?token={_link_token(path)}")


@routes.get("/_codeload/{owner}/{name}/legacy.tar.gz/{sha}")
async def codeload(request: web.Request) -> web.Response:
    """Answer the archive itself: to whoever has the link, credentials or not."""
    found, at = repository(request), site(request)
    if not hmac.compare_digest(request.query.get("token", "").encode(), _link_token(request.path).encode()):
        raise Refused(404, "Not Found")
    sha = request.match_info["sha"]
    folder = f"{found['repository'].replace('/', '-')}-{sha[:7]}"
    archive = at.double.git(found).archive(sha, folder)
    headers = {"Content-Disposition": f"attachment; filename={folder}.tar.gz"}
    return web.Response(body=archive, content_type="application/x-gzip", headers=headers)


def _link_token(path: str) -> str:
    return hmac.new(_LINK_KEY, path.encode(), hashlib.sha256).hexdigest()
