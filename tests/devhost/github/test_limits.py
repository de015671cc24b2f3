"""Rate limits and conditional requests."""

from __future__ import annotations

import pytest

from tests.devhost.github.world import caller, said


@pytest.fixture(autouse=True)
def usual_limits(double):
    yield
    double.set_rates()


def left(reply):
    return int(reply.headers["X-RateLimit-Remaining"])


def test_known_answer_is_304_and_costs_nothing(double, repository, api):
    """The tag of an answer saves the next one, until something changed."""
    first = api("GET", "/pulls")
    again = api("GET", "/pulls", headers={"If-None-Match": first.headers["ETag"]})
    double.push(repository, "alex/1-x", {"a": "a"})
    double.open_pull_request(repository, "alex/1-x", "X")
    changed = api("GET", "/pulls", headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert left(again) == left(first)
    assert (changed.status_code, left(changed)) == (200, left(first) - 1)
    assert [one["status"] for one in double.requests()[-3:]] == [200, 304, 200]


def test_each_answer_says_what_is_left(double, api):
    """Refusals count too; asking for the limit does not."""
    double.set_rates(per_hour=100)
    counts = [left(api("GET", "/pulls")), left(api("GET", "/pulls/99"))]
    overview = api("GET", "rate_limit").json()["rate"]

    assert counts == [99, 98]
    assert (overview["limit"], overview["used"], overview["remaining"]) == (100, 2, 98)


def test_over_the_limit_everything_is_refused(double, api):
    """403 with nothing left and the time when it starts again; nothing is done."""
    double.set_rates(per_hour=1)
    api("GET", "/pulls")
    refused = api("POST", "/issues", json={"title": "x"})

    assert said(refused) == (403, "API rate limit exceeded for user ID 1.")
    assert left(refused) == 0
    assert int(refused.headers["X-RateLimit-Reset"]) > 1_700_000_000
    double.set_rates()
    assert api("GET", "/issues").json() == []


def test_credentials_are_counted_apart(app):
    """What a person's token used is not taken from the App's installation."""
    app.double.set_rates(per_hour=1)
    app.person("GET", "/pulls")

    assert app.person("GET", "/pulls").status_code == 403
    assert app.api("GET", "/pulls").status_code == 200
    app.double.set_rates()


def test_too_many_writes_a_minute_are_told_to_wait(double, repository, api):
    """The secondary limit is about content; reading goes on."""
    double.set_rates(writes_per_minute=2)
    replies = [api("POST", "/issues", json={"title": str(number)}) for number in range(3)]

    assert [reply.status_code for reply in replies] == [201, 201, 403]
    assert "secondary rate limit" in said(replies[-1])[1]
    assert 0 < int(replies[-1].headers["Retry-After"]) <= 61
    assert caller(double.origin, repository)("GET", "/issues").status_code == 200
