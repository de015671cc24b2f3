"""Health: one named check per dependency, so that a wrong permission shows before an event fails."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters import connect
from devhost.github.background import running
from devhost.github.client import Client
from devhost.github.rest import Access
from devhost.github.server import Options
from domain.outbox import Comment
from settings import Settings
from tests.triggers.edge import plain_function, request
from triggers import health


@pytest.fixture
def double(tmp_path: Path) -> Iterator[Client]:
    """A GitHub with one repository that our token may read."""
    with running(Options(tmp_path / "github", access=Access(token="ghp_of_the_tests"))) as origin:
        client = Client(origin)
        client.create_repository("acme/helpdesk")
        yield client


def ask(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> tuple[int, dict[str, Any]]:
    """Ask for the app's health."""
    monkeypatch.setattr(health, "current", lambda: settings)
    answer = asyncio.run(plain_function(health.health)(request("/api/health")))
    return answer.status_code, json.loads(answer.get_body())


def test_everything_reachable_is_well(app: Settings, double: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody may ask, and asking needs no container yet."""
    status, body = ask(replace(app, github_url=double.origin), monkeypatch)

    assert status == 200
    events = "ok: webhooks; GitHub is compared every 300 s, not yet"
    assert body["ok"] is True
    assert {**body["checks"], "blobs": "ok", "github": "ok", "events": events} == body["checks"]


def test_wrong_token_is_named_and_not_shown(app: Settings, double: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other check still says that it is well."""
    settings = replace(app, github_url=double.origin, github_token="ghp_expired")

    status, body = ask(settings, monkeypatch)

    assert status == 503
    assert body["ok"] is False
    assert body["checks"]["blobs"] == "ok"
    assert "check DRAWBRIDGE_GITHUB_TOKEN" in body["checks"]["github"]
    assert "ghp_expired" not in json.dumps(body)


def test_repository_that_cannot_be_seen_is_a_failing_check(
    app: Settings, double: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shows before the first push to it is lost."""
    settings = replace(app, github_url=double.origin, repositories=("acme/helpdesk", "acme/unknown"))

    status, body = ask(settings, monkeypatch)

    assert status == 503
    assert "check the name and what our token or App may see" in body["checks"]["github"]


def test_message_that_github_refused_is_a_failing_check(
    app: Settings, double: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody has to give the token its permission; the message itself is nobody's business here."""
    settings = replace(app, github_url=double.origin)
    box = connect.outbox(settings)
    at = "2026-11-23T09:00:00Z"
    box.post(Comment("acme/helpdesk", 1, "c" * 40, "release", "https://secret", at=at, urgent=True))
    double.fault(status=403, message="Resource not accessible by integration", times=9)
    box.drain()
    double.clear_faults()

    status, body = ask(settings, monkeypatch)

    assert status == 503
    assert "GitHub refused messages today, the last one: " in body["checks"]["outbox"]
    assert "Resource not accessible by integration" in body["checks"]["outbox"]
    assert "secret" not in json.dumps(body)


def test_check_that_breaks_does_not_hide_the_others(
    app: Settings, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """The log says how it broke; the answer, which anybody can read, does not."""

    def broken(_: Settings) -> None:
        raise ValueError("a private detail")

    monkeypatch.setattr(health, "CHECKS", {"broken": broken, "blobs": health.CHECKS["blobs"]})

    status, body = ask(app, monkeypatch)

    assert status == 503
    assert body["checks"]["blobs"] == "ok"
    assert "a private detail" not in json.dumps(body)
    assert "a private detail" in caplog.text
