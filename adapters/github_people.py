"""People on GitHub: what somebody may do in a repository, and who is in a team."""

from __future__ import annotations

import re
from collections.abc import Callable

from github import Github
from github.Repository import Repository

from adapters.github_calls import Steady
from domain.errors import Forbidden, NotFound

_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}(?:\[bot\])?")


def permission(steady: Steady, place: Repository, login: str) -> str:
    """Say what a person may do in a repository; see GitHub.permission."""
    if not _LOGIN.fullmatch(login):
        return "none"  # a name from a sign-in, say; in a URL it could mean another thing
    try:
        return steady.call(lambda: place.get_collaborator_permission(login))
    except NotFound:
        steady.call(place.complete)  # when the repository is there, it is the person who is not
        return "none"


def team_members(steady: Steady, sign_in: Callable[[], Github], org: str, slug: str) -> tuple[str, ...]:
    """List who is in a team; see GitHub.team_members."""
    try:
        members = steady.call(lambda: list(sign_in().get_organization(org).get_team_by_slug(slug).get_members()))
    except (NotFound, Forbidden) as error:
        raise NotFound(
            f"Team @{org}/{slug} does not exist or our token may not see it: correct the name in drawbridge.yaml, or "
            f"give the App the organization's permission Members: read, a token the scope read:org. {error}"
        ) from error
    return tuple(sorted((member.login for member in members), key=str.casefold))
