"""Find which changes a commit brings, who wrote them, and which of them may skip the full evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import azure.durable_functions as df

from adapters import audit, connect, debts
from adapters.blobs import Blobs
from domain import blob_names, opt_out
from domain.config import OptOutRule
from domain.errors import DrawbridgeError, NotFound, as_answer
from domain.git_flow import place
from domain.models import OptOut, Origin
from domain.opt_out import Facts
from domain.wire import read
from settings import current

if TYPE_CHECKING:
    from adapters.github import GitHub

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def find_origin(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"origin"}, or {"error"}, or {"retry_after"}.

    Input: {"release", "repository", "sha", "before", "branch", "rule": the config's opt_out, null without a config}.
    """
    settings = current()
    try:
        return {"origin": asdict(find(payload, connect.github(settings), connect.blobs(settings)))}
    except DrawbridgeError as error:
        return as_answer(error)


def find(wanted: dict[str, Any], github: GitHub, blobs: Blobs) -> Origin:
    """Ask GitHub, let the policy judge the opt-outs, and keep which release carries which change."""
    rule = read(OptOutRule, wanted["rule"]) if wanted["rule"] else None
    repository, sha = wanted["repository"], wanted["sha"]
    found = github.find_origin(repository, sha, wanted["before"], rule.label if rule else "", wanted["branch"])
    judged = [judge(rule, facts, repository, github, blobs) for facts in found.facts] if rule else []
    _remember(wanted, found.origin, judged, blobs)
    return replace(
        found.origin,
        opt_outs=tuple(one for one in judged if not one.refused),
        refused=tuple(one for one in judged if one.refused),
        position=place(_rewrites(repository, sha, found.rewritten, blobs), found.origin.position),
    )


def judge(rule: OptOutRule, facts: Facts, repository: str, github: GitHub, blobs: Blobs) -> OptOut:
    """Let the policy judge an opt-out, with what has to be asked for."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    overdue = debts.overdue(debts.all_debts(blobs, repository), now)
    return opt_out.judge(rule, facts, _may(rule.allowed, facts.by, github), overdue)


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


def _remember(wanted: dict[str, Any], origin: Origin, judged: Sequence[OptOut], blobs: Blobs) -> None:
    """Keep what later toggles need. A release that runs again finds what toggles have made of it meanwhile."""
    release = wanted["release"]
    kept: dict[str, Any] = {str(change.number): None for change in origin.changes}
    kept |= {str(one.change): asdict(one) for one in judged}
    blobs.create_json(blob_names.opt_outs(release), {"rule": wanted["rule"], "changes": kept})
    for change in origin.changes:
        blobs.write_json(blob_names.carrier(wanted["repository"], change.number), {"release": release})
    for one in judged:
        what = "opt-out-refused" if one.refused else "opt-out"
        details = {"change": str(one.change), "label": one.label, "reason": one.reason, "refused": one.refused}
        audit.record(
            blobs, key=f"{release}:{what}:{one.change}", what=what, who=one.by, subject=release, details=details
        )


def _rewrites(repository: str, sha: str, rewritten: bool, blobs: Blobs) -> int:
    """Return how often the branch had been rewritten when this commit came, counting its own push."""

    def count(kept: Any) -> Any:
        known = list(kept["rewrites"]) if kept else []
        return {"rewrites": [*known, sha] if rewritten and sha not in known else known}

    known = blobs.change_json(blob_names.line(repository), count)["rewrites"]
    return known.index(sha) + 1 if sha in known else len(known)
