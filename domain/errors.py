"""What can go wrong in words a caller can act on; `status` is the HTTP status a trigger answers with."""

from __future__ import annotations

from typing import Any


class DrawbridgeError(Exception):
    """Base of our own errors. `str(error)` says what is wrong and what to do."""

    status = 500


class Ignored(DrawbridgeError):
    """Not ours, and here is why. Not a failure: answered 202, logged at info."""

    status = 202


class Unauthorized(DrawbridgeError):
    """Who is calling is not proven."""

    status = 401


class Forbidden(DrawbridgeError):
    """Who is calling is known and may not do this."""

    status = 403


class SignedOut(Forbidden):
    """A dependency refuses our own credentials: whatever is asked works again once they are mended."""


class NotFound(DrawbridgeError):
    status = 404


class Conflict(DrawbridgeError):
    """It was decided already, or the evidence is no longer the one that was shown."""

    status = 409


class Expired(DrawbridgeError):
    status = 410


class TooLarge(DrawbridgeError):
    status = 413


class BadRequest(DrawbridgeError):
    status = 400


class Invalid(DrawbridgeError):
    """Input that a person wrote (config, dataset, flow) cannot be used; the message names file and line."""

    status = 422


class Unavailable(DrawbridgeError):
    """A dependency did not answer; trying again may help. `retry_after` is seconds, when it told us."""

    status = 503

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


def as_answer(error: DrawbridgeError) -> dict[str, Any]:
    """Turn an error into what an activity answers, so that its story can decide.

    {"retry_after": seconds} when trying again may help, else {"error": what to mend}. Our own credentials count as the
    former: they expire, or one host's clock is off, and that is no fault of the story's.
    """
    if isinstance(error, Unavailable):
        return {"retry_after": error.retry_after or 60.0}
    if isinstance(error, SignedOut):
        return {"retry_after": 60.0}
    return {"error": str(error)}
