"""What happens on GitHub when somebody acts: repositories, pull requests, comments, statuses, deployments."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from devhost.github import git, hook, limits, pushes
from devhost.github.git import Git, MergeConflict
from devhost.github.refusals import Refused, invalid
from devhost.github.store import Record, Store, now

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}/[A-Za-z0-9_.-]{1,100}")
RESERVED_OWNERS = {"repos", "app", "user", "deliveries"}  # first parts of our own paths

Emit = Callable[[str, str, Record, Mapping[str, Any]], object]


class Double:
    """GitHub's state under one directory: `<root>/<owner>/<name>.git` and `<root>/github.db`.

    `emit(event, action, repository, details)`, when set, hears of everything a webhook tells. Methods raise Refused
    as GitHub's API would.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root.resolve()
        self.store = Store(self.root / "github.db")
        self.emit: Emit = lambda *_: None

    def wake(self) -> None:
        """Catch up after a restart: hooks point at this checkout again, and pushes made meanwhile are told."""
        for repository in self.repositories():
            hook.install(self.git(repository).path, self.root, repository["repository"])
            self.notice_pushes(repository)

    def repositories(self) -> list[Record]:
        """List all repositories, oldest first."""
        return self.store.all("repository")

    def repository(self, full_name: str) -> Record:
        """Find a repository; names are case-insensitive."""
        for record in self.repositories():
            if record["repository"].casefold() == full_name.casefold():
                return record
        raise Refused(404, "Not Found")

    def git(self, repository: Record) -> Git:
        """Open the bare repository behind a record."""
        return Git(self.root / f"{repository['repository']}.git")

    def create_repository(self, full_name: str, from_dir: Path | None, branches: Iterable[str], author: str) -> Record:
        """Make a repository of a directory's files; the first branch is the default, all start at one commit."""
        if not NAME.fullmatch(full_name) or full_name.partition("/")[0] in RESERVED_OWNERS:
            raise invalid("Repository", "name", "name must be owner/name")
        names = list(branches)
        if any(record["repository"].casefold() == full_name.casefold() for record in self.repositories()):
            raise invalid("Repository", "name", "name already exists on this account")
        repository = Git(self.root / f"{full_name}.git")
        repository.create(names[0])
        first = (
            repository.import_files(from_dir, "Start the repository", author)
            if from_dir
            else repository.commit_files(None, {"README.md": f"# {full_name}\n"}, "Start the repository", author)
        )
        for name in names:
            repository.move(name, first)
        hook.install(repository.path, self.root, full_name)
        record = self.store.add(
            "repository", full_name, default_branch=names[0], created_at=now(), heads=repository.heads()
        )
        self.emit("ping", "", record, {})
        return record

    def commit_files(
        self,
        repository: Record,
        branch: str,
        files: Mapping[str, str | None],
        message: str,
        author: str,
        base: str | None = None,
        force: bool = False,
    ) -> str:
        """Push one commit to a branch; a branch that is not there starts at `base` (else the default branch).

        With `force` the branch restarts at `base` whatever it holds.
        """
        check_branch(branch)
        place = self.git(repository)
        old = place.heads().get(branch)
        start = place.resolve(base or repository["default_branch"]) if force or old is None else old
        if start is None:
            raise Refused(422, "Reference does not exist")
        new = place.commit_files(start, files, message, author)
        place.move(branch, new, old or git.ZEROS)
        self.notice_pushes(repository, author)
        return new

    def notice_pushes(self, repository: Record, pusher: str = "") -> None:
        """Compare the branches with what was last seen and tell of every difference."""
        pushes.notice(self, repository, pusher)

    # Pull requests

    def pulls(self, repository: Record) -> list[Record]:
        """List a repository's pull requests, oldest first."""
        return self.store.all("pull", repository["repository"])

    def pull(self, repository: Record, number: int) -> Record:
        """Find a pull request by its number."""
        found = self.store.one("pull", repository["repository"], number=number)
        if found is None:
            raise Refused(404, "Not Found")
        return found

    def open_pull(self, repository: Record, head: str, base: str, title: str, body: str, author: str) -> Record:
        """Open a pull request between two branches of the repository."""
        heads = self.git(repository).heads()
        for field, name in (("head", head), ("base", base)):
            if name not in heads:
                raise invalid("PullRequest", field, code="invalid")
        if not title.strip():
            raise invalid("PullRequest", "title", code="missing_field")
        limits.check_comment("PullRequest", body)
        if self.git(repository).is_ancestor(heads[head], heads[base]):
            raise invalid("PullRequest", "", f"No commits between {base} and {head}")
        existing = [pull for pull in self.pulls(repository) if pull["state"] == "open"]
        if any((pull["head"], pull["base"]) == (head, base) for pull in existing):
            raise invalid("PullRequest", "", f"A pull request already exists for {head}.")
        pull = self.store.add(
            "pull",
            repository["repository"],
            number=len(self.pulls(repository)) + 1,
            title=title,
            body=body,
            author=author,
            head=head,
            base=base,
            head_sha=heads[head],
            base_sha=heads[base],
            state="open",
            labels=[],
            created_at=now(),
            updated_at=now(),
            closed_at=None,
            merged_at=None,
            merged_by=None,
            merge_commit_sha=None,
            landed=[],
        )
        self.emit("pull_request", "opened", repository, {"pull": pull, "sender": author})
        return pull

    def add_label(self, repository: Record, number: int, label: str, by: str) -> Record:
        """Put a label on a pull request; one that is there already changes nothing."""
        if not label.strip() or len(label) > limits.LABEL:
            raise invalid("Label", "name", code="invalid")
        pull = self.pull(repository, number)
        if label.casefold() in (name.casefold() for name in pull["labels"]):
            return pull
        return self._relabel(repository, pull, [*pull["labels"], label], "labeled", label, by)

    def remove_label(self, repository: Record, number: int, label: str, by: str) -> Record:
        """Take a label off a pull request."""
        pull = self.pull(repository, number)
        kept = [name for name in pull["labels"] if name.casefold() != label.casefold()]
        if len(kept) == len(pull["labels"]):
            raise Refused(404, "Label does not exist")
        return self._relabel(repository, pull, kept, "unlabeled", label, by)

    def _relabel(self, repository: Record, pull: Record, labels: list[str], event: str, label: str, by: str) -> Record:
        pull.update(labels=labels, updated_at=now())
        with self.store.transaction():
            self.store.save(pull)
            self.add_event(pull, event, by, label=label)
        self.emit("pull_request", event, repository, {"pull": pull, "sender": by, "label": label})
        return pull

    def merge(self, repository: Record, number: int, by: str, method: str = "merge", title: str = "") -> Record:
        """Merge a pull request into its base with a real git merge, squash or rebase."""
        pull = self.pull(repository, number)
        place = self.git(repository)
        heads = place.heads()
        head, base = heads.get(pull["head"]), heads.get(pull["base"])
        if pull["state"] != "open" or head is None or base is None:
            raise Refused(405, "Pull Request is not mergeable")
        message = title or f"Merge pull request #{number} from {repository['repository'].split('/')[0]}/{pull['head']}"
        if method == "squash":
            message = title or f"{pull['title']} (#{number})"
        try:
            new = place.merge(base, head, method, f"{message}\n\n{pull['title']}\n", by)
        except MergeConflict as error:
            raise Refused(405, "Pull Request is not mergeable") from error
        place.move(pull["base"], new, base)
        pushes.close_as_merged(self, repository, pull, by, base, new)
        self.notice_pushes(repository, by)
        return self.pull(repository, number)

    def close_pull(self, repository: Record, number: int, by: str) -> Record:
        """Close a pull request without merging it."""
        pull = self.pull(repository, number)
        pull.update(state="closed", closed_at=now(), updated_at=now())
        with self.store.transaction():
            self.store.save(pull)
            self.add_event(pull, "closed", by)
        self.emit("pull_request", "closed", repository, {"pull": pull, "sender": by})
        return pull

    def add_event(self, pull: Record, event: str, by: str, **details: Any) -> None:
        """Keep one line of a pull request's history, as GitHub's issue events do."""
        self.store.add(
            "event", pull["repository"], number=pull["number"], event=event, actor=by, created_at=now(), **details
        )

    # What apps leave behind

    def commit_sha(self, repository: Record, ref: str) -> str:
        """Find the commit a reference names, refusing as GitHub does."""
        sha = self.git(repository).resolve(ref)
        if sha is None:
            raise Refused(422, f"No commit found for SHA: {ref}")
        return sha

    def add_comment(self, repository: Record, body: str, by: str, **on: Any) -> Record:
        """Comment on a pull request (`number=`) or a commit (`sha=`)."""
        limits.check_comment("IssueComment", body)
        if not body.strip():
            raise invalid("IssueComment", "body", code="missing_field")
        kind = "comment" if "number" in on else "commit_comment"
        return self.store.add(
            kind, repository["repository"], author=by, body=body, created_at=now(), updated_at=now(), **on
        )

    def edit_comment(self, comment: Record, body: str) -> Record:
        """Replace a comment's text."""
        limits.check_comment("IssueComment", body)
        comment.update(body=body, updated_at=now())
        self.store.save(comment)
        return comment

    def add_status(self, repository: Record, ref: str, by: str, fields: Mapping[str, Any]) -> Record:
        """Set a commit status; the newest of a context counts."""
        sha = self.commit_sha(repository, ref)
        state, context = fields.get("state"), fields.get("context") or "default"
        if state not in limits.STATUS_STATES:
            raise invalid("Status", "state", "state is not included in the list")
        limits.check_description("Status", fields.get("description"))
        if len(self.store.all("status", repository["repository"], sha=sha, context=context)) >= limits.STATUSES:
            raise invalid("Status", "", "This SHA and context has reached the maximum number of statuses.")
        return self.store.add(
            "status",
            repository["repository"],
            sha=sha,
            state=state,
            context=context,
            description=fields.get("description"),
            target_url=fields.get("target_url"),
            creator=by,
            created_at=now(),
        )

    def add_deployment(self, repository: Record, by: str, fields: Mapping[str, Any]) -> Record:
        """Record a deployment of a commit to an environment."""
        ref = str(fields.get("ref") or "")
        sha = self.git(repository).resolve(ref)
        if sha is None:
            raise Refused(422, f"No ref found for: {ref}")
        limits.check_description("Deployment", fields.get("description"))
        return self.store.add(
            "deployment",
            repository["repository"],
            sha=sha,
            ref=ref,
            task=fields.get("task") or "deploy",
            environment=fields.get("environment") or "production",
            payload=fields.get("payload") or "",
            description=fields.get("description"),
            creator=by,
            created_at=now(),
            updated_at=now(),
        )

    def deployment(self, repository: Record, number: int) -> Record:
        """Find a deployment by its id."""
        found = self.store.by_id("deployment", repository["repository"], number)
        if found is None:
            raise Refused(404, "Not Found")
        return found

    def add_deployment_status(self, repository: Record, number: int, by: str, fields: Mapping[str, Any]) -> Record:
        """Say how a deployment goes; a success turns the environment's earlier successes inactive, as on GitHub."""
        deployment = self.deployment(repository, number)
        state = fields.get("state")
        if state not in limits.DEPLOYMENT_STATES:
            raise invalid("DeploymentStatus", "state", "state is not included in the list")
        limits.check_description("DeploymentStatus", fields.get("description"))
        with self.store.transaction():
            if state == "success" and fields.get("auto_inactive", True):
                self._turn_inactive(deployment, by)
            return self._deployment_status(deployment, by, {**fields, "state": state})

    def _turn_inactive(self, current: Record, by: str) -> None:
        for other in self.store.all("deployment", current["repository"], environment=current["environment"]):
            newest = self.store.one("deployment_status", current["repository"], deployment=other["id"])
            if other["id"] != current["id"] and newest and newest["state"] == "success":
                self._deployment_status(other, by, {"state": "inactive"})

    def _deployment_status(self, deployment: Record, by: str, fields: Mapping[str, Any]) -> Record:
        log_url = fields.get("log_url") or fields.get("target_url") or ""  # GitHub sets each from the other
        return self.store.add(
            "deployment_status",
            deployment["repository"],
            deployment=deployment["id"],
            state=fields["state"],
            description=fields.get("description") or "",
            environment=fields.get("environment") or deployment["environment"],
            environment_url=fields.get("environment_url") or "",
            log_url=log_url,
            creator=by,
            created_at=now(),
        )

    # Who is calling

    def issue_token(self) -> tuple[str, str]:
        """Give an installation token and when it expires, an hour from now."""
        token = f"ghs_{secrets.token_hex(18)}"
        expires = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.store.add("token", "", token=token, expires_at=expires)
        return token, expires

    def knows_token(self, token: str) -> bool:
        """Say whether it is an installation token that has not expired."""
        found = self.store.one("token", "", token=token)
        return found is not None and found["expires_at"] > now()


def check_branch(name: str) -> None:
    """Refuse a name git would not take for a branch."""
    if not git.valid_branch(name):
        raise Refused(422, f"{name!r} is not a valid ref name.")
