"""Who people are, what they may do, and what credentials may."""

from __future__ import annotations

import pytest

from devhost.github.background import running
from devhost.github.rest import Access
from devhost.github.server import Options
from tests.devhost.github.world import caller, said


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
def test_role_and_the_older_word_for_it(double, repository, api, role, permission):
    """`permission` knows four words, `role_name` all."""
    double.set_permission(repository, "robin", role)
    answer = api("GET", "/collaborators/Robin/permission").json()

    assert (answer["permission"], answer["role_name"], answer["user"]["login"]) == (permission, role, "Robin")


def test_colleagues_write_and_strangers_read(api):
    """Without being told, the people of the demo may write and everybody else may read."""
    roles = {who: api("GET", f"/collaborators/{who}/permission").json()["role_name"] for who in ("priya", "eve")}

    assert roles == {"priya": "write", "eve": "read"}


def test_teams_have_members(double, api):
    """A team lists who is in it, in pages; unknown teams and people outside are 404."""
    double.set_team("acme", "release-managers", ["maria", "jonas"])
    team = api("GET", "orgs/acme/teams/release-managers").json()

    assert (team["slug"], team["members_count"], team["organization"]["login"]) == ("release-managers", 2, "acme")
    members = api("GET", "orgs/acme/teams/release-managers/members").json()
    assert [one["login"] for one in members] == ["maria", "jonas"]
    assert api("GET", "orgs/acme/teams/release-managers/memberships/Maria").json()["state"] == "active"
    assert api("GET", "orgs/acme").json()["login"] == "acme"
    for path in ("teams/release-managers/memberships/eve", "teams/nobody", "teams/nobody/members"):
        assert said(api("GET", f"orgs/acme/{path}")) == (404, "Not Found")
    assert said(api("GET", "orgs/unheard-of")) == (404, "Not Found")


def test_token_tells_whose_it_is(app):
    """A person's token has a login; an App's is nobody's."""
    mine = app.person("GET", "user")

    assert mine.json()["login"] == "drawbridge-ci"
    assert "X-OAuth-Scopes" not in mine.headers
    assert said(app.api("GET", "user")) == (403, "Resource not accessible by integration")


def test_classic_token_tells_its_scopes(tmp_path):
    """Each answer has them, which a fine-grained token's do not."""
    with running(Options(tmp_path / "github", access=Access(scopes=("repo", "read:org")))) as origin:
        answer = caller(origin, "no/such")("GET", "user")

    assert answer.headers["X-OAuth-Scopes"] == "repo, read:org"


def test_repository_tells_what_its_reader_may(double, app):
    """The same repository, read by an admin and by somebody who may only write."""
    before = app.person("GET", "").json()["permissions"]
    app.double.set_permission(app.repository, "drawbridge-ci", "write")
    after = app.person("GET", "").json()["permissions"]

    assert before == {"admin": True, "maintain": True, "push": True, "triage": True, "pull": True}
    assert after == {"admin": False, "maintain": False, "push": True, "triage": True, "pull": True}


def test_role_of_the_token_decides_what_it_may(app):
    """Too low a role is 403, none at all looks as if there were no repository."""
    app.double.set_permission(app.repository, "drawbridge-ci", "read")
    status = app.person("POST", f"/statuses/{app.head}", json={"state": "success"})
    hooks = app.person("GET", "/hooks")
    app.double.set_permission(app.repository, "drawbridge-ci", "none")

    assert said(status) == said(hooks) == (403, "Resource not accessible by personal access token")
    assert said(app.person("GET", "")) == (404, "Not Found")


def test_installation_says_what_the_app_may(app):
    """Onboarding compares these permissions with what Drawbridge needs."""
    app.double.set_app_permissions(metadata="read", checks="write")
    installation = app.itself("GET", "/installation").json()

    assert installation["permissions"] == {"metadata": "read", "checks": "write"}
    assert app.itself("GET", "app").json()["permissions"] == installation["permissions"]
    assert said(app.api("POST", "/issues", json={"title": "x"})) == (403, "Resource not accessible by integration")
    assert said(app.api("GET", "/hooks")) == (403, "Resource not accessible by integration")
    assert app.api("GET", "/pulls").status_code == 200


def test_wrong_credentials_are_401(app):
    """Neither a wrong token nor none is let in, whatever it asks for."""
    nobody, wrong = caller(app.double.origin, app.repository), caller(app.double.origin, app.repository, "ghp_wrong")

    assert said(nobody("GET", "/pulls")) == (401, "Requires authentication")
    assert said(wrong("GET", "/pulls")) == (401, "Bad credentials")
    assert said(wrong("GET", "app")) == (401, "A JSON web token could not be decoded")


def test_branch_protection_is_for_those_who_may_see_it(double, repository, api, app):
    """404 where there is none, its rules where there is, 403 without the permission."""
    double.protect(repository, "main", checks=["drawbridge/evaluate"], reviews=2)
    rules = api("GET", "/branches/main/protection").json()
    app.double.set_app_permissions(metadata="read", contents="read")

    assert rules["required_status_checks"]["contexts"] == ["drawbridge/evaluate"]
    assert rules["required_pull_request_reviews"]["required_approving_review_count"] == 2
    assert api("GET", "/branches/main").json()["protected"] is True
    assert said(api("GET", "/branches/develop/protection")) == (404, "Branch not protected")
    assert said(app.api("GET", "/branches/main/protection")) == (403, "Resource not accessible by integration")


def test_branch_may_be_protected_by_rules(double, repository, api):
    """Rules hold as protection of the older kind does, and are read elsewhere."""
    double.protect(repository, "main", checks=["drawbridge/evaluate"], reviews=2, by_rules=True)
    checks, reviews = api("GET", "/rules/branches/main").json()

    assert checks["parameters"]["required_status_checks"] == [{"context": "drawbridge/evaluate"}]
    assert reviews["parameters"]["required_approving_review_count"] == 2
    assert said(api("GET", "/branches/main/protection")) == (404, "Branch not protected")
    assert api("GET", "/rules/branches/develop").json() == []
