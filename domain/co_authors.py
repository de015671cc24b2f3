"""Who else wrote a commit: a squash keeps the others only as trailers of its message."""

from __future__ import annotations

import re

_TRAILER = re.compile(r"^co-authored-by:[^<\n]*<([^<>\s]+@[^<>\s]+)>[ \t]*$", re.IGNORECASE | re.MULTILINE)
# GitHub's own addresses hold the login; those of GitHub Enterprise Server end in the server's name.
_NOREPLY = re.compile(r"(?:\d+\+)?([a-z0-9][a-z0-9-]*(?:\[bot\])?)@users\.noreply\.[a-z0-9.-]+", re.IGNORECASE)


def addresses(message: str) -> tuple[str, ...]:
    """Return the mail addresses of a commit's co-authors, each once."""
    return tuple(dict.fromkeys(address.lower() for address in _TRAILER.findall(message.replace("\r\n", "\n"))))


def login_in(address: str) -> str:
    """Return the login that one of GitHub's own addresses holds; nothing for any other."""
    found = _NOREPLY.fullmatch(address)
    return found[1] if found else ""
