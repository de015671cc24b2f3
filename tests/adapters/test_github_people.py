"""Who may do what on GitHub, and who is in a team, against the double."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.github import GitHub
from devhost.github.background import running
from devhost.github.client import Client
from devhost.github.rest import Access
from devhost.github.server import Options
from domain.errors import Forbidden, NotFound

TOKEN, APP = "ghp_of_the_tests", "4711"
REPOSITORY = "contoso/app"


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def double(tmp_path_factory, key):
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    access = Access(token=TOKEN, login="drawbridge-ci", app_id=APP, app_public_key=public.decode())
    with running(Options(tmp_path_factory.mktemp("github"), access=access)) as origin:
        client = Client(origin)
        client.create_repository(REPOSITORY)
        yield client


@pytest.fixture
def github(double):
    yield GitHub(double.origin, TOKEN, sleep=lambda _: None)
    double.set_permission(REPOSITORY, "drawbridge-ci", "admin")
    double.clear_faults()


@pytest.mark.parametrize(
    ("role", "permission"),
    [
        ("admin", "admin"),
        ("maintain", "write"),
        ("write", "write"),
        ("triage", "read"),
        ("read", "read"),
        ("none", "none"),
    ],
)
def test_permission_is_what_somebody_may_do_with_the_code(double, github, role, permission):
    """GitHub folds the newer roles into the older words, custom roles too."""
    double.set_permission(REPOSITORY, "Maria", role)

    assert github.permission(REPOSITORY, "maria") == permission


@pytest.mark.parametrize("login", ["no/such", "maria@acme.example", "", "..", "%2e%2e", "maria\n"])
def test_what_can_be_no_account_may_do_nothing(double, github, login):
    """A name comes from outside, and from sign-ins that GitHub does not know: nobody is asked about it."""
    before = len(double.requests())

    assert github.permission(REPOSITORY, login) == "none"
    assert len(double.requests()) == before


def test_account_that_is_gone_may_do_nothing(double, github):
    """GitHub knows the repository, and not the person."""
    double.fault(path_regex="/collaborators/ghost/", status=404, message="Not Found")

    assert github.permission(REPOSITORY, "ghost") == "none"


def test_repository_that_is_gone_is_told_as_such(github):
    """Nobody may do anything there, but that is not the answer."""
    with pytest.raises(NotFound, match="check the name and what our token or App may see"):
        github.permission("contoso/deleted", "maria")


def test_token_that_may_not_ask_is_told(double, github):
    """Only who can push may see what others may do."""
    double.set_permission(REPOSITORY, "drawbridge-ci", "read")

    with pytest.raises(Forbidden, match="give the token or App the permission"):
        github.permission(REPOSITORY, "maria")


def test_team_is_its_members(double, github):
    """More than one page of them, in one order whatever GitHub's is."""
    names = [f"person-{number:03}" for number in range(230)]
    double.set_team("Contoso", "leads", [*reversed(names)])

    assert github.team_members("contoso", "leads") == tuple(names)


@pytest.mark.parametrize(("org", "slug"), [("contoso", "nobody"), ("nowhere", "leads"), ("contoso", "../leads")])
def test_team_that_does_not_exist_is_told_with_what_to_do(double, github, org, slug):
    """GitHub does not say whether it is the team or our right to see it."""
    double.set_team("contoso", "leads", ["maria"])

    with pytest.raises(NotFound) as refused:
        github.team_members(org, slug)

    assert f"Team @{org}/{slug} does not exist or our token may not see it" in str(refused.value)
    assert "Members: read" in str(refused.value)


def test_app_asks_as_itself(double, key):
    """Through its installation on the repository, and for a team through the one on the organization."""
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    github = GitHub(double.origin, app_id=APP, app_key=private.decode(), sleep=lambda _: None)
    double.set_permission(REPOSITORY, "jonas", "write")
    double.set_team("contoso", "app-leads", ["jonas"])

    assert github.permission(REPOSITORY, "jonas") == "write"
    assert github.team_members("contoso", "app-leads") == ("jonas",)
