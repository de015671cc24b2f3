"""A small synchronous client for the double's controls: what people do on GitHub, done by a script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

SECONDS = 60.0


class DoubleError(Exception):
    """The double refused; the message is what it said."""


class Client:
    """Talks to a running double at `origin`, e.g. http://127.0.0.1:8070. Answers are GitHub's JSON as dicts."""

    def __init__(self, origin: str) -> None:
        self.origin = origin.rstrip("/")

    def healthy(self) -> bool:
        """Say whether the double answers."""
        try:
            return bool(self._call("GET", "health")["ok"])
        except (requests.RequestException, DoubleError):
            return False

    def create_repository(
        self, name: str, from_dir: Path | None = None, branches: Iterable[str] = ("main",), author: str = "ghost"
    ) -> dict[str, Any]:
        """Make `owner/name` of a directory's files; the first branch is the default, `clone_path` its git directory."""
        directory = str(from_dir.resolve()) if from_dir else ""
        fields = {"name": name, "from_dir": directory, "branches": list(branches), "author": author}
        return self._dict("POST", "repositories", fields)

    def repository(self, name: str) -> dict[str, Any]:
        """Give a repository with its `heads` (branch → sha) and `clone_path`. Raises DoubleError without one."""
        return self._dict("GET", f"repositories/{name}")

    def push(
        self,
        repository: str,
        branch: str,
        files: Mapping[str, str | None],
        message: str = "Change files",
        author: str = "ghost",
        base: str | None = None,
        force: bool = False,
    ) -> str:
        """Push a commit that writes the files (None deletes one) and give its sha.

        A branch that is not there yet starts at `base`, else at the default branch; `force` restarts it at `base`.
        """
        fields = {"branch": branch, "files": dict(files), "message": message, "author": author}
        return str(
            self._dict("POST", f"repositories/{repository}/commits", {**fields, "base": base, "force": force})["sha"]
        )

    def open_pull_request(
        self,
        repository: str,
        head: str,
        title: str,
        body: str = "",
        author: str = "ghost",
        labels: Iterable[str] = (),
        base: str = "main",
        draft: bool = False,
    ) -> dict[str, Any]:
        """Open a pull request; its `number` names it from then on. A fork's head is `owner:branch`."""
        fields = {"head": head, "base": base, "title": title, "body": body, "author": author, "labels": list(labels)}
        return self._dict("POST", f"repositories/{repository}/pulls", {**fields, "draft": draft})

    def add_label(self, repository: str, number: int, label: str, by: str) -> dict[str, Any]:
        """Put a label on a pull request or issue."""
        return self._act(repository, number, "label", label=label, by=by)

    def remove_label(self, repository: str, number: int, label: str, by: str) -> dict[str, Any]:
        """Take a label off a pull request or issue."""
        return self._act(repository, number, "unlabel", label=label, by=by)

    def rename_label(self, repository: str, label: str, new_name: str, by: str = "ghost") -> None:
        """Rename a label wherever it is."""
        self._call(
            "POST", f"repositories/{repository}/labels/{quote(label, safe='')}", {"new_name": new_name, "by": by}
        )

    def comment(self, repository: str, number: int, body: str, by: str) -> dict[str, Any]:
        """Comment on a pull request or issue; the comment's `id` is in the last of its `comments`."""
        return self._act(repository, number, "comment", body=body, by=by)

    def edit_comment(self, repository: str, comment: int, body: str, by: str) -> None:
        """Replace a comment's text, by its id."""
        self._call("POST", f"repositories/{repository}/comments/{comment}/edit", {"body": body, "by": by})

    def delete_comment(self, repository: str, comment: int, by: str) -> None:
        """Delete a comment, by its id."""
        self._call("POST", f"repositories/{repository}/comments/{comment}/delete", {"by": by})

    def edit(
        self, repository: str, number: int, by: str, title: str | None = None, body: str | None = None
    ) -> dict[str, Any]:
        """Change the title or text of a pull request or issue."""
        return self._act(repository, number, "edit", title=title, body=body, by=by)

    def merge(self, repository: str, number: int, by: str, method: str = "merge") -> dict[str, Any]:
        """Merge a pull request (merge, squash or rebase); `merge_commit_sha` is what main then has."""
        return self._act(repository, number, "merge", method=method, by=by)

    def queue(self, repository: str, numbers: Iterable[int], by: str, base: str = "main") -> list[dict[str, Any]]:
        """Put pull requests into the merge queue, each built on the one before: `head`, on a `branch`."""
        fields = {"numbers": list(numbers), "base": base, "by": by}
        return list(self._call("POST", f"repositories/{repository}/queue", fields))

    def leave_queue(self, repository: str, branch: str, reason: str = "dequeued") -> None:
        """Let the queue give up what is on one of its branches: dequeued or invalidated."""
        self._call("POST", f"repositories/{repository}/queue/leave", {"branch": branch, "reason": reason})

    def land_queue(self, repository: str, branch: str) -> None:
        """Let the queue merge, by one push, what is on one of its branches."""
        self._call("POST", f"repositories/{repository}/queue/land", {"branch": branch})

    def close(self, repository: str, number: int, by: str) -> dict[str, Any]:
        """Close a pull request without merging it, or an issue."""
        return self._act(repository, number, "close", by=by)

    def reopen(self, repository: str, number: int, by: str) -> dict[str, Any]:
        """Open a closed pull request or issue again."""
        return self._act(repository, number, "reopen", by=by)

    def ready(self, repository: str, number: int, by: str) -> dict[str, Any]:
        """Mark a draft ready for review."""
        return self._act(repository, number, "ready", by=by)

    def to_draft(self, repository: str, number: int, by: str) -> dict[str, Any]:
        """Turn a pull request back into a draft."""
        return self._act(repository, number, "draft", by=by)

    def review(self, repository: str, number: int, by: str, state: str, body: str = "") -> dict[str, Any]:
        """Review a pull request: APPROVED, CHANGES_REQUESTED, COMMENTED or DISMISSED."""
        return self._act(repository, number, "review", by=by, state=state, body=body)

    def request_review(self, repository: str, number: int, logins: Iterable[str]) -> dict[str, Any]:
        """Ask people, and nobody else, to review a pull request."""
        return self._dict("POST", f"repositories/{repository}/pulls/{number}/reviewers", {"logins": list(logins)})

    def open_issue(
        self, repository: str, title: str, body: str = "", author: str = "ghost", labels: Iterable[str] = ()
    ) -> dict[str, Any]:
        """Open an issue."""
        fields = {"title": title, "body": body, "author": author, "labels": list(labels)}
        return self._dict("POST", f"repositories/{repository}/issues", fields)

    def fork(self, repository: str, owner: str) -> dict[str, Any]:
        """Make `owner`'s fork; push to its `full_name`, and open pull requests with head `owner:branch`."""
        return self._dict("POST", f"repositories/{repository}/fork", {"owner": owner})

    def move_branch(self, repository: str, branch: str, to: str, by: str = "ghost") -> None:
        """Put a branch at a commit, wherever it was: a forced push, or a new branch."""
        self._call("POST", f"repositories/{repository}/branches", {"branch": branch, "to": to, "by": by})

    def delete_branch(self, repository: str, branch: str, by: str = "ghost") -> None:
        """Delete a branch; pull requests from it or into it are closed."""
        self._call("POST", f"repositories/{repository}/branches", {"branch": branch, "to": None, "by": by})

    def rename_repository(self, repository: str, new_name: str, by: str = "ghost") -> dict[str, Any]:
        """Rename a repository (`owner/name`); the old name leads to it."""
        return self._dict("POST", f"repositories/{repository}/rename", {"new_name": new_name, "by": by})

    def delete_repository(self, repository: str, by: str = "ghost") -> None:
        """Delete a repository."""
        self._call("POST", f"repositories/{repository}/delete", {"by": by})

    def report_check(
        self, repository: str, sha: str, name: str, conclusion: str | None, app: str = "ci"
    ) -> dict[str, Any]:
        """Let another App's check on a commit start (conclusion None) or end."""
        state = {"conclusion": conclusion} if conclusion else {"status": "in_progress"}
        fields = {"head_sha": sha, "name": name, "app": app, **state}
        return self._dict("POST", f"repositories/{repository}/check-runs", fields)

    def report_status(
        self, repository: str, sha: str, context: str, state: str, description: str = "", by: str = "ci"
    ) -> dict[str, Any]:
        """Let somebody set a commit status: error, failure, pending or success."""
        fields = {"context": context, "state": state, "description": description, "by": by}
        return self._dict("POST", f"repositories/{repository}/statuses/{sha}", fields)

    def report_workflow(
        self, repository: str, sha: str, name: str, conclusion: str, by: str = "ghost"
    ) -> dict[str, Any]:
        """Let a workflow of GitHub Actions end."""
        fields = {"head_sha": sha, "name": name, "conclusion": conclusion, "by": by}
        return self._dict("POST", f"repositories/{repository}/workflow-runs", fields)

    def rerequest(self, repository: str, check_run_id: int, by: str) -> None:
        """Press Re-run on a check run that is over."""
        self._call("POST", f"repositories/{repository}/check-runs/{check_run_id}/rerequest", {"by": by})

    def rerequest_all(self, repository: str, check_suite_id: int, by: str) -> None:
        """Press Re-run all checks of a suite whose runs are over."""
        self._call("POST", f"repositories/{repository}/check-suites/{check_suite_id}/rerequest", {"by": by})

    def press(self, repository: str, check_run_id: int, identifier: str, by: str) -> None:
        """Press a button that an App put on its check run."""
        fields = {"identifier": identifier, "by": by}
        self._call("POST", f"repositories/{repository}/check-runs/{check_run_id}/press", fields)

    def pull(self, repository: str, number: int) -> dict[str, Any]:
        """Give a pull request (or issue) with its `comments`, and of its commits what `commit` gives."""
        return self._dict("GET", f"repositories/{repository}/pulls/{number}")

    def commit(self, repository: str, ref: str) -> dict[str, Any]:
        """Give a commit with its `statuses`, `check_runs` (the latest), `deployments` and `commit_comments`."""
        return self._dict("GET", f"repositories/{repository}/commits/{ref}")

    def deliveries(self) -> list[dict[str, Any]]:
        """List every webhook delivery, oldest first."""
        return list(self._call("GET", "deliveries"))

    def redeliver(self, delivery: int) -> dict[str, Any]:
        """Send a delivery again, by its `id` in the log, under the same X-GitHub-Delivery."""
        return self._dict("POST", f"deliveries/{delivery}/redeliver")

    def set_permission(self, repository: str, login: str, role: str) -> None:
        """Give somebody a role on a repository: none, read, triage, write, maintain, admin."""
        self._call("POST", f"repositories/{repository}/roles", {"login": login, "role": role})

    def set_team(self, organization: str, slug: str, members: Iterable[str]) -> None:
        """Say who is in a team, in place of what was said before."""
        fields = {"organization": organization, "slug": slug, "members": list(members)}
        self._call("POST", "teams", fields)

    def set_app_permissions(self, **permissions: str) -> None:
        """Say what the App may do, e.g. checks="write", in place of everything it may by itself."""
        self._call("POST", "app/permissions", permissions)

    def protect(
        self,
        repository: str,
        branch: str,
        checks: Iterable[str] = (),
        reviews: int = 0,
        by_rules: bool = False,
        queue: bool = False,
    ) -> None:
        """Protect a branch: required checks by name, required approving reviews; by rules also a merge queue."""
        fields = {"branch": branch, "checks": list(checks), "reviews": reviews, "by_rules": by_rules, "queue": queue}
        self._call("POST", f"repositories/{repository}/protection", fields)

    def set_rates(self, per_hour: int = 5000, writes_per_minute: int = 0) -> None:
        """Set the rate limits (0 writes a minute: no secondary limit) and forget what was used."""
        self._call("POST", "rates", {"per_hour": per_hour, "writes_per_minute": writes_per_minute})

    def lose_webhooks(self, times: int = 1, status: int = 502) -> None:
        """Let the next deliveries fail with a status and never arrive; with status 0 not even the log has them."""
        self._call("POST", "deliveries/lose", {"times": times, "status": status})

    def fault(self, **fields: Any) -> None:
        """Let coming API requests fail; see devhost.github.faults.Fault for the fields."""
        self._call("POST", "faults", fields)

    def clear_faults(self) -> None:
        """Let every request pass again."""
        self._call("DELETE", "faults")

    def requests(self) -> list[dict[str, Any]]:
        """List the last API requests (method, path, authorized, status), oldest first."""
        return list(self._call("GET", "requests"))

    def findings(self) -> list[str]:
        """List what was not as GitHub publishes it since the last look, when the double was started with `check`."""
        found = list(self._call("GET", "findings"))
        self._call("DELETE", "findings")
        return found

    def _act(self, repository: str, number: int, act: str, **fields: str | None) -> dict[str, Any]:
        return self._dict("POST", f"repositories/{repository}/pulls/{number}/{act}", fields)

    def _dict(self, method: str, path: str, fields: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return dict(self._call(method, path, fields))

    def _call(self, method: str, path: str, fields: Mapping[str, Any] | None = None) -> Any:
        with requests.Session() as session:
            session.trust_env = False  # a proxy of the network does not know our loopback
            reply = session.request(method, f"{self.origin}/_double/{path}", json=fields, timeout=SECONDS)
        if not reply.ok:
            raise DoubleError(f"The GitHub double answered {reply.status_code}: {reply.text[:500]}")
        return reply.json()
