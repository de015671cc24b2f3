"""Everything the environment decides, read once. `local.settings.example.json` shows every name."""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import time
from functools import cache
from pathlib import Path
from typing import TypeVar, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from domain.errors import DrawbridgeError

Value = TypeVar("Value")
log = logging.getLogger("drawbridge.settings")


class SettingsError(DrawbridgeError):
    """Settings are missing or cannot be used; `wrong` has a sentence for each, which names it and what it expects."""

    def __init__(self, *wrong: str) -> None:
        super().__init__("; ".join(wrong))
        self.wrong = wrong


@dataclass(frozen=True)
class Branch:
    """A branch's name: one for all repositories, and another one for those that stand out."""

    default: str
    exceptions: Mapping[str, str] = field(default_factory=dict)  # owner/name in lower case -> branch

    def of(self, repository: str) -> str:
        """Return its name in one repository; GitHub tells no case apart."""
        return self.exceptions.get(repository.lower(), self.default)


@dataclass(frozen=True)
class Settings:
    """One frozen view of the environment. Secrets are kept out of `repr`."""

    repositories: tuple[str, ...]  # owner/name of each repository this app releases
    release_branch: Branch  # a push to it starts a release; `main, owner/name=trunk` names another one for one of them
    develop_branch: Branch  # where changes are integrated before a release; exceptions likewise
    public_url: str  # where people reach this app, without a trailing slash
    blobs: str = field(repr=False)  # connection string, or an account URL (then a managed identity is used)
    container: str  # the blob container that keeps everything
    webhook_secret: str = field(repr=False)  # what GitHub signs its deliveries with
    link_secret: str = field(repr=False)  # approval links derive from it
    github_url: str  # GitHub's REST API; https://<host>/api/v3 for GitHub Enterprise Server
    github_token: str = field(repr=False)  # signs in with a token; without one, as the App
    github_app_id: str  # of the GitHub App
    github_app_key: str = field(repr=False)  # PEM; used when no token is set
    people: Mapping[str, str]  # GitHub login -> sign-in name; a login that is missing signs in as itself
    authentication: bool  # the platform signs people in and its identity headers can be trusted
    compute: str  # local | azureml
    registry: str  # local | acr
    web_app: str  # local | app_service
    state: Path  # local stand-ins keep their files and process records here
    worker_variables: Mapping[str, str] = field(repr=False)  # all that a worker process gets, beside PATH and HOME
    poll_seconds: float  # how often running jobs and deployments are looked at
    look_seconds: float  # how often what waits for people, a window or its turn looks at what has changed
    github_events: str  # webhook | poll: with poll the reconciler is the only source of events
    reconcile_seconds: float  # how often the reconciler compares GitHub with what exists here
    nightly_at: time  # when the nightly evaluation of a date is due, by the clocks of `timezone`
    timezone: ZoneInfo  # of the nightly evaluation, such as Europe/Berlin

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Read and check all settings. Raises SettingsError naming each that is missing or wrong."""
        wrong: list[str] = []

        def read(reader: Callable[..., Value], *names: str) -> Value:
            try:
                return reader(env, *names)
            except SettingsError as error:
                wrong.extend(sentence for sentence in error.wrong if sentence not in wrong)
                return cast(Value, "")  # nobody sees it: what is wrong is raised below

        found = cls(
            repositories=tuple(_names(read(_need, "DRAWBRIDGE_REPOSITORIES"))),
            release_branch=read(_branch, "DRAWBRIDGE_RELEASE_BRANCH", "main"),
            develop_branch=read(_branch, "DRAWBRIDGE_DEVELOP_BRANCH", "develop"),
            public_url=read(_need, "DRAWBRIDGE_PUBLIC_URL").rstrip("/"),
            blobs=env.get("DRAWBRIDGE_BLOBS") or read(_need, "AzureWebJobsStorage"),
            container=env.get("DRAWBRIDGE_CONTAINER", "drawbridge"),
            webhook_secret=read(_secret, "DRAWBRIDGE_WEBHOOK_SECRET"),
            link_secret=read(_secret, "DRAWBRIDGE_LINK_SECRET"),
            github_url=env.get("DRAWBRIDGE_GITHUB_URL", "https://api.github.com").rstrip("/"),
            github_token=env.get("DRAWBRIDGE_GITHUB_TOKEN", ""),
            github_app_id=env.get("DRAWBRIDGE_GITHUB_APP_ID", ""),
            github_app_key=env.get("DRAWBRIDGE_GITHUB_APP_KEY", ""),
            people=read(_people),
            authentication=env.get("WEBSITE_AUTH_ENABLED", "").lower() == "true",
            compute=read(_built, "DRAWBRIDGE_COMPUTE", "local", "azureml"),
            registry=read(_built, "DRAWBRIDGE_REGISTRY", "local", "acr"),
            web_app=read(_built, "DRAWBRIDGE_WEB_APP", "local", "app_service"),
            state=Path(env.get("DRAWBRIDGE_STATE", ".drawbridge")).resolve(),
            worker_variables={
                name: env[name] for name in _names(env.get("DRAWBRIDGE_WORKER_VARIABLES", "")) if name in env
            },
            poll_seconds=read(_seconds, "DRAWBRIDGE_POLL_SECONDS", "30"),
            look_seconds=read(_seconds, "DRAWBRIDGE_LOOK_SECONDS", "300"),
            github_events=read(_one_of, "DRAWBRIDGE_GITHUB_EVENTS", "webhook", "poll"),
            reconcile_seconds=read(_seconds, "DRAWBRIDGE_RECONCILE_SECONDS", "300"),
            nightly_at=read(_time, "DRAWBRIDGE_NIGHTLY_AT", "01:00"),
            timezone=read(_zone, "DRAWBRIDGE_TIMEZONE", "UTC"),
        )
        if wrong:
            raise SettingsError(*wrong)
        return found

    def branches(self, repository: str) -> tuple[str, str]:
        """Return the release branch and the develop branch of a repository."""
        return self.release_branch.of(repository), self.develop_branch.of(repository)


@cache
def current() -> Settings:
    """The settings of this process."""
    return Settings.from_env(os.environ)


def look() -> None:
    """Say in the log, one line each, what is wrong with the settings.

    For the start of the app, which goes on: with functions that cannot be listed the host would serve nothing, and say
    less. Each function refuses with the same words as long as anything is wrong.
    """
    try:
        current()
    except SettingsError as error:
        for sentence in error.wrong:
            log.error("%s. Until it is mended and the app restarted, nothing is released.", sentence)


def _need(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "").strip()
    if not value:
        raise SettingsError(f"{name} is not set: see local.settings.example.json for what it holds")
    return value


def _secret(env: Mapping[str, str], name: str) -> str:
    value = _need(env, name)
    if value.startswith("@Microsoft.KeyVault("):
        # App Service leaves the reference as text when it cannot resolve it; signing with that text would be forgeable.
        raise SettingsError(f"{name} is an unresolved Key Vault reference: give the app's identity access to the vault")
    return value


def _built(env: Mapping[str, str], name: str, built: str, planned: str) -> str:
    value = env.get(name, built)
    if value == planned:
        raise SettingsError(f"{name} is {planned!r}, which is not built yet: choose {built}")
    if value != built:
        raise SettingsError(f"{name} is {value!r}: choose {built}")
    return value


def _one_of(env: Mapping[str, str], name: str, *choices: str) -> str:
    value = env.get(name, choices[0])
    if value not in choices:
        raise SettingsError(f"{name} is {value!r}: choose {' or '.join(choices)}")
    return value


def _time(env: Mapping[str, str], name: str, default: str) -> time:
    text = env.get(name, default)
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{name} is {text!r}: expected hours and minutes such as 01:00") from None


def _zone(env: Mapping[str, str], name: str, default: str) -> ZoneInfo:
    text = env.get(name, default)
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(f"{name} is {text!r}: expected a time zone such as Europe/Berlin") from None


def _branch(env: Mapping[str, str], name: str, default: str) -> Branch:
    text = env.get(name, default)
    released = {repository.lower() for repository in _names(_need(env, "DRAWBRIDGE_REPOSITORIES"))}
    found: dict[str, str] = {}  # "" is all others
    for part in text.split(","):
        left, equals, right = (word.strip() for word in part.partition("="))
        repository, branch = (left.lower(), right) if equals else ("", left)
        trouble = ""
        if equals and repository not in released:
            trouble = f"{left or 'a branch without a repository'} is not in DRAWBRIDGE_REPOSITORIES"
        elif not branch:
            trouble = f"{left or 'a place between commas'} has no branch"
        elif repository in found:
            trouble = f"{left if equals else 'the branch of all others'} is named twice"
        if trouble:
            raise SettingsError(f"{name} is {text!r}: {trouble}; expected {default}, or {default}, owner/name=branch")
        found[repository] = branch
    return Branch(found.pop("", default), found)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _seconds(env: Mapping[str, str], name: str, default: str) -> float:
    text = env.get(name, default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise SettingsError(f"{name} is {text!r}: expected a number of seconds above 0")
    return seconds


def _people(env: Mapping[str, str]) -> Mapping[str, str]:
    text = env.get("DRAWBRIDGE_PEOPLE", "{}")
    try:
        people = json.loads(text)
    except ValueError:
        people = None
    if not isinstance(people, dict) or not all(isinstance(value, str) for value in people.values()):
        raise SettingsError('DRAWBRIDGE_PEOPLE must be a JSON object such as {"maria": "maria@contoso.com"}')
    return people
