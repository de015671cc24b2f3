"""Pages for people, labelled "GitHub double": look at a repository, open, label and merge pull requests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nh3
from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from devhost.github import checks, comments, pulls, reviews, threads
from devhost.github.refusals import Refused
from devhost.github.rest import number, repository, site
from devhost.github.store import Record

routes = web.RouteTableDef()
COOKIE = "acting-as"
COMMITS = 20  # shown on the repository's page

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
# Pictures are left out: a page loads nothing from outside, and a comment must not say who reads it.
_TAGS = nh3.ALLOWED_TAGS - {"img", "map", "area"}


def rendered(text: str | None) -> Markup:
    """Turn a comment's Markdown into HTML that can do no harm; HTML comments vanish, as on GitHub."""
    html = nh3.clean(_markdown.render(text or ""), tags=_TAGS, url_schemes={"http", "https", "mailto"})
    return Markup(html)  # noqa: S704 - nh3 made it safe


_templates.filters["markdown"] = rendered
_templates.filters["short"] = lambda sha: sha[:7]


def refusal(refused: Refused) -> web.Response:
    """Answer a page that says what was refused."""
    said = [str(refused), *(error.get("message") or error.get("field", "") for error in refused.errors)]
    return _page("refused.html", refused.status, title=str(refused.status), said=said)


@routes.get("/")
async def home(request: web.Request) -> web.Response:
    """Show the repositories."""
    return _page("home.html", title="Repositories", repositories=site(request).double.repositories())


@routes.get("/deliveries")
async def deliveries(request: web.Request) -> web.Response:
    """Show what webhooks were sent and how they were answered."""
    log = site(request).double.store.all("delivery")[::-1]
    return _page("deliveries.html", title="Webhook deliveries", deliveries=log[:200])


@routes.post(r"/deliveries/{number:\d+}")
async def redeliver(request: web.Request) -> web.Response:
    """Send a delivery again."""
    at = site(request)
    found = next((one for one in at.double.store.all("delivery") if one["id"] == number(request)), None)
    if found is None:
        raise Refused(404, "Not Found")
    at.webhooks.redeliver(found, at.double.repository(found["repository"]))
    raise web.HTTPSeeOther("/deliveries")


@routes.get("/{owner}/{name}")
async def show_repository(request: web.Request) -> web.Response:
    """Show branches, pull requests and the last commits with their statuses."""
    found, double = repository(request), site(request).double
    place = double.git(found)
    heads = place.heads()
    head = heads.get(found["default_branch"])
    commits = place.commits(head, limit=COMMITS) if head else []
    return _page(
        "repository.html",
        title=found["repository"],
        repository=found,
        clone_path=str(place.path),
        heads=heads,
        pulls=pulls.everything(double, found)[::-1],
        issues=double.store.all("issue", found["repository"])[::-1],
        commits=[(commit, _newest(_marks(request, found, "status", [commit.sha]))) for commit in commits],
        me=_me(request),
    )


@routes.post("/{owner}/{name}/pulls")
async def open_pull(request: web.Request) -> web.Response:
    """Open a pull request from the form."""
    found, form, me = repository(request), await request.post(), await _acting(request)
    head, base, title, text = (str(form.get(field, "")) for field in ("head", "base", "title", "body"))
    pull = pulls.open_pull(site(request).double, found, head, base, title, text.replace("\r\n", "\n"), me)
    raise _back(found, f"/pull/{pull['number']}", me)


@routes.get(r"/{owner}/{name}/pull/{number:\d+}")
async def show_pull(request: web.Request) -> web.Response:
    """Show a pull request with everything people and apps said about it."""
    found, double = repository(request), site(request).double
    pull = pulls.find(double, found, number(request))
    name = found["repository"]
    shas = [sha for sha in (pull["merge_commit_sha"], pull["head_sha"]) if sha]
    return _page(
        "pull.html",
        title=f"{pull['title']} · {name} #{pull['number']}",
        repository=found,
        pull=pull,
        events=double.store.all("event", name, number=pull["number"]),
        comments=double.store.all("comment", name, number=pull["number"]),
        files=pulls.difference(double, found, pull).files,
        statuses=[(sha, _newest(_marks(request, found, "status", [sha]))) for sha in shas],
        checks={sha: checks.of_commit(double, name, sha) for sha in shas},
        reviews=reviews.of_pull(double, pull),
        deployments=_deployments(request, found, shas),
        me=_me(request),
    )


@routes.post(r"/{owner}/{name}/pull/{number:\d+}/{act:label|unlabel|comment|merge|ready|close}")
async def act(request: web.Request) -> web.Response:
    """Do what a button on a pull request's page says."""
    found, form, me = repository(request), await request.post(), await _acting(request)
    double, which = site(request).double, number(request)
    pull = pulls.find(double, found, which)
    match request.match_info["act"]:
        case "label":
            threads.add_label(double, found, pull, str(form.get("label", "")).strip(), me)
        case "unlabel":
            threads.remove_label(double, found, pull, str(form.get("label", "")), me)
        case "comment":
            comments.on_thread(double, found, pull, str(form.get("body", "")).replace("\r\n", "\n"), me)
        case "merge":
            pulls.merge(double, found, which, me, str(form.get("method", "merge")))
        case "ready":
            pulls.set_draft(double, found, which, False, me)
        case _:
            pulls.close(double, found, which, me)
    raise _back(found, f"/pull/{which}", me)


@routes.post(r"/{owner}/{name}/checks/{number:\d+}/{act:rerequest|press}")
async def act_on_check(request: web.Request) -> web.Response:
    """Press Re-run, or a button of a check run."""
    found, form, me = repository(request), await request.post(), await _acting(request)
    double = site(request).double
    run = checks.find(double, found, number(request))
    if request.match_info["act"] == "rerequest":
        checks.rerequest(double, found, run, me)
    else:
        checks.press(double, found, run, str(form.get("identifier", "")), me)
    raise _back(found, f"/commit/{run['sha']}", me)


@routes.post(r"/{owner}/{name}/suites/{number:\d+}/rerequest")
async def rerequest_all(request: web.Request) -> web.Response:
    """Press Re-run all checks."""
    found, me = repository(request), await _acting(request)
    double = site(request).double
    suite = checks.find_suite(double, found, number(request))
    checks.rerequest_all(double, found, suite, me)
    raise _back(found, f"/commit/{suite['sha']}", me)


@routes.get(r"/{owner}/{name}/issues/{number:\d+}")
async def show_issue(request: web.Request) -> web.Response:
    """Show an issue with what was said about it."""
    found, double = repository(request), site(request).double
    issue = threads.find(double, found, number(request))
    if threads.is_pull(issue):
        raise web.HTTPSeeOther(f"/{found['repository']}/pull/{issue['number']}")
    return _page(
        "issue.html",
        title=f"{issue['title']} · {found['repository']} #{issue['number']}",
        repository=found,
        issue=issue,
        comments=double.store.all("comment", found["repository"], number=issue["number"]),
    )


@routes.get("/{owner}/{name}/commit/{sha}")
async def show_commit(request: web.Request) -> web.Response:
    """Show a commit with its statuses, deployments and comments."""
    found, double = repository(request), site(request).double
    place = double.git(found)
    commit = place.commit(double.commit_sha(found, request.match_info["sha"]))
    return _page(
        "commit.html",
        title=f"{commit.message.partition(chr(10))[0]} · {found['repository']}",
        repository=found,
        commit=commit,
        files=place.changed_files(commit.parents[0], commit.sha) if commit.parents else [],
        pulls=[pull for pull in pulls.everything(double, found) if commit.sha in pull["landed"]],
        statuses=_newest(_marks(request, found, "status", [commit.sha])),
        checks=checks.of_commit(double, found["repository"], commit.sha),
        deployments=_deployments(request, found, [commit.sha]),
        comments=_marks(request, found, "commit_comment", [commit.sha]),
        me=_me(request),
    )


def _marks(request: web.Request, found: Record, kind: str, shas: Iterable[str]) -> list[Record]:
    store = site(request).double.store
    return [record for sha in shas for record in store.all(kind, found["repository"], sha=sha)]


def _newest(statuses: Iterable[Record]) -> list[Record]:
    return list({status["context"]: status for status in statuses}.values())


def _deployments(request: web.Request, found: Record, shas: Iterable[str]) -> list[tuple[Record, Record | None]]:
    store = site(request).double.store
    return [
        (deployment, store.one("deployment_status", found["repository"], deployment=deployment["id"]))
        for deployment in _marks(request, found, "deployment", shas)
    ]


def _me(request: web.Request) -> str:
    return request.cookies.get(COOKIE, "")


async def _acting(request: web.Request) -> str:
    me = str((await request.post()).get("as", "")).strip()
    if not me:
        raise Refused(422, "Say who you are: fill in “acting as”.")
    return me[:39]  # the longest login GitHub has


def _back(found: Record, path: str, me: str) -> web.HTTPSeeOther:
    answer = web.HTTPSeeOther(f"/{found['repository']}{path}")
    if me.isascii() and me.isprintable():
        answer.set_cookie(COOKIE, me, httponly=True, samesite="Strict")
    return answer


def _page(template: str, status: int = 200, **view: Any) -> web.Response:
    html = _templates.get_template(template).render(view)
    headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"}
    return web.Response(text=html, status=status, content_type="text/html", headers=headers)
