"""Stand in for App Service authentication on one machine: a development sign-in without passwords."""

from __future__ import annotations

import base64
import ipaddress
import json
import logging
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import urlencode, urlsplit

from aiohttp import web
from itsdangerous import BadSignature, URLSafeTimedSerializer

from devhost.environment import StartError

log = logging.getLogger("devhost.signin")

COOKIE = "AppServiceAuthSession"
PROVIDER = "aad"  # apps written for Entra ID look for this name
_SESSION = 8 * 3600  # seconds
_CLAIM = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
_ROLE_CLAIM = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
_IDS = uuid.UUID("6f8d7e0a-5d0c-4c35-9a6e-6f0c1f6b4a10")  # gives a login the same id in every run
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Development sign-in</title><style>
:root {{ color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }} main {{ max-width: 28rem; margin: 3rem auto;
padding: 0 1rem }} button {{ font: inherit; width: 100%; padding: .6rem; margin: .3rem 0; text-align: left }}
.label {{ border: 1px solid; padding: .3rem .6rem }}</style></head>
<body><main><p class="label">Development sign-in of devhost. On Azure, App Service authentication stands here.</p>
<h1>{title}</h1>{body}</main></body></html>"""


@dataclass(frozen=True)
class Person:
    """Somebody who can sign in."""

    login: str
    name: str
    email: str

    @property
    def object_id(self) -> str:
        """A stable id, as Entra ID gives to each user."""
        return str(uuid.uuid5(_IDS, self.login))

    def claims(self) -> list[dict[str, str]]:
        """List what the platform says about the person."""
        return [
            {"typ": "name", "val": self.name},
            {"typ": "preferred_username", "val": self.email},
            {"typ": f"{_CLAIM}emailaddress", "val": self.email},
            {"typ": "http://schemas.microsoft.com/identity/claims/objectidentifier", "val": self.object_id},
        ]


def read_people(env: Mapping[str, str]) -> dict[str, Person]:
    """Read DEVHOST_PEOPLE, a JSON object of login -> {"name", "email"}. Raises StartError."""
    try:
        people = json.loads(env.get("DEVHOST_PEOPLE") or "{}")
        return {login: Person(login, entry["name"], entry["email"]) for login, entry in people.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        example = '{"maria": {"name": "Maria Silva", "email": "maria@contoso.com"}}'
        raise StartError(f"DEVHOST_PEOPLE must be a JSON object such as {example}") from error


def require_loopback(host: str) -> None:
    """Refuse an address that others can reach: anybody could sign in as anybody. Raises StartError."""
    if not _is_loopback(host):
        raise StartError(f"--sign-in works on loopback only, not on {host}: use --host 127.0.0.1, or leave it out")


class SignIn:
    """Serves /.auth/ and tells who sent a request."""

    def __init__(self, people: Mapping[str, Person], secret: str) -> None:
        self._people = people
        self._sessions = URLSafeTimedSerializer(secret, salt="devhost sign-in")

    def add_routes(self, app: web.Application) -> None:
        """Serve the sign-in below /.auth/."""
        app.add_routes(
            [
                web.get("/.auth/login", self._show),
                web.get("/.auth/login/done", self._done),
                web.get(f"/.auth/login/{PROVIDER}", self._show),
                web.post("/.auth/login", self._sign_in),
                web.get("/.auth/me", self._me),
                web.get("/.auth/logout", self._sign_out),
            ]
        )

    def person_of(self, request: web.Request) -> Person | None:
        """Return who is signed in; None without a session or with one that was tampered with or is too old."""
        try:
            login = self._sessions.loads(request.cookies.get(COOKIE, ""), max_age=_SESSION)
        except BadSignature:
            return None
        return self._people.get(login)

    def headers_for(self, request: web.Request) -> Mapping[str, str]:
        """Return the platform's identity headers, none for somebody who is not signed in."""
        person = self.person_of(request)
        if person is None:
            return {}
        principal = {
            "auth_typ": PROVIDER,
            "claims": person.claims(),
            "name_typ": f"{_CLAIM}emailaddress",
            "role_typ": _ROLE_CLAIM,
        }
        return {
            "X-MS-CLIENT-PRINCIPAL-NAME": person.email,
            "X-MS-CLIENT-PRINCIPAL-ID": person.object_id,
            "X-MS-CLIENT-PRINCIPAL-IDP": PROVIDER,
            "X-MS-CLIENT-PRINCIPAL": base64.b64encode(json.dumps(principal).encode()).decode(),
        }

    async def _show(self, request: web.Request) -> web.Response:
        _require_own_host(request)
        action = "/.auth/login?" + urlencode({"post_login_redirect_uri": _target(request, "post_login_redirect_uri")})
        forms = "".join(
            f'<form method="post" action="{escape(action)}"><button name="login" value="{escape(person.login)}">'
            f"{escape(person.name)} &lt;{escape(person.email)}&gt;</button></form>"
            for person in self._people.values()
        )
        return _page("Sign in as", forms or "<p>Nobody is there: set DEVHOST_PEOPLE.</p>")

    async def _sign_in(self, request: web.Request) -> web.Response:
        _require_own_host(request)
        _require_own_origin(request)
        login = str((await request.post()).get("login", ""))
        if login not in self._people:
            raise web.HTTPForbidden(text=f"There is no person '{login}' in DEVHOST_PEOPLE.")
        log.info("%s signed in", login)
        response = _redirect(_target(request, "post_login_redirect_uri"))
        response.set_cookie(
            COOKIE, str(self._sessions.dumps(login)), max_age=_SESSION, httponly=True, samesite="Lax", path="/"
        )
        return response

    async def _done(self, request: web.Request) -> web.Response:
        person = self.person_of(request)
        who = f"<p>Signed in as {escape(person.name)}.</p>" if person else "<p>Nobody is signed in.</p>"
        return _page("Development sign-in", f'{who}<p><a href="/.auth/login">Sign in as somebody else</a></p>')

    async def _me(self, request: web.Request) -> web.Response:
        person = self.person_of(request)
        if person is None:
            raise web.HTTPUnauthorized
        me: dict[str, Any] = {"provider_name": PROVIDER, "user_id": person.email, "user_claims": person.claims()}
        return web.json_response([me])

    async def _sign_out(self, request: web.Request) -> web.Response:
        response = _redirect(_target(request, "post_logout_redirect_uri"))
        response.del_cookie(COOKIE, path="/")
        return response


def _target(request: web.Request, name: str) -> str:
    """Read where to go next; anything but a path on this host leads to our own page."""
    target = request.query.get(name, "")
    # Browsers read a backslash as a slash and drop control characters, so that /\evil or /<tab>/evil leave the host.
    plain = re.fullmatch(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*", target)
    return target if plain else "/.auth/login/done"


def _require_own_host(request: web.Request) -> None:
    # A foreign name that resolves to this machine (DNS rebinding) would make its page one of ours.
    name = urlsplit(f"//{request.host}").hostname or ""
    if not _is_loopback(name):
        raise web.HTTPForbidden(text="The development sign-in answers on localhost only.")


def _require_own_origin(request: web.Request) -> None:
    origin = request.headers.get("Origin")
    if origin and origin != f"{request.scheme}://{request.host}":
        raise web.HTTPForbidden(text="The sign-in form was sent from another site.")


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name.lower() == "localhost"


def _redirect(target: str) -> web.Response:
    return web.Response(status=303, headers={"Location": target})


def _page(title: str, body: str) -> web.Response:
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    return web.Response(text=_PAGE.format(title=title, body=body), content_type="text/html", headers=headers)
