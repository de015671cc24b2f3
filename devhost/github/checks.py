"""Check runs: what Apps say about a commit, with buttons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from devhost.github import limits
from devhost.github.double import Double
from devhost.github.refusals import Refused
from devhost.github.store import Record, now

_GIVEN = ("name", "external_id", "details_url", "started_at")


def of_commit(double: Double, repository: str, sha: str, latest: bool = True) -> list[Record]:
    """List a commit's check runs, newest first; with `latest` one of each name and App."""
    runs = double.store.all("check_run", repository, sha=sha)[::-1]
    newest: dict[tuple[str, str], Record] = {}
    for run in runs:
        newest.setdefault((run["app"], run["name"]), run)
    return list(newest.values()) if latest else runs


def find(double: Double, repository: Record, number: int) -> Record:
    """Find a check run by its id."""
    found = double.store.by_id("check_run", repository["repository"], number)
    if found is None:
        raise Refused(404, "Not Found")
    return found


def suite_of(double: Double, run: Record) -> Record:
    """Give the suite a run belongs to: one of each App and commit."""
    return find_suite(double, run, run["suite"])


def find_suite(double: Double, repository: Record, number: int) -> Record:
    """Find a check suite by its id."""
    found = double.store.by_id("check_suite", repository["repository"], number)
    if found is None:
        raise Refused(404, "Not Found")
    return found


def create(double: Double, repository: Record, app: str, fields: Mapping[str, Any]) -> Record:
    """Let an App say something new about a commit."""
    for name in ("name", "head_sha"):
        if not fields.get(name):
            raise Refused(422, f'Invalid request.\n\n"{name}" wasn\'t supplied.')
    limits.check_check_run(fields)
    sha = double.git(repository).resolve(str(fields["head_sha"]))
    if sha is None:
        raise Refused(422, f"No commit found for SHA: {fields['head_sha']}")
    run = double.store.add(
        "check_run",
        repository["repository"],
        sha=sha,
        app=app,
        suite=_suite(double, repository, app, sha)["id"],
        name=fields["name"],
        external_id="",
        details_url="",
        status="queued",
        conclusion=None,
        started_at=now(),
        completed_at=None,
        output={},
        annotations=[],
        actions=[],
    )
    _apply(double, run, fields)
    sender = f"{app}[bot]"
    double.emit("check_run", "created", repository, {"run": run, "sender": sender})
    _tell_completed(double, repository, run, "", sender)
    return run


def update(double: Double, repository: Record, run: Record, app: str, fields: Mapping[str, Any]) -> Record:
    """Let the App that made a run say how it goes on."""
    if run["app"] != app:
        raise Refused(403, "Invalid app_id - check run can only be modified by the GitHub App that created it.")
    limits.check_check_run(fields)
    before = run["status"]
    _apply(double, run, fields)
    _tell_completed(double, repository, run, before, f"{app}[bot]")
    return run


def _apply(double: Double, run: Record, fields: Mapping[str, Any]) -> None:
    status, conclusion = fields.get("status") or run["status"], fields.get("conclusion")
    if fields.get("status") == "completed" and conclusion is None and run["conclusion"] is None:
        raise Refused(422, 'Invalid request.\n\n"conclusion" wasn\'t supplied.')
    if conclusion is not None or fields.get("completed_at"):
        status = "completed"
    done = status == "completed"
    run.update({name: fields[name] for name in _GIVEN if fields.get(name) is not None})
    run.update(
        status=status,
        conclusion=(conclusion or run["conclusion"]) if done else None,
        completed_at=(fields.get("completed_at") or run["completed_at"] or now()) if done else None,
        actions=fields["actions"] if "actions" in fields else run["actions"],
    )
    output = fields.get("output") or {}
    run["annotations"] = [*run["annotations"], *output.get("annotations", [])]
    kept = {name: value for name, value in output.items() if name in ("title", "summary", "text")}
    run["output"] = kept if output else run["output"]
    double.store.save(run)


def _suite(double: Double, repository: Record, app: str, sha: str) -> Record:
    name = repository["repository"]
    known = double.store.one("check_suite", name, sha=sha, app=app)
    heads = double.git(repository).heads()
    branch = next((head for head, tip in sorted(heads.items()) if tip == sha), None)
    return known or double.store.add("check_suite", name, sha=sha, app=app, branch=branch, created_at=now())


def _tell_completed(double: Double, repository: Record, run: Record, before: str, sender: str) -> None:
    if run["status"] == "completed" and before != "completed":
        double.emit("check_run", "completed", repository, {"run": run, "sender": sender})


def rerequest(double: Double, repository: Record, run: Record, by: str) -> None:
    """Press Re-run; only what is over can be run again."""
    if run["status"] != "completed":
        raise Refused(422, "This check run is not complete, and cannot be rerequested.")
    double.emit("check_run", "rerequested", repository, {"run": run, "sender": by})


def rerequest_all(double: Double, repository: Record, suite: Record, by: str) -> None:
    """Press Re-run all checks; only a suite whose runs are all over can be run again."""
    runs = double.store.all("check_run", repository["repository"], suite=suite["id"])
    if any(run["status"] != "completed" for run in runs):
        raise Refused(422, "This check suite is not complete, and cannot be rerequested.")
    double.emit("check_suite", "rerequested", repository, {"suite": suite, "sender": by})


def press(double: Double, repository: Record, run: Record, identifier: str, by: str) -> None:
    """Press a button the App put on its run."""
    if identifier not in (action["identifier"] for action in run["actions"]):
        raise Refused(422, f"The check run has no button {identifier!r}")
    told = {"run": run, "sender": by, "identifier": identifier}
    double.emit("check_run", "requested_action", repository, told)


def report(double: Double, repository: Record, app: str, fields: Mapping[str, Any]) -> Record:
    """Let another App say how its check stands; a run of that name that is not over goes on."""
    sha = double.commit_sha(repository, str(fields["head_sha"]))
    known = of_commit(double, repository["repository"], sha)
    going = (
        run for run in known if (run["app"], run["name"]) == (app, fields["name"]) and run["status"] != "completed"
    )
    run = next(going, None)
    return update(double, repository, run, app, fields) if run else create(double, repository, app, fields)


def report_workflow(double: Double, repository: Record, sha: str, name: str, conclusion: str, by: str) -> Record:
    """Let a workflow of GitHub Actions end."""
    suite = _suite(double, repository, "github-actions", sha)
    run = double.store.add(
        "workflow_run",
        repository["repository"],
        name=name,
        sha=sha,
        branch=suite["branch"] or repository["default_branch"],
        suite=suite["id"],
        conclusion=conclusion,
        actor=by,
        created_at=now(),
        updated_at=now(),
    )
    double.emit("workflow_run", "completed", repository, {"run": run, "sender": by})
    return run
