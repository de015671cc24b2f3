"""Whether a change may skip the full evaluation: the policy's judgement, with what has to be asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import TYPE_CHECKING

from adapters import commits, debts
from adapters.blobs import Blobs
from domain import blob_names, opt_out
from domain.config import OptOutRule
from domain.errors import NotFound
from domain.git_flow import release_id
from domain.models import OptOut
from domain.opt_out import Facts
from domain.wire import read

if TYPE_CHECKING:
    from adapters.github import GitHub


def judge(rule: OptOutRule, facts: Facts, repository: str, github: GitHub, blobs: Blobs) -> OptOut:
    """Let the policy judge an opt-out, with what has to be asked for."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    overdue = debts.overdue(debts.open_debts(blobs, repository), now)
    return opt_out.judge(rule, facts, _may(rule.allowed, facts.by, github), overdue)


def rule_in_force(blobs: Blobs, repository: str) -> OptOutRule:
    """Return the policy of the newest release that had one; the defaults before the first release."""
    released = commits.on_branch(blobs, repository).released
    for place in sorted(released, key=attrgetter("position"), reverse=True):
        kept = blobs.read_json(blob_names.opt_outs(release_id(repository, place.sha)))
        if kept and kept["rule"]:
            return read(OptOutRule, kept["rule"])
    return OptOutRule()


def _may(allowed: Sequence[str], login: str, github: GitHub) -> bool:
    people = {name.casefold() for name in allowed if "/" not in name}
    teams = [name for name in allowed if "/" in name]
    return not allowed or login.casefold() in people or any(_in_team(team, login, github) for team in teams)


def _in_team(team: str, login: str, github: GitHub) -> bool:
    try:
        members = github.team_members(*team.split("/"))
    except NotFound:
        return False  # the refusal names the team; nobody is let in by a team that is not there
    return login.casefold() in {member.casefold() for member in members}
