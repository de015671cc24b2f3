"""Webhooks' addresses and deliveries."""

from __future__ import annotations

import json

from devhost.github.hooks import OWN
from devhost.github.shapes.base import EPOCH, INSTALLATION, Base, Json
from devhost.github.store import Record

_LOGGED = ("id", "guid", "delivered_at", "redelivery", "duration", "status", "status_code", "event", "repository_id")


class Hooks(Base):
    """Shapes of hooks."""

    def hook(self, hook: Record, app: int = 0) -> Json:
        """A hook, of a repository or, with its id, of the App; its secret is never told."""
        api = f"{self.origin}/app/hook" if app else self.api(hook, f"/hooks/{hook['id']}")
        secret = {"secret": "********"} if hook["secret"] else {}
        shape = {
            "type": "App" if app else "Repository",
            "id": hook["id"],
            "name": "web",
            "active": hook["active"],
            "events": hook["events"],
            "config": {
                "url": hook["url"] or f"{self.origin}/nowhere",
                "content_type": hook["content_type"],
                "insecure_ssl": hook["insecure_ssl"],
                **secret,
            },
            "updated_at": hook["updated_at"],
            "created_at": hook["created_at"],
            "url": api,
            "ping_url": f"{api}/pings",
            "deliveries_url": f"{api}/deliveries",
        }
        if app:
            return {**shape, "app_id": app}
        return {**shape, "test_url": f"{api}/tests", "last_response": self._last_response(hook)}

    def _last_response(self, hook: Record) -> Json:
        log = self.double.store.all(
            "delivery", hook["repository"], hook=hook["id"], repository_id=hook["repository_id"]
        )
        answered = next((one for one in reversed(log) if one["status_code"]), None)
        if answered is None:
            return {"code": None, "status": "unused", "message": None}
        status = "active" if answered["status_code"] < 300 else "misconfigured"
        return {"code": answered["status_code"], "status": status, "message": answered["status"]}

    def delivery(self, delivery: Record, app: bool) -> Json:
        """A line of the log of deliveries."""
        logged = {name: delivery[name] for name in _LOGGED}
        installation = INSTALLATION if app and delivery["hook"] == OWN else None
        return {**logged, "action": delivery["action"] or None, "installation_id": installation, "throttled_at": None}

    def full_delivery(self, delivery: Record, app: bool, headers: dict[str, str]) -> Json:
        """A delivery with what was sent and what came back."""
        return {
            **self.delivery(delivery, app),
            "request": {"headers": headers, "payload": json.loads(delivery["payload"])},
            "response": {"headers": delivery["response_headers"], "payload": delivery["response"]},
        }

    def installation(self, app: Json, owner: str) -> Json:
        """The App's installation on an account."""
        account = self.user(owner)
        here = f"{self.origin}/app/installations/{INSTALLATION}"
        return {
            "id": INSTALLATION,
            "app_id": app["id"],
            "app_slug": app["slug"],
            "target_id": account["id"],
            "target_type": "User",
            "account": account,
            "repository_selection": "all",
            "permissions": app["permissions"],
            "events": app["events"],
            "single_file_name": None,
            "suspended_by": None,
            "suspended_at": None,
            "created_at": EPOCH,
            "updated_at": EPOCH,
            "access_tokens_url": f"{here}/access_tokens",
            "repositories_url": f"{self.origin}/installation/repositories",
            "html_url": f"{self.origin}/settings/installations/{INSTALLATION}",
        }
