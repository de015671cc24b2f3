"""REST: issues, the labels on them and on pull requests, their history."""

from __future__ import annotations

from aiohttp import web

from devhost.github import issues, threads
from devhost.github.api_pulls import in_order
from devhost.github.rest import body, caller, decoded, names, number, optional_text, paged, repository, site, text
from devhost.github.store import Record

routes = web.RouteTableDef()


def found_thread(request: web.Request) -> tuple[Record, Record]:
    """Give the repository and the issue or pull request of the path."""
    found = repository(request)
    return found, threads.find(site(request).double, found, number(request))


@routes.get("/repos/{owner}/{name}/issues")
async def list_issues(request: web.Request) -> web.Response:
    """Answer issues and pull requests of a state, newest first."""
    found, at, query = repository(request), site(request), request.query
    state, since, creator = query.get("state", "open"), query.get("since", ""), query.get("creator")
    wanted = {label.casefold() for label in query.get("labels", "").split(",") if label}
    fitting = [
        thread
        for thread in threads.everything(at.double, found)
        if state in ("all", thread["state"])
        and thread["updated_at"] >= since
        and creator in (None, thread["author"])
        and wanted <= {label.casefold() for label in thread["labels"]}
    ]
    return paged(request, in_order(request, fitting, "desc"), lambda thread: at.shapes.issue(found, thread))


@routes.post("/repos/{owner}/{name}/issues")
async def create_issue(request: web.Request) -> web.Response:
    """Open an issue."""
    found, at, fields = repository(request), site(request), await body(request)
    title, words = text(fields, "title"), optional_text(fields, "body") or ""
    issue = issues.create(at.double, found, title, words, caller(request), names(fields.get("labels")))
    return web.json_response(at.shapes.full_issue(found, issue), status=201)


@routes.get(r"/repos/{owner}/{name}/issues/{number:\d+}")
async def get_issue(request: web.Request) -> web.Response:
    """Answer one issue, or a pull request seen as one."""
    found, thread = found_thread(request)
    return web.json_response(site(request).shapes.full_issue(found, thread))


@routes.patch(r"/repos/{owner}/{name}/issues/{number:\d+}")
async def edit_issue(request: web.Request) -> web.Response:
    """Change an issue's title, text, labels or state."""
    found, thread = found_thread(request)
    at, fields, by = site(request), await body(request), caller(request)
    thread = threads.edit(at.double, found, thread, by, optional_text(fields, "title"), optional_text(fields, "body"))
    if fields.get("labels") is not None:
        thread = threads.set_labels(at.double, found, thread, names(fields["labels"]), by)
    if fields.get("state") and not threads.is_pull(thread):
        reason = optional_text(fields, "state_reason")
        thread = issues.set_state(at.double, found, thread, text(fields, "state"), reason, by)
    return web.json_response(at.shapes.full_issue(found, thread))


@routes.get(r"/repos/{owner}/{name}/issues/{number:\d+}/labels")
async def list_labels(request: web.Request) -> web.Response:
    """Answer the labels on a pull request or issue."""
    found, thread = found_thread(request)
    return paged(request, thread["labels"], lambda name: site(request).shapes.named_label(found, name))


@routes.post(r"/repos/{owner}/{name}/issues/{number:\d+}/labels")
async def add_labels(request: web.Request) -> web.Response:
    """Put labels on a pull request or issue."""
    found, thread = found_thread(request)
    for label in await _wanted(request):
        thread = threads.add_label(site(request).double, found, thread, label, caller(request))
    return _labels(request, found, thread)


@routes.put(r"/repos/{owner}/{name}/issues/{number:\d+}/labels")
async def set_labels(request: web.Request) -> web.Response:
    """Leave exactly these labels on a pull request or issue."""
    found, thread = found_thread(request)
    wanted = await _wanted(request)
    return _labels(request, found, threads.set_labels(site(request).double, found, thread, wanted, caller(request)))


async def _wanted(request: web.Request) -> list[str]:
    sent = await decoded(request)
    return names(sent.get("labels") if isinstance(sent, dict) else sent)  # GitHub takes the bare array as well


@routes.delete(r"/repos/{owner}/{name}/issues/{number:\d+}/labels/{label}")
async def remove_label(request: web.Request) -> web.Response:
    """Take a label off a pull request or issue."""
    found, thread = found_thread(request)
    label = request.match_info["label"]
    return _labels(request, found, threads.remove_label(site(request).double, found, thread, label, caller(request)))


def _labels(request: web.Request, found: Record, thread: Record) -> web.Response:
    return web.json_response([site(request).shapes.named_label(found, name) for name in thread["labels"]])


@routes.get(r"/repos/{owner}/{name}/issues/{number:\d+}/events")
async def list_events(request: web.Request) -> web.Response:
    """Answer the history of a pull request or issue, oldest first."""
    found, thread = found_thread(request)
    at = site(request)
    events = at.double.store.all("event", found["repository"], number=thread["number"])
    return paged(request, events, lambda event: at.shapes.event(found, event))


@routes.get("/repos/{owner}/{name}/issues/events")
async def list_all_events(request: web.Request) -> web.Response:
    """Answer the history of every pull request and issue, newest first."""
    found, at = repository(request), site(request)
    events = at.double.store.all("event", found["repository"])[::-1]
    return paged(
        request,
        events,
        lambda event: {
            **at.shapes.event(found, event),
            "issue": at.shapes.issue(found, threads.find(at.double, found, event["number"])),
        },
    )


@routes.get(r"/repos/{owner}/{name}/issues/{number:\d+}/timeline")
async def list_timeline(request: web.Request) -> web.Response:
    """Answer the history of a pull request or issue with its comments, oldest first."""
    found, thread = found_thread(request)
    at, name, of = site(request), found["repository"], thread["number"]
    lines = [*at.double.store.all("event", name, number=of), *at.double.store.all("comment", name, number=of)]
    return paged(
        request,
        sorted(lines, key=lambda line: (line["created_at"], line["id"])),
        lambda line: at.shapes.event(found, line) if "event" in line else at.shapes.commented(found, line),
    )
