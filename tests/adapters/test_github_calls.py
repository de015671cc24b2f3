"""Which failures of a call are told how, without a network."""

from __future__ import annotations

import json

import pytest
import requests
from github import GithubException

from adapters.github_calls import Steady
from domain.errors import Conflict, Invalid, NotFound, Unavailable


@pytest.fixture
def steady():
    return Steady("https://api.github.com", sleep=lambda _: None, now=lambda: 0.0)


def failing(error):
    def attempt():
        raise error

    return attempt


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (requests.exceptions.SSLError("self-signed"), "check REQUESTS_CA_BUNDLE"),
        (requests.exceptions.ProxyError("refused"), "check HTTPS_PROXY and NO_PROXY"),
        (requests.exceptions.ConnectTimeout("late"), "check the route and the firewall"),
        (requests.exceptions.ConnectionError("NameResolutionError: no"), "check the private DNS zone"),
        (requests.exceptions.ChunkedEncodingError("cut"), "the connection failed"),
        (json.JSONDecodeError("no", "<html>", 0), "is a proxy in between"),
    ],
)
def test_network_trouble_names_its_cure(steady, error, words):
    """In a private network each broken part of the way has its own cure."""
    with pytest.raises(Unavailable, match=words) as told:
        steady.call(failing(error))
    assert told.value.retry_after is None


def test_urls_with_tokens_are_not_told(steady):
    """An archive's link holds a token; neither message nor cause repeats it."""
    error = requests.exceptions.ConnectionError("https://codeload.github.com/x?token=secret refused")

    with pytest.raises(Unavailable) as told:
        steady.call(failing(error))
    assert "secret" not in str(told.value)
    assert told.value.__suppress_context__


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [(404, "Not Found", NotFound), (410, "Gone", NotFound), (409, "Conflict", Conflict), (422, "Bad", Invalid)],
)
def test_refusals_are_not_repeated(status, message, kind):
    """What GitHub refuses once it refuses again."""
    pauses: list[float] = []
    steady = Steady("https://api.github.com", sleep=pauses.append, now=lambda: 0.0)

    with pytest.raises(kind, match=f"{status} {message}"):
        steady.call(failing(GithubException(status, {"message": message}, {})))
    assert pauses == []


def test_githubs_words_are_told_on_one_short_line(steady):
    """A message may quote what a stranger wrote, of any length."""
    data = {"message": "Validation\nFailed", "errors": [{"message": "x" * 1000}, "odd", {"code": "custom"}]}

    with pytest.raises(Invalid) as told:
        steady.call(failing(GithubException(422, data, {})))
    assert "Validation Failed xxx" in str(told.value)
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 400


@pytest.mark.parametrize(("header", "seconds"), [("Wed, 21 Oct 2026 07:28:00 GMT", 60.0), ("-5", 60.0), ("30", 30.0)])
def test_odd_retry_after_is_a_minute(steady, header, seconds):
    """What is not a number of seconds is taken for a minute."""
    with pytest.raises(Unavailable) as told:
        steady.call(failing(GithubException(429, {"message": "slow down"}, {"retry-after": header})))
    assert told.value.retry_after == seconds
