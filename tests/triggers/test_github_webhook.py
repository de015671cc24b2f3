"""Reading a delivery: verified before anything is parsed, typed after."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest

from domain.errors import BadRequest, TooLarge, Unauthorized
from domain.git_flow import OtherEvent, Push
from triggers.github_webhook import MAX_BYTES, read_event

SECRET = "It's a Secret to Everybody"
PUSH = {
    "ref": "refs/heads/main",
    "before": "b" * 40,
    "after": "a" * 40,
    "repository": {"full_name": "acme/helpdesk"},
    "pusher": {"name": "sam"},
}


def signed(body: bytes, event: str = "push", **headers: str) -> dict[str, str]:
    """Return the headers GitHub sends with a body."""
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    known = {"x-hub-signature-256": f"sha256={signature}", "x-github-event": event, "x-github-delivery": "d-1"}
    return {**known, **headers}


def delivery(payload: Any, event: str = "push") -> Push | OtherEvent:
    """Read a well-signed delivery."""
    body = json.dumps(payload).encode()
    return read_event(signed(body, event), body, SECRET)


def test_signature_fits_githubs_published_example() -> None:
    """The test vector of GitHub's documentation is accepted, and only then found not to be JSON."""
    headers = {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}

    with pytest.raises(BadRequest, match="not JSON"):
        read_event(headers, b"Hello, World!", SECRET)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-hub-signature-256": ""},
        {"x-hub-signature-256": "sha256="},
        {"x-hub-signature-256": "sha256=757107ea0eb2509f"},
        {"x-hub-signature-256": "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
        {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e18"},
        {"x-hub-signature-256": "sha256=ünïcödé"},
        {"x-hub-signature-256": "sha256=\udcff"},
        {"x-hub-signature": "sha1=" + hmac.new(SECRET.encode(), b"Hello, World!", hashlib.sha1).hexdigest()},
    ],
)
def test_anything_but_the_right_signature_is_unauthorized(headers: dict[str, str]) -> None:
    """Wrong, missing, truncated, SHA-1 only and non-ASCII signatures all end the same way."""
    with pytest.raises(Unauthorized, match="missing or does not fit"):
        read_event(headers, b"Hello, World!", SECRET)


def test_body_is_not_parsed_before_its_signature_fits() -> None:
    """A body that is not JSON, unsigned, is unauthorized rather than unreadable."""
    with pytest.raises(Unauthorized):
        read_event({}, b"{", SECRET)


def test_body_encoded_anew_does_not_fit_its_signature() -> None:
    """The raw bytes are signed, not what they mean."""
    body = json.dumps(PUSH).encode()

    with pytest.raises(Unauthorized):
        read_event(signed(body), json.dumps(PUSH, indent=1).encode(), SECRET)


def test_body_over_25_mb_is_too_large_before_it_is_hashed() -> None:
    """The exact limit is still taken."""
    with pytest.raises(TooLarge, match="larger than 25 MB"):
        read_event({}, b" " * (MAX_BYTES + 1), SECRET)
    with pytest.raises(Unauthorized):
        read_event({}, b" " * MAX_BYTES, SECRET)


def test_push_becomes_a_typed_event() -> None:
    """Branch names keep their slashes."""
    event = delivery({**PUSH, "ref": "refs/heads/alex/12-shorter-answers"})

    assert event == Push("acme/helpdesk", "alex/12-shorter-answers", "b" * 40, "a" * 40, "sam", "d-1")


@pytest.mark.parametrize(
    ("event", "payload", "name"),
    [
        ("pull_request", {"action": "labeled", "repository": {"full_name": "acme/helpdesk"}}, "pull_request.labeled"),
        ("ping", {"zen": "Design for failure."}, "ping"),
        ("push", {**PUSH, "ref": "refs/tags/v1"}, "push"),
    ],
)
def test_other_events_keep_their_name_for_the_log(event: str, payload: Any, name: str) -> None:
    """They start nothing, and say what they were."""
    read = delivery(payload, event)

    assert isinstance(read, OtherEvent)
    assert read.name == name


@pytest.mark.parametrize(
    "payload",
    [
        [],
        "text",
        None,
        {},
        {**PUSH, "after": "HEAD"},
        {**PUSH, "after": "a" * 39},
        {**PUSH, "after": 7},
        {**PUSH, "repository": None},
        {**PUSH, "ref": None},
        {**PUSH, "before": "../../x"},
    ],
)
def test_push_that_lacks_something_is_a_bad_request(payload: Any) -> None:
    """Signed nonsense is answered 400, never an exception."""
    with pytest.raises(BadRequest, match="The push event lacks what GitHub sends with it"):
        delivery(payload)


@pytest.mark.parametrize("branch", ["a'b\"c", "$(touch x)", "<script>", "a\nb", "é", "..%2f"])
def test_hostile_branch_names_are_just_names(branch: str) -> None:
    """They travel as data."""
    event = delivery({**PUSH, "ref": f"refs/heads/{branch}"})

    assert isinstance(event, Push)
    assert event.branch == branch
