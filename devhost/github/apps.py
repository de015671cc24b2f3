"""The App: what it may do, and the tokens of its installation."""

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
