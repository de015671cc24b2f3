"""What an exception means for a row: worth another attempt or not, how long to wait, and why it failed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

_STATUS_IN_TEXT = re.compile(r"Error code: (\d{3})\b")  # how the OpenAI SDK words its status errors
_AFTER_IN_TEXT = re.compile(r"\[retry after ([\d.]+) s\]")  # how BackOff words it
_LONGEST_REASON = 600


class BackOff(Exception):
    """A library wanted to sleep and try again; attempts are ours, so it was stopped here.

    Status and delay stand in the text: Prompt Flow reports some failures as text only.
    """

    def __init__(self, error: BaseException) -> None:
        after = retry_after(error)
        super().__init__(str(error) + (f" [retry after {after:g} s]" if after is not None else ""))


@dataclass(frozen=True)
class Failure:
    """Why a row failed. `again` says whether another attempt may help, `after` the seconds it was told to wait."""

    reason: str
    again: bool = False
    after: float | None = None
    limited: bool = False  # too many requests: every other row would be refused as well


def read_failure(error: BaseException) -> Failure:
    """Judge an exception by the first HTTP status found in it or in what it wraps."""
    for inner in _unwrap(error):
        status = _status(inner)
        if status is not None:
            return _judge(describe(error), status, retry_after(inner))
        if type(inner).__name__ in ("APIConnectionError", "APITimeoutError", "ConnectError", "ConnectionError"):
            return Failure(describe(error), again=True)
    return read_text(describe(error))


def read_text(reason: str) -> Failure:
    """Judge a failure of which only the text is left."""
    status = _STATUS_IN_TEXT.search(reason)
    after = _AFTER_IN_TEXT.search(reason)
    if status is None:
        return Failure(shorten(reason))
    return _judge(reason, int(status[1]), float(after[1]) if after else None)


def retry_after(error: BaseException) -> float | None:
    """Return the seconds of the Retry-After header (number or date) on the response an exception carries."""
    headers = getattr(getattr(error, "response", None), "headers", None)
    value = headers.get("retry-after") if headers is not None else None
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        return _seconds_until(value)


def describe(error: BaseException) -> str:
    """Say what went wrong in one line that starts with the kind of error."""
    inner = list(_unwrap(error))[-1]
    text = str(error) or str(inner)
    return shorten(text if type(inner).__name__ in text else f"{type(inner).__name__}: {text}")


def shorten(reason: str) -> str:
    """Return the reason on one line of bounded length."""
    line = " ".join(re.sub(r"\*{4,}", " ", reason).split())  # NLTK frames its messages
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"


def _judge(reason: str, status: int, after: float | None) -> Failure:
    again = status == 429 or status >= 500
    return Failure(shorten(reason), again=again, after=after if again else None, limited=status == 429)


def _status(error: BaseException) -> int | None:
    for value in (getattr(error, "status_code", None), getattr(getattr(error, "response", None), "status_code", None)):
        if isinstance(value, int) and 400 <= value <= 599:
            return value
    return None


def _unwrap(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception and what it wraps, also in the attributes that Prompt Flow and its tools use."""
    seen: set[int] = set()
    inner: Any = error
    while isinstance(inner, BaseException) and id(inner) not in seen:
        seen.add(id(inner))
        yield inner
        inner = getattr(inner, "inner_exception", None) or getattr(inner, "_ex", None) or inner.__cause__


def _seconds_until(date: str) -> float | None:
    try:
        return max(0.0, (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
