"""Who may do what: roles on repositories, teams, branch protection."""

from __future__ import annotations

from typing import Any

from devhost.github.double import Double
from devhost.github.refusals import Refused
from devhost.github.store import Record

ROLES = ("none", "read", "triage", "write", "maintain", "admin")
COLLEAGUES = ("alex", "sam", "maria", "jonas", "priya")  # whoever the demo and the tests know
_LEGACY = {"maintain": "write", "triage": "read"}  # what `permission` says for roles it has no word for


def role(double: Double, repository: Record, login: str) -> str:
    """Give somebody's role: as told, else admin for the owner and for us, write for colleagues, read for strangers."""
    told = double.store.one("role", repository["repository"], login=login.casefold())
    if told:
        return str(told["role"])
    if login == double.robot or login.casefold() == repository["repository"].split("/")[0].casefold():
        return "admin"
    if repository.get("parent"):
        return "read"
    return "write" if login.casefold() in COLLEAGUES else "read"


def permission(name: str) -> str:
    """Give the older, coarser word for a role."""
    return _LEGACY.get(name, name)


def at_least(role: str, wanted: str) -> bool:
    """Say whether a role includes another."""
    return ROLES.index(role) >= ROLES.index(wanted)


def set_role(double: Double, repository: Record, login: str, role: str) -> None:
    """Give somebody a role on a repository."""
    if role not in ROLES:
        raise Refused(422, f"{role!r} is not one of {', '.join(ROLES)}")
    _put(double, "role", repository["repository"], {"login": login.casefold()}, {"role": role})


def team(double: Double, org: str, slug: str) -> Record:
    """Find a team."""
    found = double.store.one("team", "", organization=org.casefold(), slug=slug.casefold())
    if found is None:
        raise Refused(404, "Not Found")
    return found


def set_team(double: Double, org: str, slug: str, members: list[str]) -> None:
    """Say who is in a team, in place of what was said before."""
    key = {"organization": org.casefold(), "slug": slug.casefold()}
    _put(double, "team", "", key, {"members": members})


def protection(double: Double, repository: Record, branch: str) -> dict[str, Any] | None:
    """Give how a branch is protected, None when it is not."""
    return double.store.one("protection", repository["repository"], branch=branch)


def protect(
    double: Double,
    repository: Record,
    branch: str,
    checks: list[str],
    reviews: int,
    by_rules: bool = False,
    queue: bool = False,
) -> None:
    """Protect a branch, the older way or by rules: checks it requires by name, and approving reviews.

    With `queue`, which is a rule, only the merge queue merges.
    """
    rules = {"checks": checks, "reviews": reviews, "by_rules": by_rules or queue, "queue": queue}
    _put(double, "protection", repository["repository"], {"branch": branch}, rules)


def _put(double: Double, kind: str, repository: str, key: dict[str, Any], fields: dict[str, Any]) -> None:
    known = double.store.one(kind, repository, **key)
    if known:
        double.store.save({**known, **fields})
    else:
        double.store.add(kind, repository, **key, **fields)
