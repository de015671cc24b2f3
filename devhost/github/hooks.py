"""Webhooks' addresses: the one the double was started with, and those that repositories register."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from devhost.github.refusals import Refused, invalid
from devhost.github.store import Record, Store, now

OWN = 1  # the id of the hook the double was started with
EVENTS = (
    *("push", "pull_request", "issue_comment", "issues", "label", "check_run", "check_suite", "status"),
    *("workflow_run", "repository", "merge_group"),
)


@dataclass(frozen=True)
class OwnHook:
    """Where the double's own webhooks go: an App's, or one that every repository has; never one of a fork."""

    url: str  # empty: they are only logged
    secret: str = field(repr=False)
    app: bool  # whether it is the App's


class Hooks:
    """Who hears of what."""

    def __init__(self, store: Store, own: OwnHook) -> None:
        self._store = store
        self.own = own

    def hearing(self, event: str, repository: Record) -> list[Record]:
        """List the hooks that an event of a repository goes to."""
        own = [] if repository.get("parent") else [self.own_of(repository)]
        hooks = [*own, *self._store.all("hook", repository["repository"])]
        return [hook for hook in hooks if hook["active"] and {event, "*"} & {*hook["events"], "ping"}]

    def of(self, repository: Record) -> list[Record]:
        """List the hooks a repository has; an App's is not among them."""
        own = [self.own_of(repository)] if self.own.url and not self.own.app and not repository.get("parent") else []
        return [*own, *self._store.all("hook", repository["repository"])]

    def find(self, repository: Record, number: int) -> Record:
        """Find a repository's hook by its id."""
        found = next((hook for hook in self.of(repository) if hook["id"] == number), None)
        if found is None:
            raise Refused(404, "Not Found")
        return found

    def own_of(self, repository: Record) -> Record:
        """Give the double's own hook, as a repository has it."""
        return {
            "id": OWN,
            "repository": repository["repository"],
            "repository_id": repository["id"],
            "events": list(EVENTS),
            "active": True,
            "url": self.own.url,
            "secret": self.own.secret,
            "content_type": "json",
            "insecure_ssl": "0",
            "created_at": repository["created_at"],
            "updated_at": repository["created_at"],
        }

    def register(self, repository: Record, fields: Mapping[str, Any]) -> Record:
        """Register a webhook, at most one of each address."""
        config = fields.get("config") or {}
        url = _address(config.get("url"))
        if any(hook["url"] == url for hook in self.of(repository)):
            raise Refused(422, "Validation Failed", (_exists(),))
        return self._store.add(
            "hook",
            repository["repository"],
            repository_id=repository["id"],
            url=url,
            secret=config.get("secret") or "",
            content_type=config.get("content_type") or "form",
            insecure_ssl=str(config.get("insecure_ssl") or "0"),
            events=_known(fields.get("events") or ["push"]),
            active=bool(fields.get("active", True)),
            created_at=now(),
            updated_at=now(),
        )

    def change(self, hook: Record, fields: Mapping[str, Any]) -> Record:
        """Change a hook that a repository registered."""
        if hook["id"] == OWN:
            raise Refused(422, "The double's own hook is what its command line says.")
        config = fields.get("config") or {}
        if "url" in config:
            hook["url"] = _address(config["url"])
        hook.update({name: config[name] for name in ("secret", "content_type", "insecure_ssl") if name in config})
        events = list(fields.get("events") or hook["events"])
        gone = set(fields.get("remove_events") or ())
        hook["events"] = _known([one for one in [*events, *(fields.get("add_events") or ())] if one not in gone])
        hook.update(active=bool(fields.get("active", hook["active"])), updated_at=now())
        self._store.save(hook)
        return hook


def _address(url: object) -> str:
    if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https"):
        raise invalid("Hook", "url", "url is missing or not http(s)")
    return url


def _known(events: list[str]) -> list[str]:
    names = list(dict.fromkeys(str(event) for event in events))
    for event in names:
        if event not in (*EVENTS, "*", "check_suite", "deployment", "deployment_status", "workflow_job", "create"):
            raise invalid("Hook", "events", f"Event {event!r} is not known")
    return names


def _exists() -> dict[str, str]:
    return {"resource": "Hook", "code": "custom", "message": "Hook already exists on this repository"}
