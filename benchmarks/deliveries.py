"""Signed deliveries as GitHub sends them, and senders that wait for each answer."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
import uuid
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

REPOSITORY = "acme/helpdesk"
SECRET = "webhook-secret"  # noqa: S105  of a system that lives for one benchmark
SENDERS = 50
# Bytes of JSON without blanks, after GitHub's own examples of these events.
SIZES = {
    "push": 6_500,
    "pull_request": 24_000,
    "status": 10_500,
    "check_run": 12_000,
    "check_suite": 9_500,
    "issue_comment": 12_500,
    "deployment_status": 12_000,
}

# What is read and weighed before it is found to start nothing.
_STARTS_NOTHING: dict[str, dict[str, Any]] = {
    "pull_request": {
        "action": "synchronize",
        "pull_request": {
            "number": 7,
            "draft": True,
            "updated_at": "2026-11-23T09:00:00Z",
            "head": {"sha": "a" * 40, "ref": "sam/12-shorter", "repo": {"full_name": REPOSITORY}},
            "base": {"sha": "b" * 40, "ref": "develop", "repo": {"full_name": REPOSITORY}},
        },
    },
    "issue_comment": {
        "action": "created",
        "issue": {"number": 7, "pull_request": {}},
        "comment": {"id": 501, "body": "Looks good to me.", "user": {"login": "maria", "type": "User"}},
    },
}


def push(sha: str, branch: str = "main") -> bytes:
    """Return the request that tells of a push; to `main` it starts a release."""
    moved = {"ref": f"refs/heads/{branch}", "before": "b" * 40, "after": sha, "pusher": {"name": "sam"}}
    return _request("push", moved)


def other(event: str) -> bytes:
    """Return the request of an event that starts nothing."""
    return _request(event, _STARTS_NOTHING.get(event, {"action": "created"}))


def new_sha() -> str:
    """Return a commit that nobody has heard of."""
    return hashlib.sha1(uuid.uuid4().bytes, usedforsecurity=False).hexdigest()


def to(path: str, request: bytes) -> bytes:
    """Return the same request, to another path."""
    return request.replace(b"/api/github/webhook", path.encode(), 1)


def _request(event: str, content: dict[str, Any]) -> bytes:
    payload: dict[str, Any] = {**content, "repository": {"full_name": REPOSITORY}}
    body = json.dumps({**payload, "links": _links(SIZES[event] - len(json.dumps(payload)))}, separators=(",", ":"))
    signature = hmac.new(SECRET.encode(), body.encode(), hashlib.sha256).hexdigest()
    head = (
        "POST /api/github/webhook HTTP/1.1\r\n"
        "Host: localhost\r\n"
        "User-Agent: GitHub-Hookshot/bench\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"X-GitHub-Event: {event}\r\n"
        f"X-GitHub-Delivery: {uuid.uuid4()}\r\n"
        f"X-Hub-Signature-256: sha256={signature}\r\n\r\n"
    )
    return (head + body).encode()


def _links(size: int) -> dict[str, str]:
    """Return about `size` bytes of the links that most of a delivery consists of."""
    link = f"https://api.github.com/repos/{REPOSITORY}/statuses/"
    return {f"statuses_{n:03}_url": f"{link}{n:03}" for n in range(size // (len(link) + 24))}


async def send(port: int, requests: Iterable[bytes], expect: int = 202) -> list[float]:
    """Send all requests from 50 senders with a connection each; return the seconds that each answer took.

    Raises RuntimeError when an answer has another status. A sender writes bytes and reads bytes and does nothing else,
    so that it is the host that is measured.
    """
    waiting = deque(requests)
    times: list[float] = []
    await asyncio.gather(*(_sender(port, waiting, times, expect) for _ in range(min(SENDERS, len(waiting)))))
    return times


async def _sender(port: int, waiting: deque[bytes], times: list[float], expect: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while waiting:
            request = waiting.popleft()
            started = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_length(head))
            times.append(time.perf_counter() - started)
            if int(head.split(b" ", 2)[1]) != expect:
                raise RuntimeError(f"the host answered {head.splitlines()[0].decode()}: {body.decode()[:300]}")
    finally:
        writer.close()


def _length(head: bytes) -> int:
    lines = (line.partition(b":") for line in head.lower().splitlines())
    return next(int(value) for name, _, value in lines if name == b"content-length")


def p99(times: Sequence[float]) -> float:
    """Return the time that one in a hundred exceeds."""
    return sorted(times)[int(0.99 * (len(times) - 1) + 0.5)]
