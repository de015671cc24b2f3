"""Who is calling, as the platform says it: App Service authentication puts these headers on requests."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from domain.errors import Forbidden

_GROUP_CLAIMS = frozenset({"groups", "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"})


class ForeignForm(Forbidden):
    """A form was sent in somebody's name from elsewhere than our pages; the person may know nothing of it."""


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in: the sign-in name, and the Entra groups (object ids) that the sign-in names."""

    name: str
    groups: frozenset[str] = frozenset()


def person(headers: Mapping[str, str], authentication: bool) -> Person | None:
    """Return who is signed in, or None.

    Without App Service authentication anybody can send these headers, so then nobody is signed in.
    """
    name = principal(headers, authentication)
    return Person(name, _groups(headers.get("x-ms-client-principal", ""))) if name else None


def principal(headers: Mapping[str, str], authentication: bool) -> str | None:
    """Return the signed-in person's name, or None, as `person` does."""
    name = headers.get("x-ms-client-principal-name", "").strip()
    return name if authentication and name else None


def refuse_cross_site(headers: Mapping[str, str], public_url: str) -> None:
    """Raise ForeignForm unless a form comes from one of our own pages."""
    refuse_foreign(headers, public_url)
    if not headers.get("origin"):
        raise ForeignForm("This form did not come from one of our pages. Open the page again and use its buttons.")


def refuse_foreign(headers: Mapping[str, str], public_url: str) -> None:
    """Raise ForeignForm when a browser says that another site sent this. Scripts say nothing about where they stand."""
    fetch_site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    if (fetch_site and fetch_site != "same-origin") or (origin and _origin(origin) != _origin(public_url)):
        raise ForeignForm("This form was sent from another site. Open the page itself and use its buttons.")


def _groups(encoded: str) -> frozenset[str]:
    try:
        claims: Any = json.loads(base64.b64decode(encoded))["claims"]
        return frozenset(str(one["val"]) for one in claims if one["typ"] in _GROUP_CLAIMS)
    except (ValueError, LookupError, TypeError):
        return frozenset()


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(url)
        default = {"http": 80, "https": 443}.get(parts.scheme)
        return parts.scheme, parts.hostname or "", parts.port or default
    except ValueError:
        return "", url, None
