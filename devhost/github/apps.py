"""Credentials: what the App may do, the tokens of its installation, the scopes of a person's token."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

from devhost.github.double import Double
from devhost.github.store import now

PERMISSIONS = {
    **dict.fromkeys(("checks", "contents", "deployments", "issues", "pull_requests", "statuses"), "write"),
    **dict.fromkeys(("actions", "administration", "members", "metadata"), "read"),
    "repository_hooks": "write",
}


def permissions(double: Double) -> dict[str, str]:
    """Give what the App may do: as told, else everything Drawbridge uses."""
    told = double.store.one("app", "")
    return dict(told["permissions"]) if told else dict(PERMISSIONS)


def set_permissions(double: Double, wanted: dict[str, str]) -> None:
    """Say what the App may do."""
    told = double.store.one("app", "")
    if told:
        double.store.save({**told, "permissions": wanted})
    else:
        double.store.add("app", "", permissions=wanted)


def issue_token(double: Double) -> tuple[str, str]:
    """Give an installation token and when it expires, an hour from now."""
    token = f"ghs_{secrets.token_hex(18)}"
    expires = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    double.store.add("token", "", token=token, expires_at=expires)
    return token, expires


def knows_token(double: Double, token: str) -> bool:
    """Say whether it is an installation token that has not expired."""
    found = double.store.one("token", "", token=token)
    return found is not None and found["expires_at"] > now()


def scopes(double: Double) -> list[str]:
    """Give the scopes of the person's token; a fine-grained one has none."""
    told = double.store.one("scopes", "")
    return list(told["scopes"]) if told else []


def set_scopes(double: Double, wanted: list[str]) -> None:
    """Say which scopes the person's token has."""
    for told in double.store.all("scopes"):
        double.store.remove(told)
    double.store.add("scopes", "", scopes=wanted)
