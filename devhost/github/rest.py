"""What every REST handler needs: the double, the caller, bodies, pages of a list."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import jwt
from aiohttp import web

from devhost.github import apps, grants, people
from devhost.github.double import Double
from devhost.github.faults import Faults
from devhost.github.findings import Findings
from devhost.github.hooks import Hooks
from devhost.github.rates import Rates
from devhost.github.refusals import Refused
from devhost.github.shapes import Json, Shapes
from devhost.github.store import Record
from devhost.github.webhooks import Webhooks

T = TypeVar("T")


@dataclass(frozen=True)
class Access:
    """Who may call the API: one token, an App by its public key, or with neither anybody."""

    token: str = ""
    login: str = "drawbridge-ci"  # whose token it is
    scopes: tuple[str, ...] = ()  # of a classic token, which tells them; a fine-grained one has none
    app_id: str = ""
    app_public_key: str = ""  # PEM
    app_slug: str = "drawbridge"


@dataclass
class Site:
    """Everything a request handler works with."""

    double: Double
    shapes: Shapes
    hooks: Hooks
    webhooks: Webhooks
    faults: Faults
    access: Access
    rates: Rates
    findings: Findings
    requests: list[dict[str, Any]]  # the last ones, for tests that count


SITE: web.AppKey[Site] = web.AppKey("site", Site)


def site(request: web.Request) -> Site:
    """Give the application's site."""
    return request.app[SITE]


def repository(request: web.Request) -> Record:
    """Give the repository of the path. Raises Refused 404, or 301 and 307 where its name was another before."""
    at, name = site(request), f"{request.match_info['owner']}/{request.match_info['name']}"
    moved = at.double.moved_to(name)
    if moved:
        there = f"{at.shapes.origin}{request.rel_url.raw_path_qs.replace(name, moved, 1)}"
        status, words = (301, "Moved Permanently") if request.method == "GET" else (307, "Temporary Redirect")
        raise Refused(status, words, headers={"Location": there})
    return at.double.repository(name)


def number(request: web.Request, name: str = "number") -> int:
    """Give a number of the path."""
    return int(request.match_info[name])


async def body(request: web.Request) -> dict[str, Any]:
    """Read the JSON object of a request."""
    fields = await decoded(request)
    if not isinstance(fields, dict):
        raise Refused(400, "Body should be a JSON object")
    return fields


async def decoded(request: web.Request) -> Any:
    """Read the JSON of a request."""
    try:
        return json.loads(await request.read() or b"{}")
    except ValueError as error:
        raise Refused(400, "Problems parsing JSON") from error


def text(fields: dict[str, Any], name: str, default: str = "") -> str:
    """Give a text field, refusing other kinds."""
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise Refused(422, f"Invalid request.\n\nFor 'properties/{name}', {value!r} is not a string.")
    return value


def optional_text(fields: dict[str, Any], name: str) -> str | None:
    """Give a text field that may be missing or null."""
    return text(fields, name) if fields.get(name) is not None else None


def whether(fields: dict[str, Any], name: str) -> bool:
    """Give a yes-or-no field, refusing other kinds."""
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise Refused(422, f"Invalid request.\n\nFor 'properties/{name}', {value!r} is not a boolean.")
    return value


def names(labels: Any) -> list[str]:
    """Give the names in a list of labels, which may be given as text or as objects."""
    if labels is not None and not isinstance(labels, list):
        raise Refused(422, f"Invalid request.\n\nFor 'properties/labels', {labels!r} is not an array.")
    return [str(label.get("name", "") if isinstance(label, dict) else label) for label in labels or []]


def paged(
    request: web.Request, items: Sequence[T], shape: Callable[[T], Json], status: int = 200, default: int = 30
) -> web.Response:
    """Answer one page of a list, with the Link header that names the others."""
    start, stop, headers = page_of(request, len(items), default)
    return web.json_response([shape(item) for item in items[start:stop]], status=status, headers=headers)


def cursor_paged(request: web.Request, items: Sequence[Record], shape: Callable[[Record], Json]) -> web.Response:
    """Answer one page of a list that is newest first, from the record on that the cursor names."""
    size, cursor = min(max(_whole(request, "per_page", 30), 1), 100), _whole(request, "cursor", 0)
    rest = [item for item in items if not cursor or item["id"] <= cursor]
    headers = {}
    if len(rest) > size:
        following = request.rel_url.update_query(cursor=str(rest[size]["id"]))
        headers["Link"] = f'<{site(request).shapes.origin}{following}>; rel="next"'
    return web.json_response([shape(item) for item in rest[:size]], headers=headers)


def page_of(request: web.Request, total: int, default: int) -> tuple[int, int, dict[str, str]]:
    """Work out which items of a list a request asks for, and its Link header."""
    size = min(max(_whole(request, "per_page", default), 1), max(100, default))
    page = max(_whole(request, "page", 1), 1)
    last = max((total + size - 1) // size, 1)
    pages = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
    wanted = {name for name in pages if (name in ("prev", "first")) == (page > 1) and page <= last}
    if page > 1 and page < last:
        wanted = set(pages)
    if page >= last:
        wanted -= {"next", "last"}
    links = [f'<{_page_url(request, pages[name])}>; rel="{name}"' for name in pages if name in wanted]
    return (page - 1) * size, page * size, {"Link": ", ".join(links)} if links else {}


def _page_url(request: web.Request, page: int) -> str:
    origin = site(request).shapes.origin
    return f"{origin}{request.rel_url.update_query(page=str(page))}"


def _whole(request: web.Request, name: str, default: int) -> int:
    value = request.query.get(name, "")
    return int(value) if value.isdecimal() else default


def caller(request: web.Request) -> str:
    """Give the login behind the request's credentials. Raises Refused 401 as GitHub would."""
    at = site(request)
    scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
    known = scheme.casefold() in ("token", "bearer")
    if known and at.access.app_id and apps.knows_token(at.double, credential):
        return f"{at.access.app_slug}[bot]"
    if at.access.token and (not known or not _same(credential, at.access.token)):
        raise Refused(401, "Bad credentials" if credential else "Requires authentication")
    if not at.access.token and at.access.app_id:
        raise Refused(401, "Bad credentials" if credential else "Requires authentication")
    return at.access.login


def check_permission(request: web.Request) -> None:
    """Let only those pass whom GitHub would. Raises Refused 401, 403 or 404."""
    login = caller(request)
    if "owner" not in request.match_info:
        return
    at, found = site(request), repository(request)
    need, level = grants.need_of(request.method, request.path.removeprefix(f"/repos/{found['repository']}"))
    if login.endswith("[bot]"):
        grants.check_app(apps.permissions(at.double), need, level)
        return
    role = people.role(at.double, found, login)
    if role == "none":
        raise Refused(404, "Not Found")
    if not people.at_least(role, need.role):
        raise Refused(403, "Resource not accessible by personal access token")


def app_slug(request: web.Request) -> str:
    """Give the App that calls through an installation. Raises Refused 403 for people's tokens, as GitHub does."""
    login = caller(request)
    if not login.endswith("[bot]"):
        raise Refused(403, "Resource not accessible by personal access token")
    return login.removesuffix("[bot]")


def app_caller(request: web.Request) -> None:
    """Let only the App itself pass, by a JSON web token it signed."""
    access = site(request).access
    _, _, credential = request.headers.get("Authorization", "").partition(" ")
    try:
        # GitHub has words of its own for the times, see below.
        options: jwt.types.Options = {"verify_iat": False, "verify_exp": False}
        claims = jwt.decode(credential, access.app_public_key, algorithms=["RS256"], options=options)
    except (jwt.PyJWTError, ValueError) as error:
        raise Refused(401, "A JSON web token could not be decoded") from error
    _check_times(claims)
    if str(claims.get("iss")) != access.app_id:
        raise Refused(401, "Integration not found")


def _check_times(claims: Mapping[str, Any]) -> None:
    """Let pass what was issued up to 60 s ahead and ends in 10 minutes at most. Raises Refused in GitHub's words."""
    now = time.time()
    if not isinstance(claims.get("iat"), int) or claims["iat"] > now + 60:
        words = "must be an Integer representing the time that the assertion was issued"
        raise Refused(401, f"'Issued at' claim ('iat') {words}")
    if not isinstance(claims.get("exp"), int) or claims["exp"] <= now:
        words = "must be a numeric value representing the future time at which the assertion expires"
        raise Refused(401, f"'Expiration time' claim ('exp') {words}")
    if claims["exp"] > now + 600:
        raise Refused(401, "'Expiration time' claim ('exp') is too far in the future")


def _same(one: str, other: str) -> bool:
    return hashlib.sha256(one.encode()).digest() == hashlib.sha256(other.encode()).digest()
