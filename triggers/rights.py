"""Who may act on an environment: its approvers, as people, members of teams, or of Entra groups."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from adapters import connect, records
from adapters.blobs import Blobs
from domain.approvals import is_for, sign_in_name
from domain.errors import NotFound, Unavailable
from domain.models import ApprovalRequest
from settings import Settings
from triggers.identity import Person


def may(who: Person, approvers: Collection[str], settings: Settings, before: Iterable[ApprovalRequest] = ()) -> bool:
    """Say whether a person is one of these approvers, in a team or a group that is one, as GitHub has its teams now.

    `before` are questions that were put to them: who was in a team then counts while GitHub is away. Raises Unavailable
    when GitHub is away and nobody was asked.
    """
    if named(who, approvers, settings):
        return True
    return any(_is_member(who, team, settings, before) for team in approvers if "/" in team)


def named(who: Person, approvers: Iterable[str], settings: Settings) -> bool:
    """Say whether a person is an approver by name or by Entra group, without asking GitHub about its teams."""
    return any(is_for(one, who.name, settings.people, who.groups) for one in approvers if "/" not in one)


def perhaps(who: Person, approvers: Collection[str], settings: Settings) -> bool:
    """Say whether a page offers a person what only approvers may do: whoever may be in a team finds out by trying."""
    return named(who, approvers, settings) or any("/" in one for one in approvers)


def asked(blobs: Blobs, releases: Iterable[str], environments: Iterable[str]) -> list[ApprovalRequest]:
    """Read the questions that were asked about releases on their way to environments."""
    places = [(release, environment) for release in releases for environment in environments]
    return [found for place in places if (found := records.read_request(blobs, *place))]


def _is_member(who: Person, team: str, settings: Settings, before: Iterable[ApprovalRequest]) -> bool:
    organization, _, slug = team.partition("/")
    try:
        members: Collection[str] = connect.github(settings).team_members(organization, slug)
    except NotFound:
        return False
    except Unavailable:
        members = {login for request in before for login, of in request.groups.items() if of == team}
        if not members:
            raise
    return who.name.casefold() in {sign_in_name(login, settings.people) for login in members}
