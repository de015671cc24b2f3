"""The JSON GitHub answers and delivers, made from the double's records."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from devhost.github.git import ZEROS, Commit, FileChange, Person
from devhost.github.store import Record

Json = dict[str, Any]


class Shapes:
    """GitHub's shapes, with links below `origin`, where the double listens."""

    def __init__(self, origin: str) -> None:
        self.origin = origin

    def api(self, repository: Record, path: str = "") -> str:
        """Where the API has a repository's thing."""
        return f"{self.origin}/repos/{repository['repository']}{path}"

    def page(self, repository: Record, path: str = "") -> str:
        """Where people see a repository's thing."""
        return f"{self.origin}/{repository['repository']}{path}"

    def user(self, login: str | None) -> Json | None:
        """A person or an app, by login."""
        if login is None:
            return None
        number = int.from_bytes(hashlib.sha256(login.encode("utf-8", "replace")).digest()[:4], "big")
        name = quote(login, safe="[]")
        return {
            "login": login,
            "id": number,
            "node_id": f"U_{number}",
            "type": "Bot" if login.endswith("[bot]") else "User",
            "site_admin": False,
            "url": f"{self.origin}/users/{name}",
            "html_url": f"{self.origin}/{name}",
        }

    def repository(self, repository: Record) -> Json:
        """A repository."""
        owner, name = repository["repository"].split("/")
        return {
            "id": repository["id"],
            "node_id": f"R_{repository['id']}",
            "name": name,
            "full_name": repository["repository"],
            "private": True,
            "owner": self.user(owner),
            "html_url": self.page(repository),
            "url": self.api(repository),
            "default_branch": repository["default_branch"],
            "created_at": repository["created_at"],
        }

    def label(self, repository: Record, name: str) -> Json:
        """A label, as it hangs on a pull request."""
        url = self.api(repository, f"/labels/{quote(name, safe='')}")
        return {"name": name, "color": "ededed", "description": None, "default": False, "url": url}

    def pull(self, repository: Record, pull: Record) -> Json:
        """A pull request in full."""
        number = pull["number"]
        return {
            "id": pull["id"],
            "node_id": f"PR_{pull['id']}",
            "number": number,
            "url": self.api(repository, f"/pulls/{number}"),
            "html_url": self.page(repository, f"/pull/{number}"),
            "issue_url": self.api(repository, f"/issues/{number}"),
            "comments_url": self.api(repository, f"/issues/{number}/comments"),
            "state": pull["state"],
            "locked": False,
            "draft": False,
            "title": pull["title"],
            "body": pull["body"],
            "user": self.user(pull["author"]),
            "labels": [self.label(repository, name) for name in pull["labels"]],
            "head": self._end(repository, pull["head"], pull["head_sha"]),
            "base": self._end(repository, pull["base"], pull["base_sha"]),
            "created_at": pull["created_at"],
            "updated_at": pull["updated_at"],
            "closed_at": pull["closed_at"],
            "merged_at": pull["merged_at"],
            "merged": pull["merged_at"] is not None,
            "merged_by": self.user(pull["merged_by"]),
            "merge_commit_sha": pull["merge_commit_sha"],
            "mergeable": None,
        }

    def listed_pull(self, repository: Record, pull: Record) -> Json:
        """A pull request as lists have it: without what only one request of its own tells."""
        detail = ("merged", "merged_by", "mergeable")
        return {name: value for name, value in self.pull(repository, pull).items() if name not in detail}

    def _end(self, repository: Record, branch: str, sha: str) -> Json:
        owner = repository["repository"].split("/")[0]
        return {
            "label": f"{owner}:{branch}",
            "ref": branch,
            "sha": sha,
            "user": self.user(owner),
            "repo": self.repository(repository),
        }

    def commit(self, repository: Record, commit: Commit) -> Json:
        """A commit."""
        return {
            "sha": commit.sha,
            "node_id": f"C_{commit.sha}",
            "url": self.api(repository, f"/commits/{commit.sha}"),
            "html_url": self.page(repository, f"/commit/{commit.sha}"),
            "comments_url": self.api(repository, f"/commits/{commit.sha}/comments"),
            "commit": {
                "author": _signature(commit.author),
                "committer": _signature(commit.committer),
                "message": commit.message,
                "tree": {"sha": commit.tree, "url": self.api(repository, f"/git/trees/{commit.tree}")},
                "url": self.api(repository, f"/git/commits/{commit.sha}"),
                "comment_count": 0,
            },
            "author": self.user(commit.author.login),
            "committer": self.user(commit.committer.login),
            "parents": [{"sha": sha, "url": self.api(repository, f"/commits/{sha}")} for sha in commit.parents],
        }

    def file(self, repository: Record, change: FileChange) -> Json:
        """A changed file."""
        return {
            "filename": change.path,
            "status": change.status,
            "additions": change.additions,
            "deletions": change.deletions,
            "changes": change.additions + change.deletions,
            "blob_url": self.page(repository, f"/blob/{quote(change.path)}"),
        }

    def event(self, repository: Record, event: Record) -> Json:
        """A line of a pull request's history."""
        shape = {
            "id": event["id"],
            "node_id": f"E_{event['id']}",
            "url": self.api(repository, f"/issues/events/{event['id']}"),
            "actor": self.user(event["actor"]),
            "event": event["event"],
            "commit_id": event.get("commit_id"),
            "commit_url": None,
            "created_at": event["created_at"],
        }
        return {**shape, "label": {"name": event["label"], "color": "ededed"}} if "label" in event else shape

    def comment(self, repository: Record, comment: Record) -> Json:
        """A comment on a pull request or on a commit."""
        if "sha" in comment:
            path, place = f"/comments/{comment['id']}", f"/commit/{comment['sha']}"
            more = {"commit_id": comment["sha"], "path": None, "position": None, "line": None}
        else:
            path, place = f"/issues/comments/{comment['id']}", f"/pull/{comment['number']}"
            more = {"issue_url": self.api(repository, f"/issues/{comment['number']}")}
        return {
            "id": comment["id"],
            "node_id": f"IC_{comment['id']}",
            "url": self.api(repository, path),
            "html_url": self.page(repository, f"{place}#comment-{comment['id']}"),
            "body": comment["body"],
            "user": self.user(comment["author"]),
            "created_at": comment["created_at"],
            "updated_at": comment["updated_at"],
            **more,
        }

    def status(self, repository: Record, status: Record) -> Json:
        """A commit status."""
        return {
            "id": status["id"],
            "node_id": f"SC_{status['id']}",
            "url": self.api(repository, f"/statuses/{status['sha']}"),
            "state": status["state"],
            "context": status["context"],
            "description": status["description"],
            "target_url": status["target_url"],
            "creator": self.user(status["creator"]),
            "created_at": status["created_at"],
            "updated_at": status["created_at"],
        }

    def deployment(self, repository: Record, deployment: Record) -> Json:
        """A deployment."""
        url = self.api(repository, f"/deployments/{deployment['id']}")
        return {
            "id": deployment["id"],
            "node_id": f"DE_{deployment['id']}",
            "url": url,
            "statuses_url": f"{url}/statuses",
            "repository_url": self.api(repository),
            "sha": deployment["sha"],
            "ref": deployment["ref"],
            "task": deployment["task"],
            "payload": deployment["payload"],
            "original_environment": deployment["environment"],
            "environment": deployment["environment"],
            "description": deployment["description"],
            "creator": self.user(deployment["creator"]),
            "created_at": deployment["created_at"],
            "updated_at": deployment["updated_at"],
            "transient_environment": False,
            "production_environment": deployment["environment"] == "production",
        }

    def deployment_status(self, repository: Record, status: Record) -> Json:
        """How a deployment goes."""
        deployment = self.api(repository, f"/deployments/{status['deployment']}")
        return {
            "id": status["id"],
            "node_id": f"DES_{status['id']}",
            "url": f"{deployment}/statuses/{status['id']}",
            "deployment_url": deployment,
            "repository_url": self.api(repository),
            "state": status["state"],
            "description": status["description"],
            "environment": status["environment"],
            "environment_url": status["environment_url"],
            "log_url": status["log_url"],
            "target_url": status["log_url"],
            "creator": self.user(status["creator"]),
            "created_at": status["created_at"],
            "updated_at": status["created_at"],
        }

    def webhook(self, event: str, action: str, repository: Record, details: Mapping[str, Any]) -> Json:
        """What a webhook of this event says."""
        sender = details.get("sender") or repository["repository"].split("/")[0]
        common = {"repository": self.repository(repository), "sender": self.user(sender)}
        if event == "ping":
            return {"zen": "Keep it logically awesome.", "hook_id": 1, **common}
        if event == "push":
            return {**self._push(repository, details), **common}
        pull = details["pull"]
        payload = {"action": action, "number": pull["number"], "pull_request": self.pull(repository, pull), **common}
        if "label" in details:
            payload["label"] = self.label(repository, details["label"])
        return {**payload, **{name: details[name] for name in ("before", "after") if name in details}}

    def _push(self, repository: Record, details: Mapping[str, Any]) -> Json:
        before, after = details["before"], details["after"]
        head = details["head"]
        return {
            "ref": f"refs/heads/{details['branch']}",
            "before": before,
            "after": after,
            "created": before == ZEROS,
            "deleted": after == ZEROS,
            "forced": details["forced"],
            "base_ref": None,
            "compare": self.page(repository, f"/compare/{before[:12]}...{after[:12]}"),
            "commits": [self._pushed(repository, commit) for commit in details["commits"]],
            "head_commit": self._pushed(repository, head) if head else None,
            "pusher": {"name": details["sender"], "email": None},
        }

    def _pushed(self, repository: Record, commit: Commit) -> Json:
        return {
            "id": commit.sha,
            "tree_id": commit.tree,
            "distinct": True,
            "message": commit.message,
            "timestamp": commit.committer.date,
            "url": self.page(repository, f"/commit/{commit.sha}"),
            "author": {"name": commit.author.name, "email": commit.author.email, "username": commit.author.login},
            "committer": {"name": commit.committer.name, "email": commit.committer.email},
        }


def _signature(person: Person) -> Json:
    return {"name": person.name, "email": person.email, "date": _utc(person.date)}


def _utc(date: str) -> str:
    return datetime.fromisoformat(date).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
