"""Pages for people, labelled "GitHub double"."""

from __future__ import annotations

from aiohttp import web

from devhost.github.refusals import Refused

routes = web.RouteTableDef()


def refusal(refused: Refused) -> web.Response:
    """Answer a page that says what was refused."""
    return web.Response(text=str(refused), status=refused.status)
