"""Which permission a request needs: of an App its installation's, of a person's token their role."""

from __future__ import annotations

import re
from dataclasses import dataclass

from devhost.github.refusals import Refused

_READS = ("GET", "HEAD")


@dataclass(frozen=True)
class Need:
    """What one kind of request needs."""

    methods: str  # write | any
    path: str  # below /repos/owner/name
    app: str  # the App's permission, to read or to write
    role: str  # the least role on the repository


NEEDS = (
    Need("any", r"/hooks(/.*)?", "repository_hooks", "admin"),
    Need("any", r"/branches/.+/protection", "administration", "admin"),
    Need("any", r"/collaborators/[^/]+/permission", "metadata", "write"),
    Need("write", r"/check-runs(/.*)?", "checks", "write"),
    Need("write", r"/statuses/.*", "statuses", "write"),
    Need("write", r"/deployments(/.*)?", "deployments", "write"),
    Need("write", r"/pulls/\d+/merge", "contents", "write"),
    Need("write", r"/pulls(/.*)?", "pull_requests", "read"),
    Need("write", r"/(contents|git)/.*", "contents", "write"),
    Need("write", r"/issues/\d+/labels(/.*)?", "issues", "triage"),
    Need("write", r"/labels(/.*)?", "issues", "write"),
    Need("write", r"/issues(/.*)?", "issues", "read"),
    Need("write", r"/commits/[^/]+/comments|/comments/\d+", "contents", "read"),
    Need("write", r".*", "contents", "write"),
    Need("any", r".*", "metadata", "read"),
)


def need_of(method: str, path: str) -> tuple[Need, str]:
    """Give what a request below /repos/owner/name needs, and whether to read or to write."""
    level = "read" if method in _READS else "write"
    fitting = (need for need in NEEDS if need.methods in ("any", level) and re.fullmatch(need.path, path))
    return next(fitting), level


def check_app(permissions: dict[str, str], need: Need, level: str) -> None:
    """Raise Refused 403 unless the App has the permission."""
    has = permissions.get(need.app, "read" if need.app == "metadata" else "")
    if has not in (level, "write", "admin"):
        accepted = {"X-Accepted-GitHub-Permissions": f"{need.app}={level}"}
        raise Refused(403, "Resource not accessible by integration", headers=accepted)
