"""How a stage stands on a commit: a check run when signed in as the App, else a commit status.

What was skipped is never green: GitHub counts the conclusions success, neutral and skipped as passing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from github.CheckRun import CheckRun
from github.GithubObject import NotSet

from adapters.github_changes import newest_statuses
from adapters.github_limits import SUMMARY, check_sha, clean, cut, remark, short
from adapters.github_writes import Pen
from domain.outbox import ANNOTATIONS, Annotation, Status, Written

COMPLETED, IN_PROGRESS = "completed", "in_progress"

_STATUSES = {
    "waiting": "pending",
    "running": "pending",
    "passed": "success",
    "failed": "failure",
    "inconclusive": "error",
    "skipped": "pending",  # the only state that is neither green nor red
    "rejected": "failure",
    "expired": "failure",
    "superseded": "error",
    "cancelled": "error",
}

_CONCLUSIONS = {
    "waiting": "action_required",  # where people decide; elsewhere it is in progress
    "passed": "success",
    "failed": "failure",
    "inconclusive": "action_required",
    "skipped": "action_required",
    "rejected": "failure",
    "expired": "timed_out",
    "superseded": "cancelled",
    "cancelled": "cancelled",
}


def write_mark(pen: Pen, wanted: Status) -> Written:
    """Say how a stage stands, as natively as our sign-in may."""
    return _write_check(pen, wanted) if pen.app else _write_status(pen, wanted)


def _write_status(pen: Pen, wanted: Status) -> Written:
    commit = pen.place.get_commit(check_sha(wanted.sha))
    state, description = _STATUSES[wanted.state], short(wanted.description)
    newest = next((one for one in newest_statuses(commit) if one.context == wanted.context), None)
    said = newest and (newest.state, newest.description or "", newest.target_url or "")
    if newest is None or said != (state, description, wanted.url):
        pen.spend()
        newest = commit.create_status(state, wanted.url or NotSet, description, wanted.context)
    return Written(newest.id, newest.url)


def _write_check(pen: Pen, wanted: Status) -> Written:
    run = _find_check(pen, wanted)
    fields = _fields(wanted if pen.buttons else replace(wanted, buttons=()))
    lots = _lots(wanted.annotations, run)
    if run is None:
        pen.spend()
        output = {**fields["output"], **_annotations(lots.pop(0) if lots else [])}
        run = pen.place.create_check_run(wanted.context, wanted.sha, **{**fields, "output": output})
    elif pen.told or lots or not _says(run, wanted, fields):
        pen.spend()
        output = {**fields["output"], **_annotations(lots.pop(0) if lots else [])}
        run.edit(**{**fields, "output": output})
    for lot in lots:
        pen.spend()
        run.edit(output={**fields["output"], **_annotations(lot)})
    return Written(run.id, run.html_url or "", fields["status"] == IN_PROGRESS)


def _find_check(pen: Pen, wanted: Status) -> CheckRun | None:
    """Find our check run of this release or change. A stage that runs again after its end gets a new one."""
    newest = pen.place.get_commit(check_sha(wanted.sha)).get_check_runs(check_name=wanted.context)
    ours = (one for one in newest if f"{one.app.slug}[bot]" == pen.me())
    found = next((one for one in ours if (one.external_id or "") == wanted.external_id), None)
    again = found and found.status == COMPLETED and _status(wanted) == IN_PROGRESS
    return None if again else found


def _fields(wanted: Status) -> dict[str, Any]:
    summary = cut(clean(wanted.summary) or short(wanted.description), SUMMARY, wanted.url)
    status = _status(wanted)
    return {
        "details_url": wanted.url or NotSet,
        "external_id": wanted.external_id or NotSet,
        "status": status,
        "conclusion": _CONCLUSIONS[wanted.state] if status == COMPLETED else NotSet,
        "output": {"title": short(wanted.description), "summary": summary},
        "actions": [
            {"identifier": one.identifier, "label": one.label, "description": one.description} for one in wanted.buttons
        ],
    }


def _status(wanted: Status) -> str:
    """Say whether a stage still runs. One that waits for people is over: GitHub would call it stale in 14 days."""
    stage = wanted.context.rpartition("/")[2]
    people_decide = stage.startswith("approve-") or stage == "override"
    open_ = wanted.state == "running" or (wanted.state == "waiting" and not people_decide)
    return IN_PROGRESS if open_ else COMPLETED


def _says(run: CheckRun, wanted: Status, fields: dict[str, Any]) -> bool:
    conclusion = _CONCLUSIONS[wanted.state] if fields["status"] == COMPLETED else None
    output = fields["output"]["title"], fields["output"]["summary"]
    said = run.status, run.conclusion, run.details_url or "", run.output.title, run.output.summary
    return said == (fields["status"], conclusion, wanted.url, *output)


def _lots(wanted: tuple[Annotation, ...], run: CheckRun | None) -> list[list[dict[str, Any]]]:
    """Pack what is not there yet: GitHub adds each request's annotations to those before."""
    there = {(one.path, one.start_line, one.message) for one in run.get_annotations()} if run and wanted else set()
    missing = [_annotation(one) for one in wanted if (one.path, one.line, remark(one.text)) not in there]
    return [missing[start : start + ANNOTATIONS] for start in range(0, len(missing), ANNOTATIONS)]


def _annotation(one: Annotation) -> dict[str, Any]:
    place = {"path": one.path, "start_line": one.line, "end_line": one.line}
    return {**place, "annotation_level": one.level, "message": remark(one.text)}


def _annotations(lot: list[dict[str, Any]]) -> dict[str, Any]:
    return {"annotations": lot} if lot else {}
