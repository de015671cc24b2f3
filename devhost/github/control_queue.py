"""Control: what a merge queue does."""

from __future__ import annotations

from aiohttp import web

from devhost.github import queue
from devhost.github.rest import body, repository, site, text

routes = web.RouteTableDef()
_HERE = "/_double/repositories/{owner}/{name}/queue"


@routes.post(_HERE)
async def enqueue(request: web.Request) -> web.Response:
    """Put pull requests into the queue, in this order."""
    found, double, fields = repository(request), site(request).double, await body(request)
    base, by = text(fields, "base", found["default_branch"]), text(fields, "by", "ghost")
    groups = queue.enqueue(double, found, [int(number) for number in fields["numbers"]], base, by)
    return web.json_response(groups, status=201)


@routes.post(_HERE + "/{act:leave|land}")
async def act_on_group(request: web.Request) -> web.Response:
    """Give a group up, or let it and those before it land."""
    found, double, fields = repository(request), site(request).double, await body(request)
    if request.match_info["act"] == "land":
        queue.land(double, found, text(fields, "branch"))
    else:
        queue.give_up(double, found, text(fields, "branch"), text(fields, "reason", "dequeued"))
    return web.json_response({"ok": True})
