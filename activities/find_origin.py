"""Find which changes a commit brings, who wrote them, and which of them may skip the full evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import azure.durable_functions as df

from adapters import audit, branch_order, carriers, commits, connect, opt_outs
from adapters.blobs import Blobs
from domain import blob_names
from domain.audit import What
from domain.branch_line import Compared, Place, following, position
from domain.config import OptOutRule
from domain.errors import DrawbridgeError, Unavailable, as_answer
from domain.git_flow import release_id
from domain.models import OptOut, Origin
from domain.wire import read
from settings import current

if TYPE_CHECKING:
    from adapters.github import GitHub

bp = df.Blueprint()

# GitHub may link a commit to the change that it was merged with only some time after it told of the push. An edit in
# the browser looks the same and waits in vain, so not for long: approvals look again, see open_approval.with_people.
LOOKS, LOOK_AGAIN = 4, 5.0  # at most, for such a link; seconds between two, which the story makes longer each time


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
    before = _begin(wanted, github, blobs)
    found = github.find_origin(repository, sha, before, rule.label if rule else "", wanted["branch"])
    if found.origin.unlinked and _looks(wanted["release"], blobs) < LOOKS:
        raise Unavailable(f"GitHub does not name the change yet that {sha[:7]} came with.", LOOK_AGAIN)
    judged = [opt_outs.judge(rule, facts, repository, github, blobs) for facts in found.facts] if rule else []
    _remember(wanted, found.origin, judged, blobs)
    placed = _place(wanted, found.origin.position, github, blobs)
    commits.note_released(blobs, repository, placed)
    # Last: a toggle that finds its carrier finds all it needs.
    carried = [change.number for change in found.origin.changes]
    is_newer = partial(branch_order.is_newer, github, repository, wanted["branch"], mine=placed)
    carriers.take(blobs, repository, carried, wanted["release"], placed, is_newer)
    return replace(
        found.origin,
        opt_outs=tuple(one for one in judged if not one.refused),
        refused=tuple(one for one in judged if one.refused),
        position=placed.position,
    )


def _looks(release: str, blobs: Blobs) -> int:
    """Count a look for the change that the commit came with, and return how many there were."""
    name = blob_names.looks_for_change(release)
    return int(blobs.change_json(name, lambda kept: {"looks": (kept["looks"] if kept else 0) + 1})["looks"])


def _remember(wanted: dict[str, Any], origin: Origin, judged: Sequence[OptOut], blobs: Blobs) -> None:
    """Keep what later toggles need. A release that runs again finds what toggles have made of it meanwhile."""
    release = wanted["release"]
    kept: dict[str, Any] = {str(change.number): None for change in origin.changes}
    kept |= {str(one.change): asdict(one) for one in judged}
    blobs.create_json(blob_names.opt_outs(release), {"rule": wanted["rule"], "changes": kept})
    for one in judged:
        what: What = "opt-out-refused" if one.refused else "opt-out"
        details = {"change": str(one.change), "label": one.label, "reason": one.reason, "refused": one.refused}
        audit.record(
            blobs, key=f"{release}:{what}:{one.change}", what=what, who=one.by, subject=release, details=details
        )


def _begin(wanted: dict[str, Any], github: GitHub, blobs: Blobs) -> str:
    """Return where the release's changes begin; asked again, the same, although others have started since."""
    name = blob_names.beginning(wanted["release"])
    if not blobs.exists(name):
        begins = _heard_of(wanted["repository"], wanted["before"], github, blobs)
        blobs.create_json(name, {"before": begins})  # whoever is first says it for all
    return str(blobs.read_json(name)["before"])


def _heard_of(repository: str, before: str, github: GitHub, blobs: Blobs) -> str:
    """Return the newest commit up to `before` that has a release; `before` itself when none has.

    Otherwise the changes of a push whose webhook was lost would be in production, and no release would carry them.
    """

    def is_claimed(sha: str) -> bool:
        return blobs.exists(blob_names.claim(release_id(repository, sha)))

    if not before.strip("0") or is_claimed(before):
        return before
    return next((sha for sha in github.first_parents(repository, before) if is_claimed(sha)), before)


def _place(wanted: dict[str, Any], count: int, github: GitHub, blobs: Blobs) -> Place:
    """Give the commit its place on the branch, and remember the newest one."""
    repository, sha = wanted["repository"], wanted["sha"]
    placed: list[Place] = []

    def step(kept: Any) -> Any:
        # Asked in here, for the very line that is replaced: two that were placed at once would share a generation.
        line = read(Place, kept) if kept else Place()
        compared = branch_order.compare(github, repository, wanted["branch"], sha, line.sha) if line.sha else Compared()
        placed.append(Place(sha, position(line, count, compared)))
        return asdict(following(line, placed[-1]))

    blobs.change_json(blob_names.line(repository), step)
    return placed[-1]
