"""GitHub, through PyGithub: where a release comes from, its files, and what Drawbridge says about it there.

Every call has a timeout, and asking is repeated a few times when GitHub or the network is in trouble. All writing comes
from the outbox, through `deliver`.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from github import Auth, Github, GithubIntegration
from github.AuthenticatedUser import AuthenticatedUser
from github.Repository import Repository

from adapters import github_changes, github_listing, github_marks, github_people, github_refs, github_writes
from adapters.github_calls import Steady, fetch
from adapters.github_limits import check_sha
from adapters.github_origin import Found, find_origin, first_parents, opt_out_now, relation
from domain.asks import OwnCheck
from domain.changes import ChangeFacts, Check
from domain.errors import Invalid
from domain.opt_out import Facts
from domain.outbox import Comment, DeploymentState, Issue, Label, Merge, Message, Reply, Status, Told, Written

SECONDS = 20  # for one call

WRITERS: dict[type[Message], Callable[..., Written]] = {
    Status: github_marks.write_mark,
    Comment: github_writes.write_comment,
    Reply: github_writes.write_reply,
    Label: github_writes.write_label,
    Issue: github_writes.write_issue,
    Merge: github_writes.merge,
    DeploymentState: github_writes.write_deployment,
}


class GitHub:
    """One GitHub, signed in by token, or as an App through its installation on each repository.

    Methods raise Unavailable (worth trying again, after `retry_after` seconds where GitHub said so), NotFound,
    Forbidden, Conflict or Invalid, each saying what to do. Safe to share between threads.
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        app_id: str = "",
        app_key: str = "",
        *,
        buttons: bool = True,
        timeout: int = SECONDS,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._url = url.rstrip("/")
        self._token = token
        # Settings of one line carry a PEM's line breaks as \n.
        self._app = (app_id, app_key.replace("\\n", "\n")) if app_id and not token else None
        self._buttons = buttons  # whether somebody hears of it when they are pressed
        self._timeout = timeout
        self._steady = Steady(self._url, sleep, now)
        self._once = Steady(self._url, sleep, now, pauses=())
        self._here = _PerThread()
        self._login = ""

    def check_access(self, repository: str) -> None:
        """See that the repository can be read with this sign-in."""
        self._steady.call(lambda: self._repository(repository).default_branch)  # its name alone asks nobody

    def permission(self, repository: str, login: str) -> str:
        """Give what a person may do there: admin, write (maintain counts as it), read (so does triage) or none."""
        return github_people.permission(self._steady, self._repository(repository), login)

    def team_members(self, org: str, slug: str) -> tuple[str, ...]:
        """List the logins in a team of an organization, its child teams included. Raises NotFound."""
        return github_people.team_members(self._steady, lambda: self._client(org), org, slug)

    def head_of_change(self, repository: str, number: int) -> github_refs.Head:
        """Find the head of a change, and whether it lies in a fork. Raises NotFound for what is no pull request."""
        return github_refs.head_of_change(self._steady, self._repository(repository), number)

    def head_of(self, repository: str, ref: str) -> str:
        """Give the sha that a branch or tag of the repository names. Raises NotFound saying what to do."""
        return github_refs.head_of(self._steady, repository, self._repository(repository), ref)

    def commit_on(self, repository: str, sha: str, branches: Sequence[str]) -> str:
        """Give the full sha of a commit that is on one of the branches. Raises Forbidden when it is on none.

        GitHub finds the commits of forks in the repository as well.
        """
        return github_refs.commit_on(self._steady, repository, self._repository(repository), sha, branches)

    def change_facts(self, repository: str, change: int) -> ChangeFacts:
        """Read a change as it is now. Raises NotFound."""
        return github_changes.change_facts(self._steady, repository, self._repository(repository), change)

    def changed_files(self, repository: str, change: int) -> tuple[str, ...]:
        """List the paths that a change touches, those it moves away from included: GitHub names up to 3,000."""
        return github_changes.changed_files(self._steady, self._repository(repository), change)

    def checks_of(self, repository: str, sha: str, names: Collection[str]) -> tuple[Check, ...]:
        """Find the newest check runs, statuses and workflows of a commit that have one of the names."""
        return github_changes.checks_of(self._steady, self._repository(repository), check_sha(sha), names)

    def own_checks(self, repository: str, sha: str) -> tuple[OwnCheck, ...]:
        """List our own check runs of a commit that have ended, the newest of each name."""
        place = self._repository(repository)
        return github_changes.own_checks(self._steady, place, check_sha(sha), self._steady.call(self._slug))

    def look(self, repository: str, path: str, etag: str = "") -> github_listing.Answer:
        """Ask for what lies at a path below a repository, or at a whole URL that an answer gave.

        What still has the etag comes without data, and costs nothing of the rate limit.
        """
        at = f"/repos/{repository}{path}" if path.startswith("/") else path
        return github_listing.look(self._once, lambda: self._repository(repository).requester, at, etag)

    @property
    def is_app(self) -> bool:
        """Whether we are signed in as the App: only an App can list its deliveries."""
        return self._app is not None

    def look_as_app(self, path: str, etag: str = "") -> github_listing.Answer:
        """Ask as the App itself for what lies at a path of the API."""
        return github_listing.look(self._once, lambda: self._integration().requester, path, etag)

    def redeliver(self, delivery: int) -> None:
        """Let the App's webhook be sent a delivery again."""
        path = f"/app/hook/deliveries/{delivery}/attempts"
        self._once.call(lambda: self._integration().requester.requestJsonAndCheck("POST", path))

    def find_origin(
        self, repository: str, sha: str, before: str, opt_out_label: str, branch: str | None = None
    ) -> Found:
        """Find the changes merged into `branch` (None: the default one) between `before` and `sha`, oldest first.

        There are none after a direct push, and can be many. A new branch (`before` all zeros), or one forced from a
        commit GitHub no longer has, counts as a push of `sha` alone. Commits are asked about one by one unless a
        change that was found explains them: at most 250, `origin.unseen` counts the rest.
        """
        place = self._repository(repository)
        target = branch or self._steady.call(lambda: place.default_branch)
        return find_origin(self._steady, repository, place, check_sha(sha), before, opt_out_label, target)

    def first_parents(self, repository: str, sha: str) -> Iterator[str]:
        """Yield a commit and its first parents, newest first, as far as they are among the last 250 commits up to it.

        Nothing for a commit that GitHub has forgotten.
        """
        return first_parents(self._steady, self._repository(repository), sha)

    def relation(self, repository: str, base: str, head: str) -> str:
        """Say where `head` stands to `base` (shas or branches): ahead, behind, identical or diverged.

        What GitHub has forgotten, after a forced push, counts as diverged.
        """
        return relation(self._steady, self._repository(repository), base, head)

    def opt_out_now(self, repository: str, change: int, label: str) -> Facts | None:
        """Find the opt-out label as it stands on a change now, with who put it there; None when it is not there."""
        return opt_out_now(self._steady, self._repository(repository), change, label)

    def download(self, repository: str, sha: str, to: Path) -> None:
        """Write the repository's files at a commit to `to` as GitHub's .tar.gz: whole, or not at all."""
        place = self._repository(repository)

        def attempt() -> None:
            link = place.get_archive_link("tarball", check_sha(sha))
            if urlsplit(link).scheme not in ("https", urlsplit(self._url).scheme):
                raise Invalid("GitHub sent us to an archive without encryption: check the URL of GitHub.")
            fetch(link, to, self._timeout)

        self._steady.call(attempt)

    def deliver(self, message: Message, told: Told | None, spend: Callable[[], None]) -> Written:
        """Give a thing on GitHub the state of a message, and say which one it is; for the outbox alone.

        `told` is what was delivered before about its subject, and `spend` is called before each write. Nothing is
        tried again here: the outbox does, at its own pace.
        """
        place = self._repository(message.repository, self._once)
        pen = github_writes.Pen(
            place, lambda: self._me(message.repository), bool(self._app), told, spend, self._buttons
        )
        return self._once.call(lambda: WRITERS[type(message)](pen, message))

    def _slug(self) -> str:
        return str(self._integration().get_app().slug)

    def _me(self, repository: str) -> str:
        if not self._login:
            user = self._integration().get_app() if self._app else self._client(repository).get_user()
            self._login = user.login if isinstance(user, AuthenticatedUser) else f"{user.slug}[bot]"
        return self._login

    def _repository(self, name: str, steady: Steady | None = None) -> Repository:
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", name, re.ASCII):
            raise Invalid(f"{name!r} is not a repository: write it as owner/name.")
        return (steady or self._steady).call(lambda: self._client(name).get_repo(name))

    def _client(self, place: str) -> Github:
        """Sign in for a repository, or for an organization (a name without a slash)."""
        key = place if self._app else ""
        if key not in self._here.clients:
            self._here.clients[key] = self._sign_in(place)
        return self._here.clients[key]

    def _sign_in(self, place: str) -> Github:
        if not self._app:
            return Github(auth=Auth.Token(self._token) if self._token else None, **self._options())
        integration = self._integration()
        owner, _, name = place.partition("/")
        installation = (
            integration.get_repo_installation(owner, name) if name else integration.get_org_installation(owner)
        )
        return integration.get_github_for_installation(installation.id)

    def _integration(self) -> GithubIntegration:
        app_id, key = self._app or ("", "")
        return GithubIntegration(auth=Auth.AppAuth(app_id, key), **self._options())

    def _options(self) -> dict[str, Any]:
        return {
            "base_url": self._url,
            "timeout": self._timeout,
            "per_page": 100,
            "lazy": True,  # a repository or commit is only a place to ask at, not a request of its own
            "retry": 0,  # Steady repeats: PyGithub's own retry sleeps for minutes inside an activity
            # A release writes a few dozen times in minutes, far below GitHub's limits; pausing before each costs more.
            "seconds_between_requests": 0,
            "seconds_between_writes": 0,
        }


class _PerThread(threading.local):
    # A connection of PyGithub keeps the request it is about to send in itself: two threads would mix theirs up.
    def __init__(self) -> None:
        self.clients: dict[str, Github] = {}
