"""Settings of an app with people, over a container of this test's own."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

import settings
from adapters import connect
from tests.triggers.edge import ORIGIN, PEOPLE, Edge
from triggers import pages, voting

LINK_SECRET = "link-secret-of-the-tests"


@pytest.fixture
def app(azurite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[settings.Settings]:
    """The settings that the app under test runs with."""
    environment = {
        "DRAWBRIDGE_REPOSITORIES": "acme/helpdesk",
        "DRAWBRIDGE_PUBLIC_URL": ORIGIN,
        "DRAWBRIDGE_CONTAINER": f"edge-{uuid.uuid4().hex}",
        "DRAWBRIDGE_WEBHOOK_SECRET": "webhook-secret-of-the-tests",
        "DRAWBRIDGE_LINK_SECRET": LINK_SECRET,
        "DRAWBRIDGE_GITHUB_URL": "http://127.0.0.1:9",  # nobody listens there
        "DRAWBRIDGE_GITHUB_TOKEN": "ghp_of_the_tests",
        "DRAWBRIDGE_PEOPLE": json.dumps(PEOPLE),
        "DRAWBRIDGE_STATE": str(tmp_path / "state"),
        "AzureWebJobsStorage": azurite,
        "WEBSITE_AUTH_ENABLED": "true",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for kept in (pages.lists, voting.shown):
        monkeypatch.setattr(kept, "seconds", 0.0)
    settings.current.cache_clear()
    yield settings.current()
    settings.current.cache_clear()


@pytest.fixture
def edge(app: settings.Settings, caplog: pytest.LogCaptureFixture) -> Edge:
    """The approval pages, and people in front of them."""
    caplog.set_level(logging.INFO, "drawbridge")
    return Edge(app, connect.blobs(app))
