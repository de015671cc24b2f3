"""A GitHub in memory: the forge where people work, and the adapter's interface to it, with faults on demand.

`Forge` is what is true on GitHub, and what people do there; each act leaves the deliveries that GitHub would send.
`MemoryGitHub` answers as `adapters.github.GitHub` does, or fails as a distant service fails.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

from adapters.github_listing import Answer
from adapters.github_origin import Found
from adapters.github_refs import Head
from domain.changes import ChangeFacts, Check, CheckState
from domain.errors import Conflict, Forbidden, NotFound, Unavailable
from domain.models import Change, Commit, Origin
from domain.opt_out import Facts
from domain.outbox import Comment, DeploymentState, Issue, Label, Merge, Message, Reply, Status, Told, Written
from tests.model.memory import Fault, Faults, no_faults

NOBODY = "0" * 40
LINKED_AFTER = timedelta(seconds=30)  # of a merge, until GitHub names the change that a commit came with
AWAY = 7200.0  # seconds that GitHub asks to be left alone; outages last for days here
T = TypeVar("T")
Files = tuple[tuple[str, str], ...]  # path and text, sorted


@dataclass(frozen=True)
class Revision:
    """A commit: what it holds and what came before."""

    sha: str
    parents: tuple[str, ...]
    author: str
    message: str
    at: datetime
    files: Files
    position: int  # commits up to this one, itself included


@dataclass
class Pull:
    """A change, open or merged. `marks` are its label and merge events, oldest first."""

    number: int
    author: str
    title: str
    body: str
    branch: str
    base: str
    head: str
    commits: tuple[str, ...]
    paths: tuple[str, ...]
    draft: bool = False
    open: bool = True
    merged_by: str = ""
    merged_at: datetime | None = None
    merge_sha: str = ""
    marks: list[tuple[str, str, str, datetime]] = field(default_factory=list)  # event, label, actor, when
    updated: datetime | None = None


@dataclass(frozen=True)
class Delivery:
    """A webhook on its way: GitHub promises neither that it arrives nor when, and it may come twice."""

    event: str
    payload: dict[str, Any]
    guid: str


class Forge:
    """One repository on GitHub and the people who work in it."""

    def __init__(
        self,
        repository: str,
        clock: Callable[[], datetime],
        files: Mapping[str, str],
        teams: Mapping[str, tuple[str, ...]],
    ) -> None:
        self.teams = teams
        self.writers = {"sam", "alex", "maria", "jonas", "priya"}
        self.statuses: dict[tuple[str, str], list[Status]] = {}  # by sha and context, oldest first
        self.comments: dict[tuple[int | str, str], list[str]] = {}  # by change or sha, and marker: its bodies
        self.deployments: dict[tuple[str, str], list[DeploymentState]] = {}  # by release and environment
        self.issues: dict[str, list[Issue]] = {}
        self.repository = repository
        self.clock = clock
        self.revisions: dict[str, Revision] = {}
        self.branches: dict[str, str] = {}
        self.pulls: dict[int, Pull] = {}
        self.events: list[tuple[int, str, str, str, datetime]] = []  # change, event, label, actor, when
        self.deliveries: list[Delivery] = []  # on their way
        self.guids: list[str] = []  # of every delivery there ever was
        self.moves: list[tuple[str, str, str]] = []  # branch, before, after: each push there ever was
        root = self._commit((), "sam", "Begin", tuple(sorted(files.items())))
        self.branches = {"main": root, "develop": root}

    def adopt(self, other: Forge) -> None:
        """Begin as another forge ended."""
        kept = {name: copy.deepcopy(value) for name, value in vars(other).items() if isinstance(value, dict | list)}
        vars(self).update(kept)

    def push(self, branch: str, author: str, message: str, changed: Mapping[str, str] | None = None) -> str:
        """Commit on top of a branch and push that."""
        parent = self.revisions[self.branches[branch]]
        files = tuple(sorted({**dict(parent.files), **(changed or {})}.items()))
        return self._move(branch, self._commit((parent.sha,), author, message, files), author)

    def force_push(self, branch: str, sha: str, author: str) -> str:
        """Move a branch to another commit, whatever was there."""
        return self._move(branch, sha, author, forced=True)

    def rewrite(self, branch: str, onto: str, author: str, message: str) -> str:
        """Force a branch to a new commit on top of an older one."""
        return self.force_push(branch, self._commit((onto,), author, message, self.revisions[onto].files), author)

    def open_change(
        self, branch: str, base: str, author: str, body: str = "", changed: Mapping[str, str] | None = None
    ) -> Pull:
        """Commit on a branch of its own and open a change."""
        start = self.revisions[self.branches[base]]
        files = tuple(sorted({**dict(start.files), **(changed or {})}.items()))
        head = self._commit((start.sha,), author, f"Work on {branch}", files)
        number = len(self.pulls) + 1
        title, paths = f"Change {number}", tuple(sorted(changed or ()))
        pull = Pull(number, author, title, body, branch, base, head, (head,), paths)
        self.pulls[number] = pull
        self.branches[branch] = head
        self._tell_pull(pull, "opened", author)
        return pull

    def merge(self, number: int, by: str) -> str:
        """Merge a change with a merge commit and give its sha."""
        pull = self.pulls[number]
        base, head = self.revisions[self.branches[pull.base]], self.revisions[pull.head]
        files = tuple(sorted({**dict(base.files), **dict(head.files)}.items()))
        pull.merge_sha = self._commit((base.sha, head.sha), by, f"Merge change #{number}", files)
        pull.open, pull.merged_by, pull.merged_at = False, by, self.clock()
        self._mark(pull, "merged", "", by)
        self._move(pull.base, pull.merge_sha, by)
        self._tell_pull(pull, "closed", by)
        return pull.merge_sha

    def label(self, number: int, label: str, on: bool, by: str) -> None:
        """Put a label on a change, or take it off; what is so already makes no event."""
        pull = self.pulls[number]
        if (label in self.labels(number)) is on:
            return
        self._mark(pull, "labeled" if on else "unlabeled", label, by)
        self._tell_pull(pull, "labeled" if on else "unlabeled", by, label)

    def labels(self, number: int) -> dict[str, tuple[str, datetime]]:
        """Return the labels that a change has now, with who put each there and when."""
        found: dict[str, tuple[str, datetime]] = {}
        for event, label, actor, at in self.pulls[number].marks:
            if event == "labeled":
                found[label] = (actor, at)
            elif event == "unlabeled":
                found.pop(label, None)
        return found

    def ancestors(self, sha: str) -> set[str]:
        """Return all commits that a commit contains, itself included."""
        seen: set[str] = set()
        waiting = [sha]
        while waiting:
            one = waiting.pop()
            if one not in seen:
                seen.add(one)
                waiting += self.revisions[one].parents
        return seen

    def between(self, before: str, sha: str) -> list[Revision]:
        """Return what a commit has and another has not, oldest first."""
        new = self.ancestors(sha) - (self.ancestors(before) if before in self.revisions else set())
        return sorted((self.revisions[one] for one in new), key=lambda one: (one.position, one.at, one.sha))

    def _mark(self, pull: Pull, event: str, label: str, by: str) -> None:
        pull.marks.append((event, label, by, self.clock()))
        self.events.append((pull.number, event, label, by, self.clock()))

    def _move(self, branch: str, sha: str, by: str, forced: bool = False) -> str:
        before = self.branches.get(branch, NOBODY)
        self.branches[branch] = sha
        self.moves.append((branch, before, sha))
        payload = {
            "ref": f"refs/heads/{branch}",
            "before": before,
            "after": sha,
            "forced": forced,
            "deleted": False,
            "pusher": {"name": by},
        }
        self._tell("push", payload)
        return sha

    def _commit(self, parents: tuple[str, ...], author: str, message: str, files: Files) -> str:
        sha = hashlib.sha1(f"{len(self.revisions)} {author} {message}".encode()).hexdigest()  # noqa: S324 - as git
        before = {one for parent in parents for one in self.ancestors(parent)}
        self.revisions[sha] = Revision(sha, parents, author, message, self.clock(), files, len(before) + 1)
        return sha

    def _tell_pull(self, pull: Pull, action: str, by: str, label: str = "") -> None:
        pull.updated = self.clock()
        named = {"label": {"name": label}} if label else {}
        self._tell(
            "pull_request", {"action": action, "number": pull.number, "pull_request": self.shown(pull), **named}, by
        )

    def shown(self, pull: Pull) -> dict[str, Any]:
        """Return a change as GitHub's API and webhooks show it, as far as we read it."""
        own = {"full_name": self.repository}
        return {
            "number": pull.number,
            "title": pull.title,
            "body": pull.body,
            "state": "open" if pull.open else "closed",
            "draft": pull.draft,
            "merged": pull.merged_at is not None,
            "merged_at": _text(pull.merged_at) if pull.merged_at else None,
            "merge_commit_sha": pull.merge_sha or None,
            "updated_at": _text(pull.updated or self.clock()),
            "user": {"login": pull.author},
            "labels": [{"name": name} for name in self.labels(pull.number)],
            "head": {"ref": pull.branch, "sha": pull.head, "repo": own},
            "base": {"ref": pull.base, "sha": self.branches[pull.base], "repo": own},
        }

    def _tell(self, event: str, payload: dict[str, Any], by: str = "sam") -> None:
        whole = {**payload, "repository": {"full_name": self.repository}, "sender": {"login": by}}
        self.guids.append(event)
        self.deliveries.append(Delivery(event, whole, f"delivery-{len(self.guids)}"))


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(maxsize=64)
def tarball(files: Files) -> bytes:
    """Return files as GitHub's archive has them: below one folder."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:
        for path, text in files:
            member = tarfile.TarInfo(f"repository/{path}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


class MemoryGitHub:
    """The adapter's interface over a forge. `faults` is asked before every call with the method's name."""

    def __init__(self, forge: Forge, faults: Faults = no_faults) -> None:
        self.forge = forge
        self.faults = faults

    def check_access(self, repository: str) -> None:
        self._ask("check_access", repository, lambda: None)

    def permission(self, repository: str, login: str) -> str:
        return self._ask("permission", repository, lambda: "write" if login in self.forge.writers else "none")

    def team_members(self, org: str, slug: str) -> tuple[str, ...]:
        def look() -> tuple[str, ...]:
            if f"{org}/{slug}" not in self.forge.teams:
                raise NotFound(f"Team @{org}/{slug} does not exist or our token may not see it.")
            return self.forge.teams[f"{org}/{slug}"]

        return self._ask("team_members", self.forge.repository, look)

    def head_of_change(self, repository: str, number: int) -> Head:
        return self._ask(
            "head_of_change", repository, lambda: Head(self._pull(number).head, False, self._pull(number).branch)
        )

    def head_of(self, repository: str, ref: str) -> str:
        return self._ask("head_of", repository, lambda: self._branch(ref))

    def commit_on(self, repository: str, sha: str, branches: Sequence[str]) -> str:
        def look() -> str:
            if not any(sha in self.forge.ancestors(self._branch(branch)) for branch in branches):
                raise Forbidden(f"{sha[:12]} is not on {branches}")
            return sha

        return self._ask("commit_on", repository, look)

    def download(self, repository: str, sha: str, to: Path) -> None:
        self._ask("download", repository, lambda: to.write_bytes(tarball(self._revision(sha).files)))

    def find_origin(
        self, repository: str, sha: str, before: str, opt_out_label: str, branch: str | None = None
    ) -> Found:
        return self._ask("find_origin", repository, lambda: self._origin(sha, before, opt_out_label, branch or "main"))

    def change_facts(self, repository: str, change: int) -> ChangeFacts:
        return self._ask("change_facts", repository, lambda: self._change_facts(self._pull(change)))

    def changed_files(self, repository: str, change: int) -> tuple[str, ...]:
        return self._ask("changed_files", repository, lambda: self._pull(change).paths)

    def checks_of(self, repository: str, sha: str, names: Collection[str]) -> tuple[Check, ...]:
        return self._ask("checks_of", repository, lambda: tuple(Check(name, CheckState.PASSED) for name in names))

    @property
    def is_app(self) -> bool:
        return False

    def look(self, repository: str, path: str, etag: str = "") -> Answer:
        """Answer a path of the API, as far as the reconciler asks; what is as it was comes without data."""

        def answer() -> Answer:
            data = self._at(path)
            now = hashlib.sha256(json.dumps(data).encode()).hexdigest()
            return Answer(None if now == etag else data, now)

        return self._ask("look", repository, answer)

    def first_parents(self, repository: str, sha: str) -> Iterator[str]:
        def look() -> list[str]:
            line = [sha] if sha in self.forge.revisions else []
            while line and (parents := self.forge.revisions[line[-1]].parents):
                line.append(parents[0])
            return line

        return iter(self._ask("first_parents", repository, look))

    def relation(self, repository: str, base: str, head: str) -> str:
        def look() -> str:
            shas = [self.forge.branches.get(one, one) for one in (base, head)]
            return self._compared(*shas) if all(sha in self.forge.revisions for sha in shas) else "diverged"

        return self._ask("relation", repository, look)

    def opt_out_now(self, repository: str, change: int, label: str) -> Facts | None:
        def look() -> Facts | None:
            pull, labels = self._pull(change), self.forge.labels(change)
            return _facts(pull, label, *labels[label]) if label in labels else None

        return self._ask("opt_out_now", repository, look)

    def deliver(self, message: Message, told: Told | None, spend: Callable[[], None]) -> Written:
        """Write one message of the outbox, as the real adapter does: look, spend, write."""
        return self._ask("deliver", message.repository, lambda: self._deliver(message, spend))

    def _deliver(self, message: Message, spend: Callable[[], None]) -> Written:
        spend()
        if isinstance(message, Status):
            self.forge.statuses.setdefault((message.sha, message.context), []).append(message)
        elif isinstance(message, Comment):
            self.forge.comments.setdefault((message.change or message.sha, message.marker), []).append(message.body)
        elif isinstance(message, Reply):
            self.forge.comments.setdefault((message.change, message.marker), [message.body])
        elif isinstance(message, DeploymentState):
            self.forge.deployments.setdefault((message.release, message.environment), []).append(message)
        elif isinstance(message, Label):
            self.forge.label(message.change, message.label, message.on, "drawbridge[bot]")
        elif isinstance(message, Merge):
            self._merge(message)
        elif isinstance(message, Issue):
            self.forge.issues.setdefault(message.marker, []).append(message)
        return Written(1, f"https://github.example/{message.subject}")

    def _at(self, path: str) -> Any:
        forge, place = self.forge, path.partition("?")[0]
        if place.startswith("/git/matching-refs/heads/"):
            name = unquote(place.removeprefix("/git/matching-refs/heads/"))
            url = f"https://api.github.example/repos/{forge.repository}/git/refs/heads/"
            found = {one: sha for one, sha in forge.branches.items() if one.startswith(name)}
            return [
                {"ref": f"refs/heads/{one}", "url": f"{url}{one}", "object": {"sha": sha}} for one, sha in found.items()
            ]
        if place == "/commits":
            known = forge.between("", path.partition("sha=")[2].partition("&")[0])[::-1]
            return [{"sha": one.sha, "author": {"login": one.author}} for one in known[:100]]
        if place.startswith("/compare/"):
            return {"status": self._compared(*place.removeprefix("/compare/").split("..."))}
        if place == "/issues/events":
            return [self._event(number, *event) for number, event in enumerate(forge.events, 1)][:-101:-1]
        if place.startswith("/pulls"):
            return self._pulls_at(place.removeprefix("/pulls"), "&page=1" in path)
        if place == "/issues/comments":
            return []  # nobody asks for evaluations here
        raise NotFound(f"nobody has thought of {path}")

    def _pulls_at(self, place: str, first: bool) -> Any:
        if place:
            return self.forge.shown(self._pull(int(place.removeprefix("/"))))
        return [self.forge.shown(pull) for pull in self.forge.pulls.values() if pull.open and first]

    def _compared(self, before: str, after: str) -> str:
        if before == after:
            return "identical"
        if self._revision(before).sha in self.forge.ancestors(after):
            return "ahead"
        return "behind" if after in self.forge.ancestors(before) else "diverged"

    def _event(self, number: int, change: int, event: str, label: str, by: str, at: datetime) -> dict[str, Any]:
        pull = self.forge.shown(self.forge.pulls[change])
        issue = {"number": change, "pull_request": {"merged_at": pull["merged_at"]}}
        named = {"label": {"name": label}} if label else {}
        return {"id": number, "event": event, "actor": {"login": by}, "created_at": _text(at), "issue": issue, **named}

    def _change_facts(self, pull: Pull) -> ChangeFacts:
        return ChangeFacts(
            repository=self.forge.repository,
            number=pull.number,
            title=pull.title,
            author=pull.author,
            head=pull.head,
            branch=pull.branch,
            base=pull.base,
            fork=False,
            draft=pull.draft,
            open=pull.open,
            url=f"https://github.example/pull/{pull.number}",
            labels=tuple(self.forge.labels(pull.number)),
            merged_by=pull.merged_by,
            mergeable=True,
            merge_state="clean",
            reviewers=(),
            objections=(),
        )

    def _merge(self, message: Merge) -> None:
        pull = self._pull(message.change)
        if pull.merged_at and pull.head == message.sha:
            return
        if not pull.open or pull.head != message.sha:
            raise Conflict(f"change #{pull.number} is not open at {message.sha[:7]} any more")
        self.forge.merge(pull.number, "drawbridge[bot]")

    def _origin(self, sha: str, before: str, label: str, branch: str) -> Found:
        head = self._revision(sha)
        known = before in self.forge.revisions
        pushed = self.forge.between(before, sha) if known else []
        commits = {one.sha for one in pushed or [head]}
        merged = [pull for pull in self.forge.pulls.values() if pull.merge_sha in commits and pull.base == branch]
        now = self.forge.clock()
        pulls = [pull for pull in merged if pull.merged_at and pull.merged_at + LINKED_AFTER <= now]
        linked = {sha for pull in pulls for sha in (pull.merge_sha, *pull.commits)}
        facts = []
        for pull in pulls:
            there = _labels_at_merge(pull)
            facts += [_facts(pull, label, *there[label])] if label in there else []
        commit = Commit(
            self.forge.repository, sha, head.author, head.message, _text(head.at), f"https://github.example/{sha}"
        )
        authors = tuple(sorted({one.author for one in pushed or [head]}))
        origin = Origin(
            commit,
            tuple(_change(pull) for pull in pulls),
            (),
            authors,
            head.position,
            direct=len(commits - linked),
            unlinked=len(pulls) < len(merged),
        )
        return Found(origin, tuple(facts))

    def _ask(self, method: str, repository: str, work: Callable[[], T]) -> T:
        fault = self.faults(method)
        if fault is Fault.REFUSED:
            # Who reads hears how long to wait: outages last for days here, and a look a minute would fill them.
            raise Unavailable("GitHub in memory is away", None if method == "deliver" else AWAY)
        if repository.lower() != self.forge.repository.lower():
            raise NotFound(f"there is no repository {repository}")
        answer = work()
        if fault is Fault.LOST:
            raise Unavailable("GitHub in memory did not answer")
        return answer

    def _pull(self, number: int) -> Pull:
        if number not in self.forge.pulls:
            raise NotFound(f"there is no change #{number}")
        return self.forge.pulls[number]

    def _revision(self, sha: str) -> Revision:
        if sha not in self.forge.revisions:
            raise NotFound(f"there is no commit {sha}")
        return self.forge.revisions[sha]

    def _branch(self, name: str) -> str:
        if name not in self.forge.branches:
            raise NotFound(f"there is no branch {name}")
        return self.forge.branches[name]


def _labels_at_merge(pull: Pull) -> dict[str, tuple[str, datetime]]:
    found: dict[str, tuple[str, datetime]] = {}
    for event, label, actor, at in pull.marks:
        if event == "merged":
            break
        if event == "labeled":
            found[label] = (actor, at)
        else:
            found.pop(label, None)
    return found


def _facts(pull: Pull, label: str, by: str, at: datetime) -> Facts:
    return Facts(pull.number, label, by, _text(at), pull.body, pull.paths)


def _change(pull: Pull) -> Change:
    merged_at = _text(pull.merged_at) if pull.merged_at else ""
    labels = tuple(_labels_at_merge(pull))
    url = f"https://github.example/pull/{pull.number}"
    return Change(pull.number, pull.title, pull.author, pull.merged_by, merged_at, labels, url)
