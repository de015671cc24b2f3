"""What exceptions mean for a row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import pytest

from evaluation.failures import BackOff, read_failure, read_text, retry_after, shorten


class StatusError(Exception):
    def __init__(self, status, headers=None):
        super().__init__(f"Error code: {status} - double")
        self.status_code = status
        self.response = SimpleNamespace(status_code=status, headers=headers or {})


class Wrapper(Exception):
    def __init__(self, inner):
        super().__init__("wrapped")
        self.inner_exception = inner


@pytest.mark.parametrize(
    ("status", "again", "limited"),
    [(429, True, True), (500, True, False), (503, True, False), (400, False, False), (401, False, False)],
)
def test_status_decides_about_another_attempt(status, again, limited):
    """429 and 5xx may pass; what is wrong with the request itself does not."""
    failure = read_failure(StatusError(status))

    assert (failure.again, failure.limited) == (again, limited)


def test_status_is_found_in_what_is_wrapped():
    """Prompt Flow and its tools wrap the exception of the SDK, more than once."""
    failure = read_failure(Wrapper(Wrapper(StatusError(429, {"retry-after": "7"}))))

    assert (failure.again, failure.after) == (True, 7.0)


def test_own_exceptions_are_not_tried_again():
    """A bug in a node stays one."""
    failure = read_failure(ValueError("no such article"))

    assert (failure.reason, failure.again) == ("ValueError: no such article", False)


def test_connection_that_cannot_be_made_is_tried_again():
    """A model server that is just being restarted may be there in a moment."""
    assert read_failure(ConnectionError("refused")).again


def test_retry_after_may_be_a_date():
    """HTTP allows seconds and dates; a date in the past is now."""
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    past = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)

    assert 25 < (retry_after(StatusError(429, {"retry-after": soon})) or 0) <= 30
    assert retry_after(StatusError(429, {"retry-after": past})) == 0.0
    assert retry_after(StatusError(429, {"retry-after": "soon"})) is None


def test_status_and_delay_survive_as_text():
    """Of some failures Prompt Flow hands on the text alone."""
    text = f"Execution failure in 'answer': (BackOff) {BackOff(StatusError(429, {'retry-after': '2.5'}))}"

    failure = read_text(text)

    assert (failure.again, failure.after, failure.limited) == (True, 2.5, True)


def test_exceptions_that_lead_to_each_other_end():
    """A circle of causes is walked once."""
    first, second = ValueError("a"), KeyError("b")
    first.__cause__, second.__cause__ = second, first

    assert read_failure(first).reason.startswith("KeyError: a")


def test_reasons_are_one_line_of_bounded_length():
    """A traceback in a message does not fill the page."""
    assert shorten("a\n  b\t c") == "a b c"
    assert len(shorten("x" * 5000)) == 600
