"""The keys that callers of functions need when auth is enabled."""

from __future__ import annotations

import hmac
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Protocol


class Notes(Protocol):
    """Keeps small texts by name; the task hub does."""

    async def note(self, name: str) -> str | None:
        """Return what is kept under the name."""

    async def set_note(self, name: str, text: str) -> None:
        """Keep a text."""


@dataclass(frozen=True)
class Keys:
    """One master key, one host key, a key for each function, and the system key of the durable API."""

    master: str
    host: str
    durable: str
    functions: Mapping[str, str]  # lower-case function name -> its own key

    def allow(self, level: str, function_name: str, given: str) -> bool:
        """Tell whether `given` opens a function of this auth level."""
        if level == "ANONYMOUS":
            return True
        accepted = [self.master]
        if level == "FUNCTION":
            accepted += [self.host, self.functions.get(function_name.lower(), "")]
        return any(key and same(key, given) for key in accepted)


def same(key: str, given: str) -> bool:
    """Compare in constant time; `given` may hold what a header had beside UTF-8."""
    return hmac.compare_digest(key.encode(), given.encode(errors="surrogateescape"))


async def keep_keys(notes: Notes, function_names: Iterable[str], env: Mapping[str, str] = os.environ) -> Keys:
    """Return the hub's keys, made at the first start; DEVHOST_MASTER_KEY and DEVHOST_HOST_KEY replace two of them."""
    saved = json.loads(await notes.note("keys") or "{}")
    functions = saved.get("functions", {})
    keys = Keys(
        master=env.get("DEVHOST_MASTER_KEY") or saved.get("master") or secrets.token_urlsafe(32),
        host=env.get("DEVHOST_HOST_KEY") or saved.get("host") or secrets.token_urlsafe(32),
        durable=saved.get("durable") or secrets.token_urlsafe(32),
        functions={name.lower(): functions.get(name.lower()) or secrets.token_urlsafe(32) for name in function_names},
    )
    await notes.set_note("keys", json.dumps(asdict(keys)))
    return keys


async def keep_secret(notes: Notes, name: str) -> str:
    """Return a random secret that stays the same over restarts."""
    secret = await notes.note(name)
    if secret is None:
        secret = secrets.token_urlsafe(32)
        await notes.set_note(name, secret)
    return secret
