"""What webhooks say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from devhost.github.git import ZEROS, Commit, Person
from devhost.github.shapes.base import Json
from devhost.github.shapes.commits import utc
from devhost.github.shapes.contents import Contents
from devhost.github.shapes.hooks import Hooks
from devhost.github.shapes.marks import Marks
from devhost.github.shapes.people import People
from devhost.github.shapes.threads import Threads
from devhost.github.store import Record

Details = Mapping[str, Any]
_NO_FILES: dict[str, list[str]] = {"added": [], "removed": [], "modified": []}


class Shapes(Contents, Threads, Marks, Hooks, People):
    """Every shape of GitHub's, with links below `origin`."""

    def webhook(self, event: str, action: str, repository: Record, details: Details) -> Json:
        """What a webhook of this event says."""
        makers: dict[str, Callable[[Record, Details], Json]] = {
            "ping": self._ping,
            "push": self._push,
            "status": self._status,
            "pull_request": self._pull_request,
            "issues": lambda place, told: {"issue": self.issue(place, told["issue"])},
            "issue_comment": self._issue_comment,
            "label": lambda _place, _told: {},
            "check_run": self._check_run,
            "check_suite": self._check_suite,
            "merge_group": self._merge_group,
            "workflow_run": self._workflow_run,
            "repository": self._repository,
        }
        sender = details.get("sender") or repository["repository"].split("/")[0]
        payload: Json = {"action": action} if action else {}
        payload |= makers[event](repository, details)
        if "label" in details:
            payload["label"] = self.named_label(repository, details["label"])
        payload |= {
            name: details[name] for name in ("before", "after", "changes") if name in details and event != "push"
        }
        return {**payload, "repository": self.repository(repository), "sender": self.user(sender)}

    def _ping(self, _repository: Record, details: Details) -> Json:
        hook = details["hook"]
        return {"zen": "Keep it logically awesome.", "hook_id": hook["id"], "hook": hook}

    def _pull_request(self, repository: Record, details: Details) -> Json:
        pull = details["pull"]
        return {"number": pull["number"], "pull_request": self.pull(repository, pull, told=True)}

    def _issue_comment(self, repository: Record, details: Details) -> Json:
        issue = self.issue(repository, details["thread"])
        return {"issue": issue, "comment": self.comment(repository, details["comment"])}

    def _check_run(self, repository: Record, details: Details) -> Json:
        run = self.check_run(repository, details["run"])
        pressed = {"requested_action": {"identifier": details["identifier"]}} if "identifier" in details else {}
        return {"check_run": run, **pressed}

    def _check_suite(self, repository: Record, details: Details) -> Json:
        suite = self.check_suite(repository, details["suite"])
        return {"check_suite": {name: value for name, value in suite.items() if name != "repository"}}

    def _merge_group(self, repository: Record, details: Details) -> Json:
        group = details["group"]
        commit = self._pushed(repository, self.double.git(repository).commit(group["head"]), _NO_FILES)
        head = {name: commit[name] for name in ("id", "tree_id", "message", "timestamp")}
        people = {who: {name: commit[who][name] for name in ("name", "email")} for who in ("author", "committer")}
        told = {
            "head_sha": group["head"],
            "head_ref": f"refs/heads/{group['branch']}",
            "base_sha": group["parent"],
            "base_ref": f"refs/heads/{group['base']}",
            "head_commit": {**head, **people},
        }
        return {"merge_group": told, **({"reason": details["reason"]} if "reason" in details else {})}

    def _workflow_run(self, repository: Record, details: Details) -> Json:
        run = details["run"]
        return {"workflow_run": self.workflow_run(repository, run), "workflow": self.workflow(repository, run)}

    def _repository(self, _repository: Record, details: Details) -> Json:
        return {"changes": {"repository": {"name": {"from": details["from"]}}}} if "from" in details else {}

    def _status(self, repository: Record, details: Details) -> Json:
        status = details["status"]
        place = self.double.git(repository)
        branches = [(name, sha) for name, sha in place.heads().items() if sha == status["sha"]][:10]
        shape = self.simple_status(repository, status)
        del shape["node_id"], shape["url"]
        commit = self.commit(repository, place.commit(status["sha"]))
        commit["commit"]["verification"].pop("verified_at")  # which this webhook alone does not have
        return {
            **shape,
            "sha": status["sha"],
            "name": repository["repository"],
            "commit": commit,
            "branches": [self.short_branch(repository, name, sha, False) for name, sha in branches],
        }

    def _push(self, repository: Record, details: Details) -> Json:
        before, after = details["before"], details["after"]
        head, files = details["head"], details["files"]
        return {
            "ref": f"refs/heads/{details['branch']}",
            "before": before,
            "after": after,
            "created": before == ZEROS,
            "deleted": after == ZEROS,
            "forced": details["forced"],
            "base_ref": None,
            "compare": self.page(repository, f"/compare/{before[:12]}...{after[:12]}"),
            "commits": [self._pushed(repository, commit, files[commit.sha]) for commit in details["commits"]],
            "head_commit": self._pushed(repository, head, files[head.sha]) if head else None,
            "pusher": {"name": details["sender"], "email": None},
        }

    def _pushed(self, repository: Record, commit: Commit, files: Mapping[str, list[str]]) -> Json:
        return {
            "id": commit.sha,
            "tree_id": commit.tree,
            "distinct": True,
            "message": commit.message,
            "timestamp": commit.committer.date,
            "url": self.page(repository, f"/commit/{commit.sha}"),
            "author": _signed(commit.author),
            "committer": _signed(commit.committer),
            **{name: files[name] for name in ("added", "modified", "removed")},
        }


def _signed(person: Person) -> Json:
    name = {"name": person.name, "email": person.email, "date": utc(person.date)}
    return {**name, "username": person.login} if person.login else name
