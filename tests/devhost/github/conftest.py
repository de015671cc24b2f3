"""A double, and somebody its webhooks go to."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest

from devhost.github.apps import PERMISSIONS
from devhost.github.background import running
from devhost.github.client import Client
from devhost.github.rest import Access
from devhost.github.server import Options
from tests.adapters.apps import APP, key_pair
from tests.devhost.github.world import SECRET, TOKEN, Inbox, app_jwt, caller, wait_for

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


@pytest.fixture
def api(double, repository):
    """Call the repository's API: `api("GET", "/commits")`."""
    yield caller(double.origin, repository)
    double.clear_faults()


@pytest.fixture
def head(double, repository):
    return double.repository(repository)["heads"]["main"]


@pytest.fixture(scope="session")
def keys():
    return key_pair()


@pytest.fixture(scope="module")
def app_double(tmp_path_factory, inbox, keys):
    """A double that an App signs in to, with webhooks of the App, beside a person's token."""
    access = Access(token=TOKEN, app_id=APP, app_public_key=keys[1])
    options = Options(tmp_path_factory.mktemp("github"), webhook=inbox.url, secret=SECRET, access=access)
    with running(options) as origin:
        yield Client(origin)


@pytest.fixture
def app(app_double, inbox, keys):
    """The App on a fresh repository: `app.api` through its installation, `app.person` with a token, `app.itself`."""
    name = f"contoso/app{next(_numbers)}"
    head = app_double.create_repository(name, branches=("main", "develop"), author="alex")["heads"]["main"]
    wait_for(lambda: all(one["status_code"] for one in app_double.deliveries()))
    inbox.taken.clear()
    inbox.status = 202
    itself = caller(app_double.origin, name, app_jwt(APP, keys[0]))
    token = itself("POST", "app/installations/1/access_tokens").json()["token"]
    yield SimpleNamespace(
        double=app_double,
        repository=name,
        head=head,
        itself=itself,
        api=caller(app_double.origin, name, token),
        person=caller(app_double.origin, name, TOKEN),
    )
    app_double.set_app_permissions(**PERMISSIONS)


@pytest.fixture(autouse=True)
def as_published(request):
    """What a double answers and delivers is what GitHub publishes."""
    yield
    for name in {"double", "app_double"} & set(request.fixturenames):
        assert request.getfixturevalue(name).findings() == []
