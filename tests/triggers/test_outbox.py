"""The timer that delivers: whatever waits, and nothing that stops it from coming again."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters import connect
from devhost.github.background import running
from devhost.github.client import Client
from devhost.github.rest import Access
from devhost.github.server import Options
from domain.outbox import STALE, DeploymentState, Message, Status
from settings import Settings
from tests.adapters.apps import APP, key_pair
from triggers import outbox


def tick(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the timer come."""
    monkeypatch.setattr(outbox, "current", lambda: settings)
    outbox.deliver.build().get_user_function()(None)


def message(sha: str) -> Message:
    """Something that people wait for."""
    words = ("dev", "release", "success", "fine", "", "")
    return DeploymentState("acme/helpdesk", sha, *words, at="2026-11-23T09:00:00Z", urgent=True)


def test_timer_delivers_what_waits(app: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    """And says how much that was."""
    caplog.set_level(logging.INFO)
    with running(Options(tmp_path / "github", access=Access(token="ghp_of_the_tests"))) as origin:
        double = Client(origin)
        sha = double.create_repository("acme/helpdesk")["heads"]["main"]
        settings = replace(app, github_url=origin)
        connect.outbox(settings).post(message(sha))
        tick(settings, monkeypatch)

        assert len(double.commit("acme/helpdesk", sha)["deployments"]) == 1
    assert "GitHub took 1 messages and refused 0" in caplog.text


def test_timer_closes_a_check_before_github_calls_it_stale(
    app: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check that has been in progress for 13 days is ended by the tick, with nothing else to deliver."""
    key, public = key_pair()
    access = Access(app_id=APP, app_public_key=public)
    with running(Options(tmp_path / "github", access=access)) as origin:
        double = Client(origin)
        sha = double.create_repository("acme/helpdesk")["heads"]["main"]
        settings = replace(app, github_url=origin, github_token="", github_app_id=APP, github_app_key=key)
        long_ago = replace(connect.outbox(settings), now=lambda: time.time() - STALE - 60)
        words = ("drawbridge/deploy-dev", "running", "deploys", "")
        long_ago.post(Status("acme/helpdesk", sha, *words, external_id="r1", at="2026-11-09T09:00:00Z", urgent=True))
        long_ago.drain()
        (open_,) = double.commit("acme/helpdesk", sha)["check_runs"]
        tick(settings, monkeypatch)
        (closed,) = double.commit("acme/helpdesk", sha)["check_runs"]

    assert open_["status"] == "in_progress"
    assert (closed["id"], closed["status"], closed["conclusion"]) == (open_["id"], "completed", "action_required")


def test_timer_survives_storage_being_away(app: Settings, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    """It comes again in 15 seconds."""
    away = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:9/a;"
    tick(replace(app, blobs=away), monkeypatch)

    assert "nothing was delivered to GitHub: blob storage at 127.0.0.1:9 failed" in caplog.text


def test_timer_comes_every_fifteen_seconds() -> None:
    """As often as a message waits for a newer one."""
    bindings = [one.get_dict_repr() for one in outbox.deliver.build().get_bindings()]

    assert [one["schedule"] for one in bindings] == ["*/15 * * * * *"]
