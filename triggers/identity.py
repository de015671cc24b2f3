"""Who is calling, as the platform says it: App Service authentication puts these headers on requests."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from domain.errors import Forbidden


def principal(headers: Mapping[str, str], authentication: bool) -> str | None:
    """Return the signed-in person's name, or None.

    Without App Service authentication anybody can send these headers, so then nobody is signed in.
    """
    name = headers.get("x-ms-client-principal-name", "").strip()
    return name if authentication and name else None


def refuse_cross_site(headers: Mapping[str, str], public_url: str) -> None:
    """Raise Forbidden unless a form comes from one of our own pages."""
    fetch_site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    if fetch_site and fetch_site != "same-origin":
        raise Forbidden("This form was sent from another site. Open the approval link itself.")
    if not origin or _origin(origin) != _origin(public_url):
        raise Forbidden("This form did not come from the approval page. Open the approval link and use its buttons.")


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname or "", parts.port or default
