"""What the double keeps: repositories, their branches, and one line for everything that happened to a thread."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from devhost.github import git, hook, pushes
from devhost.github.git import Git
from devhost.github.refusals import Refused, invalid
from devhost.github.store import Record, Store, now

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}/[A-Za-z0-9_.-]{1,100}")
RESERVED_OWNERS = {"repos", "app", "apps", "user", "users", "orgs", "rate_limit", "deliveries"}  # our own paths

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
        self.robot = ""  # the login behind the API's token

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
        found = self._named(full_name)
        if found is None:
            raise Refused(404, "Not Found")
        return found

    def repository_with(self, number: int | None) -> Record | None:
        """Find a repository by its id, None when it is gone."""
        return next((one for one in self.repositories() if one["id"] == number), None)

    def _named(self, full_name: str) -> Record | None:
        wanted = full_name.casefold()
        return next((one for one in self.repositories() if one["repository"].casefold() == wanted), None)

    def moved_to(self, full_name: str) -> str:
        """Give the name a renamed repository has now, empty for names that were never given up."""
        moved = self.store.one("moved", "", old=full_name.casefold())
        current = moved and self.repository_with(moved["to"])
        return str(current["repository"]) if current and not self._named(full_name) else ""

    def git(self, repository: Record) -> Git:
        """Open the bare repository behind a record."""
        return Git(self.root / f"{repository['repository']}.git")

    def create_repository(self, full_name: str, from_dir: Path | None, branches: Iterable[str], author: str) -> Record:
        """Make a repository of a directory's files; the first branch is the default, all start at one commit."""
        names = list(branches)
        repository = self.free(full_name)
        repository.create(names[0])
        first = (
            repository.import_files(from_dir, "Start the repository", author)
            if from_dir
            else repository.commit_files(None, {"README.md": f"# {full_name}\n"}, "Start the repository", author)
        )
        for name in names:
            repository.move(name, first)
        record = self.register(full_name, default_branch=names[0])
        self.emit("ping", "", record, {})
        return record

    def free(self, full_name: str) -> Git:
        """Give the place of a repository that is to be made. Raises Refused 422 when the name will not do."""
        if not NAME.fullmatch(full_name) or full_name.partition("/")[0] in RESERVED_OWNERS:
            raise invalid("Repository", "name", "name must be owner/name")
        if self._named(full_name):
            raise invalid("Repository", "name", "name already exists on this account")
        return Git(self.root / f"{full_name}.git")

    def register(self, full_name: str, **fields: Any) -> Record:
        """Know a repository whose git directory is there."""
        place = Git(self.root / f"{full_name}.git")
        hook.install(place.path, self.root, full_name)
        return self.store.add("repository", full_name, created_at=now(), heads=place.heads(), **fields)

    def rename_repository(self, repository: Record, new_name: str, by: str) -> Record:
        """Give a repository another name; the old one leads to it until somebody takes that name."""
        old = repository["repository"]
        place = self.free(new_name)
        place.path.parent.mkdir(parents=True, exist_ok=True)
        self.git(repository).path.rename(place.path)
        self.store.rename(old, new_name)
        self.store.add("moved", "", old=old.casefold(), to=repository["id"])
        hook.install(place.path, self.root, new_name)
        renamed = self.repository(new_name)
        self.emit("repository", "renamed", renamed, {"sender": by, "from": old.split("/")[1]})
        return renamed

    def delete_repository(self, repository: Record, by: str) -> None:
        """Delete a repository with everything that hangs on it."""
        self.emit("repository", "deleted", repository, {"sender": by})
        shutil.rmtree(self.git(repository).path)
        self.store.forget(repository["repository"])

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

    def commit_sha(self, repository: Record, ref: str) -> str:
        """Find the commit a reference names, refusing as GitHub does."""
        sha = self.git(repository).resolve(ref)
        if sha is None:
            raise Refused(422, f"No commit found for SHA: {ref}")
        return sha

    def add_event(self, thread: Record, event: str, by: str, **details: Any) -> None:
        """Keep one line of a pull request's or issue's history, as GitHub's issue events do."""
        self.store.add(
            "event", thread["repository"], number=thread["number"], event=event, actor=by, created_at=now(), **details
        )


def check_branch(name: str) -> None:
    """Refuse a name git would not take for a branch."""
    if not git.valid_branch(name):
        raise Refused(422, f"{name!r} is not a valid ref name.")
