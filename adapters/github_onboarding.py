"""GitHub as somebody sees it who sets a repository up: rights, labels, one pull request, the webhook, protection.

Every step looks before it acts, so that running all of them again completes what is missing and changes nothing else.
"""

from __future__ import annotations

import posixpath
import tarfile
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO
from urllib.parse import quote, urlsplit

from github.Hook import Hook
from github.Installation import Installation
from github.Repository import Repository

from adapters.github import GitHub
from domain.errors import Conflict, Forbidden, Invalid, NotFound
from domain.flow_files import FLOWS, LOOKED_AT, Dataset, Files, read_dataset
from domain.onboarding import BRANCH, CONFIG
from domain.onboarding_rights import Rights

LARGEST = 100_000  # bytes of a file that is read; configs, flows and evaluators are smaller
_READ = (CONFIG, "pyproject.toml", "CODEOWNERS", ".github/CODEOWNERS", "docs/CODEOWNERS")
_HIDDEN = "********"  # how GitHub shows a secret


@dataclass(frozen=True)
class Place:
    """A repository: its name as GitHub writes it, where its owner is, and which of the branches asked for it has."""

    name: str
    url: str
    default_branch: str
    heads: Mapping[str, str]  # branch -> sha
    person: str  # whose token signs in, else the owner


@dataclass(frozen=True)
class Wanted:
    """A file that the repository shall have. One with `mark` in it is as it should be."""

    path: str
    text: str
    mark: str = ""


class Onboarding(GitHub):
    """What onboarding asks of GitHub and does there; errors as in GitHub."""

    def place(self, name: str, branches: Iterable[str]) -> Place:
        """Find the repository. Raises NotFound, also without the App installed, and Invalid when it has moved on."""
        found = self._found(name)
        if found.full_name.lower() != name.lower():
            raise Invalid(f"{name} is called {found.full_name} now: use that name, also in DRAWBRIDGE_REPOSITORIES.")
        if found.archived:
            raise Invalid(f"{found.full_name} is archived: unarchive it first.")
        heads = {branch: self._head(found, branch) for branch in dict.fromkeys((found.default_branch, *branches))}
        return Place(
            found.full_name,
            found.html_url,
            found.default_branch,
            {branch: sha for branch, sha in heads.items() if sha},
            found.owner.login if self._app else self._steady.call(lambda: self._client(name).get_user().login),
        )

    def rights(self, name: str) -> Rights:
        """Read what GitHub tells about our permissions."""
        if self._app:
            return self._rights_of_app(name)
        found = self._found(name)
        user = self._steady.call(lambda: self._client(name).get_user().complete())
        told = user.raw_headers.get("x-oauth-scopes")  # only of a classic token
        scopes = None if told is None else str(told).split(",")
        page = "tokens" if scopes is not None else "personal-access-tokens"
        return Rights(
            kind="fine-grained" if scopes is None else "classic",
            role=found.raw_data.get("permissions") or {},
            grant_at=f"{_site(found.html_url)}/settings/{page}",
            permissions={},
            scopes=[scope.strip() for scope in scopes or ()],
            private=found.private,
        )

    def _found(self, name: str) -> Repository:
        if self._app:
            self._installation(name)
        try:
            return self._steady.call(lambda: self._repository(name).complete())
        except NotFound as error:
            raise NotFound(
                f"There is no repository {name}, or our token may not see it: check the owner and the name. {error}"
            ) from error

    def _installation(self, name: str) -> Installation:
        owner, _, repository = name.partition("/")
        if not owner or not repository:
            raise Invalid(f"{name!r} is not a repository: write it as owner/name.")
        try:
            return self._steady.call(lambda: self._integration().get_repo_installation(owner, repository))
        except NotFound as error:
            app = self._steady.call(lambda: self._integration().get_app())
            raise NotFound(
                f"The App {app.slug} is not installed on {name}, or there is no such repository: check the owner and "
                f"the name, then install it at {app.html_url}/installations/new."
            ) from error

    def _rights_of_app(self, name: str) -> Rights:
        app = self._steady.call(lambda: self._integration().get_app())
        owner = app.raw_data.get("owner") or {}
        organization = f"/organizations/{owner['login']}" if owner.get("type") == "Organization" else ""
        return Rights(
            kind="app",
            role={},
            grant_at=f"{_site(app.html_url)}{organization}/settings/apps/{app.slug}/permissions",
            permissions=self._installation(name).raw_data.get("permissions") or {},
            events=app.raw_data.get("events") or (),
        )

    def files(self, name: str, sha: str) -> Files:
        """Read what a guess looks at from the repository's files at a commit."""
        with tempfile.TemporaryDirectory() as folder:
            tarball = Path(folder, "repository.tar.gz")
            self.download(name, sha, tarball)
            return _read_files(tarball)

    def text(self, name: str, path: str, ref: str) -> str | None:
        """Read a file on a branch; None when it is not there."""
        found = self._content(self._repository(name), path, ref)
        return found[0] if found else None

    def ensure_label(self, name: str, label: str, color: str, description: str) -> bool:
        """Create a label unless it is there; say whether it was created."""
        place = self._repository(name)

        def attempt() -> bool:
            try:
                self._once.call(lambda: place.get_label(label).complete())
                return False
            except NotFound:
                self._once.call(lambda: place.create_label(label, color, description))
                return True

        return self._steady.call(attempt)

    def turned_down(self, name: str, base: str) -> str | None:
        """Find our pull request that people closed without merging it; None once its branch is deleted as well."""
        place = self._repository(name)
        pulls = self._steady.call(lambda: list(place.get_pulls(state="all", head=_ours(name), base=base)))
        undecided = not pulls or any(pull.state == "open" for pull in pulls)
        return None if undecided or pulls[0].merged_at or not self._head(place, BRANCH) else pulls[0].html_url

    def ensure_pull(self, name: str, base: str, files: Sequence[Wanted], title: str, body: str) -> tuple[str, bool]:
        """Open the one pull request with the files, or complete it; give its address and whether anything was done.

        Raises Conflict when the branch holds something else that is in no pull request.
        """
        place = self._repository(name)
        head = _ours(name)
        pulls = self._steady.call(lambda: list(place.get_pulls(state="open", head=head, base=base)))
        if not pulls:
            self._prepare_branch(place, base, {file.path for file in files})
        written = [file for file in files if self._ensure_file(place, file)]
        if pulls:
            return pulls[0].html_url, bool(written)

        def attempt() -> str:
            there = list(place.get_pulls(state="open", head=head, base=base))
            pull = there[0] if there else place.create_pull(base, BRANCH, title=title, body=body)
            return pull.html_url

        return self._steady.call(attempt), True

    def _prepare_branch(self, place: Repository, base: str, ours: set[str]) -> None:
        start = self._steady.call(lambda: place.get_branch(base).commit.sha)
        if not self._head(place, BRANCH):
            self._steady.call(lambda: self._head(place, BRANCH) or place.create_git_ref(f"refs/heads/{BRANCH}", start))
            return
        left = self._steady.call(lambda: place.compare(start, BRANCH))
        foreign = sorted(file.filename for file in left.files if file.filename not in ours)
        if foreign:
            raise Conflict(
                f"The branch {BRANCH} of {place.full_name} has other work in it ({', '.join(foreign[:5])}), and no "
                "open pull request: merge, rename or delete it, then run this again."
            )
        if left.status == "behind":
            self._steady.call(lambda: place.get_git_ref(f"heads/{BRANCH}").complete().edit(start))

    def _ensure_file(self, place: Repository, file: Wanted) -> bool:
        def attempt() -> bool:
            found = self._content(place, file.path, BRANCH)
            if found and file.mark in found[0]:
                return False
            message = f"{'Change' if found else 'Add'} {file.path} for Drawbridge"
            if found:
                place.update_file(file.path, message, file.text, found[1], branch=BRANCH)
            else:
                place.create_file(file.path, message, file.text, branch=BRANCH)
            return True

        return self._steady.call(attempt)

    def app_delivers(self, url: str) -> bool:
        """Say whether the App's own webhook leads here already, so that none is needed in the repository."""
        if not self._app:
            return False
        ask = self._integration()
        try:
            _, config = self._steady.call(
                lambda: ask.requester.requestJsonAndCheck("GET", "/app/hook/config", headers=ask._get_headers())
            )
        except NotFound:
            return False  # it has none
        return isinstance(config, dict) and config.get("url") == url

    def ensure_hook(self, name: str, url: str, secret: str, events: Sequence[str]) -> str:
        """Register the webhook or mend the one that leads here; give "registered", "updated" or "" for nothing done."""
        place = self._repository(name)
        config = {"url": url, "content_type": "json", "insecure_ssl": "0", "secret": secret}

        def attempt() -> str:
            ours = [hook for hook in place.get_hooks() if hook.config.get("url") == url]
            if not ours:
                place.create_hook("web", config, list(events), active=True)
                return "registered"
            if _as_wanted(ours[0], config, events):
                return ""
            # Hook.edit sends a name as well, which GitHub does not know here.
            wanted = {"config": config, "events": list(events), "active": True}
            place.requester.requestJsonAndCheck("PATCH", f"{place.url}/hooks/{ours[0].id}", input=wanted)
            return "updated"

        return self._steady.call(attempt)

    def required_checks(self, name: str, branch: str) -> tuple[str, ...] | None:
        """List the checks that a branch requires, by rules or by its protection; None when we may not see them."""
        place = self._repository(name)
        found = self._ruled(place, branch)
        try:
            protection = self._steady.call(lambda: place.get_branch(branch).get_protection())
        except NotFound:
            return tuple(sorted(found))
        except Forbidden:
            return tuple(sorted(found)) or None
        checks = protection.required_status_checks
        return tuple(sorted(found | set(checks.contexts if checks else ())))

    def _ruled(self, place: Repository, branch: str) -> set[str]:
        ask = place.requester
        try:
            _, rules = self._steady.call(
                lambda: ask.requestJsonAndCheck("GET", f"{place.url}/rules/branches/{quote(branch)}")
            )
        except NotFound:
            return set()  # a server that has no rules yet
        return {
            check["context"]
            for rule in rules or ()
            if rule["type"] == "required_status_checks"
            for check in rule["parameters"]["required_status_checks"]
        }

    def _head(self, place: Repository, branch: str) -> str:
        try:
            return self._steady.call(lambda: place.get_branch(branch).commit.sha)
        except NotFound:
            return ""

    def _content(self, place: Repository, path: str, ref: str) -> tuple[str, str] | None:
        try:
            found = self._once.call(lambda: place.get_contents(path, ref))
        except NotFound:
            return None
        if isinstance(found, list):
            raise Conflict(f"{path} is a directory in {place.full_name}: rename it, then run this again.")
        return found.decoded_content.decode("utf-8", "replace"), found.sha


def _ours(name: str) -> str:
    return f"{name.partition('/')[0]}:{BRANCH}"


def _as_wanted(hook: Hook, config: Mapping[str, str], events: Sequence[str]) -> bool:
    told = {**hook.config, "insecure_ssl": str(hook.config.get("insecure_ssl"))}
    # What the secret is GitHub does not tell; that it is another one shows in our own answer to the last delivery.
    refused = (hook.raw_data.get("last_response") or {}).get("code") == 401
    same = all(told.get(name) == value for name, value in {**config, "secret": _HIDDEN}.items())
    return same and hook.active and set(hook.events) == set(events) and not refused


def _site(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _read_files(tarball: Path) -> Files:
    paths, texts, datasets = [], {}, list[Dataset]()
    with tarfile.open(tarball) as files:
        for member in files:
            path = member.name.partition("/")[2]
            content = files.extractfile(member) if member.isfile() and path else None
            if content is None:
                continue
            paths.append(path)
            if path.endswith(".jsonl"):
                datasets += filter(None, [_read_dataset(path, content)])
            elif member.size <= LARGEST and _matters(path):
                texts[path] = content.read().decode("utf-8", "replace")
    return Files(paths, texts, datasets)


def _matters(path: str) -> bool:
    name = posixpath.basename(path)
    return path in _READ or name in FLOWS or (path.startswith("evaluat") and name.endswith(".py"))


def _read_dataset(path: str, content: IO[bytes]) -> Dataset | None:
    rows = (line.decode("utf-8", "replace") for line in content if line.strip())
    first = list(islice(rows, LOOKED_AT))
    return read_dataset(path, first, len(first) + sum(1 for _ in rows))
