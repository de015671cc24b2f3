"""What the webhook benchmark sends is what GitHub would send, and what it reports is what it saw."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from benchmarks.bench_webhook import as_github_sends_them, nothing_to_do
from benchmarks.deliveries import REPOSITORY, SECRET, SIZES, new_sha, other, p99, push, send, to
from domain.errors import Ignored
from domain.git_flow import decide
from triggers.github_webhook import read_event


def asked_for(request: bytes):
    """Return the release that the app would start for a request."""
    head, body = request.split(b"\r\n\r\n", 1)
    lines = (line.split(": ", 1) for line in head.decode().splitlines()[1:])
    headers = {name.lower(): value for name, value in lines}

    assert int(headers["content-length"]) == len(body)

    (action,) = decide(read_event(headers, body, SECRET), [REPOSITORY], "main", "develop")
    return action


def starts_a_release(request: bytes) -> bool:
    """Say whether the app would start a release."""
    try:
        return bool(asked_for(request))
    except Ignored:
        return False


def test_a_push_to_main_asks_for_a_release_of_its_commit():
    """It is signed as the app wants it."""
    sha = new_sha()

    assert asked_for(push(sha)).sha == sha


def test_deliveries_are_as_large_as_those_of_github():
    """Within a twentieth: parsing and signing cost what they cost in life."""
    for event, size in SIZES.items():
        body = (push(new_sha()) if event == "push" else other(event)).split(b"\r\n\r\n", 1)[1]

        assert abs(len(body) - size) < size / 20, event


def test_one_delivery_in_fifty_starts_a_release():
    """The load of the headline, and the one in which nothing happens."""
    started = [starts_a_release(request) for request in as_github_sends_them()]

    assert (len(started), sum(started)) == (250, 5)
    assert not any(starts_a_release(request) for request in nothing_to_do())


def test_p99_is_exceeded_by_one_in_a_hundred():
    """Of one time it is that time."""
    assert p99([float(n) for n in range(1, 101)]) == 99.0
    assert p99([7.0]) == 7.0


async def answering(status: bytes, requests: list[bytes]) -> tuple[list[float], list[str]]:
    """Send requests to a server that answers each with the same status; return the times and the paths asked for."""
    paths = []

    async def serve(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError):  # the sender has no more
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                paths.append(head.split()[1].decode())
                length = next(line for line in head.splitlines() if line.startswith(b"Content-Length"))
                await reader.readexactly(int(length.split()[1]))
                writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 2\r\n\r\nno")

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        return await send(port, requests), paths
    finally:
        server.close()


def test_each_request_has_one_time():
    """More requests than senders, and to the path asked for."""
    requests = [to("/api/bare", other("status"))] * 120
    times, paths = asyncio.run(answering(b"202 Accepted", requests))

    assert len(times) == 120
    assert paths == ["/api/bare"] * 120


def test_another_answer_than_expected_is_no_number():
    """A host that refuses everything would be fast."""
    with pytest.raises(RuntimeError, match=r"the host answered HTTP/1\.1 401 Unauthorized: no"):
        asyncio.run(answering(b"401 Unauthorized", [other("status")]))
