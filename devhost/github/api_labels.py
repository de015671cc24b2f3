"""REST: the labels a repository has."""

from __future__ import annotations

from aiohttp import web

from devhost.github import labels
from devhost.github.rest import body, caller, paged, repository, site

routes = web.RouteTableDef()


@routes.get("/repos/{owner}/{name}/labels")
async def list_labels(request: web.Request) -> web.Response:
    """Answer the labels, by name."""
    found, at = repository(request), site(request)
    return paged(request, labels.everything(at.double, found), lambda label: at.shapes.label(found, label))


@routes.post("/repos/{owner}/{name}/labels")
async def create_label(request: web.Request) -> web.Response:
    """Make a label."""
    found, at, fields = repository(request), site(request), await body(request)
    label = labels.create(at.double, found, fields, caller(request))
    return web.json_response(at.shapes.label(found, label), status=201)


@routes.get("/repos/{owner}/{name}/labels/{label}")
async def get_label(request: web.Request) -> web.Response:
    """Answer one label."""
    found, at = repository(request), site(request)
    return web.json_response(at.shapes.label(found, labels.find(at.double, found, request.match_info["label"])))


@routes.patch("/repos/{owner}/{name}/labels/{label}")
async def edit_label(request: web.Request) -> web.Response:
    """Rename or describe a label."""
    found, at, fields = repository(request), site(request), await body(request)
    label = labels.edit(at.double, found, request.match_info["label"], fields, caller(request))
    return web.json_response(at.shapes.label(found, label))


@routes.delete("/repos/{owner}/{name}/labels/{label}")
async def remove_label(request: web.Request) -> web.Response:
    """Delete a label."""
    found = repository(request)
    labels.remove(site(request).double, found, request.match_info["label"], caller(request))
    return web.Response(status=204)
