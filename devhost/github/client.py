"""A small synchronous client for the double's controls: what people do on GitHub, done by a script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

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
    ) -> dict[str, Any]:
        """Open a pull request; its `number` names it from then on."""
        fields = {"head": head, "base": base, "title": title, "body": body, "author": author, "labels": list(labels)}
        return self._dict("POST", f"repositories/{repository}/pulls", fields)

    def add_label(self, repository: str, number: int, label: str, by: str) -> dict[str, Any]:
        """Put a label on a pull request."""
        return self._act(repository, number, "label", label=label, by=by)

    def remove_label(self, repository: str, number: int, label: str, by: str) -> dict[str, Any]:
        """Take a label off a pull request."""
        return self._act(repository, number, "unlabel", label=label, by=by)

    def comment(self, repository: str, number: int, body: str, by: str) -> dict[str, Any]:
        """Comment on a pull request."""
        return self._act(repository, number, "comment", body=body, by=by)

    def merge(self, repository: str, number: int, by: str, method: str = "merge") -> dict[str, Any]:
        """Merge a pull request (merge, squash or rebase); `merge_commit_sha` is what main then has."""
        return self._act(repository, number, "merge", method=method, by=by)

    def close(self, repository: str, number: int, by: str) -> dict[str, Any]:
        """Close a pull request without merging it."""
        return self._act(repository, number, "close", by=by)

    def pull(self, repository: str, number: int) -> dict[str, Any]:
        """Give a pull request with its `comments`, and `statuses`, `deployments`, `commit_comments` of its commits."""
        return self._dict("GET", f"repositories/{repository}/pulls/{number}")

    def commit(self, repository: str, ref: str) -> dict[str, Any]:
        """Give a commit with its `statuses`, `deployments` and `commit_comments`."""
        return self._dict("GET", f"repositories/{repository}/commits/{ref}")

    def deliveries(self) -> list[dict[str, Any]]:
        """List every webhook delivery, oldest first."""
        return list(self._call("GET", "deliveries"))

    def redeliver(self, delivery: int) -> dict[str, Any]:
        """Send a delivery again, by its `id` in the log, under the same X-GitHub-Delivery."""
        return self._dict("POST", f"deliveries/{delivery}/redeliver")

    def fault(self, **fields: Any) -> None:
        """Let coming API requests fail; see devhost.github.faults.Fault for the fields."""
        self._call("POST", "faults", fields)

    def clear_faults(self) -> None:
        """Let every request pass again."""
        self._call("DELETE", "faults")

    def requests(self) -> list[dict[str, Any]]:
        """List the last API requests (method, path, authorized), oldest first."""
        return list(self._call("GET", "requests"))

    def _act(self, repository: str, number: int, act: str, **fields: str) -> dict[str, Any]:
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
