"""Answers: one status, one sentence and one log line per refusal, for machines and for people."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from domain import errors
from domain.errors import DrawbridgeError, Ignored, Unavailable
from tests.triggers.edge import Answer, lines
from triggers.answers import TITLES, refusal, refusal_page, refused, structured

LOG = logging.getLogger("drawbridge.tests")


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: Any) -> None:
    """Take all of our log lines."""
    caplog.set_level(logging.DEBUG, "drawbridge")


def test_every_error_that_people_meet_has_a_title() -> None:
    """Its page must not be headed by a bare number; 202 and 422 are told to machines and on GitHub."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, DrawbridgeError)]

    assert {kind.status for kind in kinds} - {500, 202, 422} == set(TITLES)


def test_machine_reads_decision_and_reason() -> None:
    """Ignored is no failure."""
    ignored = refusal(Ignored("branch develop is not the release branch main"))
    gone = refusal(errors.Unauthorized("check the webhook's secret"))

    assert (ignored.status_code, gone.status_code) == (202, 401)
    assert json.loads(ignored.get_body()) == {
        "decision": "ignored",
        "reason": "branch develop is not the release branch main",
    }
    assert json.loads(gone.get_body())["decision"] == "refused"


@pytest.mark.parametrize(("told", "header"), [(None, "30"), (7.4, "7"), (90.0, "90")])
def test_unavailable_says_when_to_try_again(told: float | None, header: str) -> None:
    """To machines and to people alike."""
    error = Unavailable("storage is away", told)

    assert refusal(error).headers["Retry-After"] == header
    assert refusal_page(error).headers["Retry-After"] == header


def test_reason_is_shown_as_text() -> None:
    """It may quote what somebody sent."""
    answer = Answer(refusal_page(errors.Forbidden("You are signed in as <script>alert(1)</script>.")))

    assert (answer.status, answer.title) == (403, "Not for you")
    assert "<script>alert(1)</script>" in answer.text()
    assert "<script>" not in answer.html


def test_refusal_is_one_line_of_json(caplog: Any) -> None:
    """Line breaks in its parts cannot make a second one."""
    refused(LOG, errors.Forbidden('not\nyou"'), event="vote", link="a\nb")

    (entry,) = caplog.records
    assert "\n" not in entry.getMessage()
    assert json.loads(entry.getMessage()) == {
        "event": "vote",
        "decision": "refused",
        "status": 403,
        "reason": 'not\nyou"',
        "link": "a\nb",
    }


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (Ignored("x"), "INFO"),
        (errors.Conflict("x"), "INFO"),
        (Unavailable("x"), "ERROR"),
        (DrawbridgeError("x"), "ERROR"),
    ],
)
def test_only_our_own_trouble_is_logged_as_an_error(error: DrawbridgeError, level: str, caplog: Any) -> None:
    """What people and GitHub do wrong must not wake anybody."""
    refused(LOG, error, event="webhook")

    assert [entry.levelname for entry in caplog.records] == [level]


def test_cause_of_our_own_trouble_is_in_the_log_and_not_in_the_answer(caplog: Any) -> None:
    """Whoever looks for the fault needs it; whoever asked does not."""
    error = Unavailable("it could not be started")
    error.__cause__ = ConnectionError("127.0.0.1:17071 refused")

    refused(LOG, error, event="webhook")

    assert lines(caplog, "webhook")[0]["cause"] == "ConnectionError('127.0.0.1:17071 refused')"
    assert b"17071" not in refusal(error).get_body()


def test_structured_line_takes_whatever_it_is_given(caplog: Any) -> None:
    """A line that cannot be written would hide what happened."""
    structured(LOG, "vote", when=object, name="ünïcode\udcff")

    assert lines(caplog, "vote")[0]["name"] == "ünïcode\udcff"
