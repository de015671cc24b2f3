"""A double, and somebody its webhooks go to."""

from __future__ import annotations

import itertools

import pytest

from devhost.github.background import running
from devhost.github.client import Client
from devhost.github.server import Options
from tests.devhost.github.world import SECRET, Inbox, wait_for

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def inbox():
    box = Inbox()
    yield box
    box.close()


@pytest.fixture(scope="module")
def double(tmp_path_factory, inbox):
    with running(Options(tmp_path_factory.mktemp("github"), webhook=inbox.url, secret=SECRET)) as origin:
        yield Client(origin)


@pytest.fixture
def repository(double, inbox):
    """A fresh repository with `main` and `develop`, its ping already delivered."""
    name = f"contoso/app{next(_numbers)}"
    double.create_repository(name, branches=("main", "develop"), author="alex")
    wait_for(lambda: all(one["status_code"] for one in double.deliveries()))
    inbox.taken.clear()
    inbox.status = 202
    return name


@pytest.fixture(autouse=True)
def as_published(request):
    """What the double answers and delivers is what GitHub publishes."""
    yield
    if "double" in request.fixturenames:
        assert request.getfixturevalue("double").findings() == []
