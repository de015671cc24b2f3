"""Control: what people do with pull requests, issues, labels and check runs."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from devhost.github import checks, comments, issues, labels, marks, pulls, reviews, threads
from devhost.github.control_marks import marks_of
from devhost.github.rest import body, names, number, optional_text, repository, site, text, whether
from devhost.github.store import Record

routes = web.RouteTableDef()
_HERE = "/_double/repositories/{owner}/{name}"


@routes.post(f"{_HERE}/pulls")
async def open_pull(request: web.Request) -> web.Response:
    """Open a pull request as anybody, with labels."""
    found, double, fields = repository(request), site(request).double, await body(request)
    head, base = text(fields, "head"), text(fields, "base", found["default_branch"])
    author, title, words = text(fields, "author", "ghost"), text(fields, "title"), text(fields, "body")
    pull = pulls.open_pull(double, found, head, base, title, words, author, whether(fields, "draft"))
    for label in names(fields.get("labels")):
        threads.add_label(double, found, pull, label, author)
    return web.json_response(_thread(request, found, pull["number"]), status=201)


@routes.post(f"{_HERE}/issues")
async def open_issue(request: web.Request) -> web.Response:
    """Open an issue as anybody."""
    found, double, fields = repository(request), site(request).double, await body(request)
    author, title, words = text(fields, "author", "ghost"), text(fields, "title"), text(fields, "body")
    issue = issues.create(double, found, title, words, author, names(fields.get("labels")))
    return web.json_response(_thread(request, found, issue["number"]), status=201)


@routes.get(_HERE + r"/pulls/{number:\d+}")
async def get_thread(request: web.Request) -> web.Response:
    """Answer a pull request or issue with everything that hangs on it."""
    return web.json_response(_thread(request, repository(request), number(request)))


@routes.post(_HERE + r"/pulls/{number:\d+}/{act:label|unlabel|comment|edit}")
async def act_on_thread(request: web.Request) -> web.Response:
    """Label, edit or comment on a pull request or issue as anybody."""
    found, double, fields = repository(request), site(request).double, await body(request)
    thread, by = threads.find(double, found, number(request)), text(fields, "by", "ghost")
    match request.match_info["act"]:
        case "label":
            threads.add_label(double, found, thread, text(fields, "label"), by)
        case "unlabel":
            threads.remove_label(double, found, thread, text(fields, "label"), by)
        case "comment":
            comments.on_thread(double, found, thread, text(fields, "body"), by)
        case _:
            threads.edit(double, found, thread, by, optional_text(fields, "title"), optional_text(fields, "body"))
    return web.json_response(_thread(request, found, thread["number"]))


@routes.post(_HERE + r"/pulls/{number:\d+}/{act:merge|close|reopen|ready|draft}")
async def act_on_pull(request: web.Request) -> web.Response:
    """Merge, close, reopen or draft a pull request, or close or reopen an issue, as anybody."""
    found, double, fields = repository(request), site(request).double, await body(request)
    which, by, act = number(request), text(fields, "by", "ghost"), request.match_info["act"]
    thread = threads.find(double, found, which)
    if not threads.is_pull(thread):
        issues.set_state(double, found, thread, "closed" if act == "close" else "open", None, by)
        return web.json_response(_thread(request, found, which))
    match act:
        case "close":
            pulls.close(double, found, which, by)
        case "reopen":
            pulls.reopen(double, found, which, by)
        case "ready" | "draft":
            pulls.set_draft(double, found, which, act == "draft", by)
        case _:
            pulls.merge(double, found, which, by, text(fields, "method", "merge"))
    return web.json_response(_thread(request, found, which))


def _thread(request: web.Request, found: Record, which: int) -> dict[str, Any]:
    at = site(request)
    thread = threads.find(at.double, found, which)
    known = at.double.store.all("comment", found["repository"], number=which)
    said = {"comments": [at.shapes.comment(found, comment) for comment in known]}
    if not threads.is_pull(thread):
        return {**at.shapes.full_issue(found, thread), **said}
    shas = [sha for sha in (thread["head_sha"], thread["merge_commit_sha"]) if sha]
    return {**at.shapes.pull(found, thread, told=True), **said, **marks_of(request, found, shas)}


@routes.post(_HERE + r"/pulls/{number:\d+}/{act:review|reviewers}")
async def review(request: web.Request) -> web.Response:
    """Review a pull request as anybody, or ask people to."""
    found, double, fields = repository(request), site(request).double, await body(request)
    pull = pulls.find(double, found, number(request))
    if request.match_info["act"] == "review":
        reviews.give(double, pull, text(fields, "by", "ghost"), text(fields, "state"), text(fields, "body"))
    else:
        threads.touch(double, pull, reviewers=names(fields.get("logins")))
    return web.json_response(_thread(request, found, pull["number"]))


@routes.post(_HERE + r"/comments/{number:\d+}/{act:edit|delete}")
async def act_on_comment(request: web.Request) -> web.Response:
    """Edit or delete a comment as anybody."""
    found, double, fields = repository(request), site(request).double, await body(request)
    comment, by = comments.find(double, found, "comment", number(request)), text(fields, "by", "ghost")
    if request.match_info["act"] == "edit":
        comments.edit(double, found, comment, text(fields, "body"), by)
    else:
        comments.remove(double, found, comment, by)
    return web.json_response({"ok": True})


@routes.post(_HERE + "/labels/{label}")
async def rename_label(request: web.Request) -> web.Response:
    """Give a label another name."""
    found, double, fields = repository(request), site(request).double, await body(request)
    labels.edit(double, found, request.match_info["label"], fields, text(fields, "by", "ghost"))
    return web.json_response({"ok": True})


@routes.post(f"{_HERE}/check-runs")
async def report_check(request: web.Request) -> web.Response:
    """Let another App say how its check stands."""
    found, at, fields = repository(request), site(request), await body(request)
    run = checks.report(at.double, found, text(fields, "app", "ci"), fields)
    return web.json_response(at.shapes.check_run(found, run), status=201)


@routes.post(_HERE + r"/check-runs/{number:\d+}/{act:rerequest|press}")
async def act_on_check(request: web.Request) -> web.Response:
    """Press Re-run, or a button of a check run."""
    found, double, fields = repository(request), site(request).double, await body(request)
    run, by = checks.find(double, found, number(request)), text(fields, "by", "ghost")
    if request.match_info["act"] == "rerequest":
        checks.rerequest(double, found, run, by)
    else:
        checks.press(double, found, run, text(fields, "identifier"), by)
    return web.json_response({"ok": True})


@routes.post(_HERE + r"/check-suites/{number:\d+}/rerequest")
async def rerequest_all(request: web.Request) -> web.Response:
    """Press Re-run all checks."""
    found, double, fields = repository(request), site(request).double, await body(request)
    suite = checks.find_suite(double, found, number(request))
    checks.rerequest_all(double, found, suite, text(fields, "by", "ghost"))
    return web.json_response({"ok": True})


@routes.post(_HERE + "/statuses/{sha}")
async def report_status(request: web.Request) -> web.Response:
    """Set a commit status as anybody."""
    found, at, fields = repository(request), site(request), await body(request)
    status = marks.add_status(at.double, found, request.match_info["sha"], text(fields, "by", "ci"), fields)
    return web.json_response(at.shapes.status(found, status), status=201)


@routes.post(f"{_HERE}/workflow-runs")
async def report_workflow(request: web.Request) -> web.Response:
    """Let a workflow of GitHub Actions end."""
    found, at, fields = repository(request), site(request), await body(request)
    sha, by = at.double.commit_sha(found, text(fields, "head_sha")), text(fields, "by", "ghost")
    run = checks.report_workflow(at.double, found, sha, text(fields, "name"), text(fields, "conclusion"), by)
    return web.json_response(at.shapes.workflow_run(found, run), status=201)
