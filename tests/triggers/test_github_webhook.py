"""Reading a delivery: verified before anything is parsed, typed after."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from adapters import changes, connect
from adapters.github import GitHub
from devhost.github.background import running
from devhost.github.client import Client
from devhost.github.rest import Access
from devhost.github.server import Options
from domain.changes import ChangeRecord
from domain.errors import BadRequest, TooLarge, Unauthorized
from domain.git_flow import ALL, VALIDATION, Ask, Event, GroupRequest, OtherEvent, Push, release_id
from domain.messages_github import EVALUATE_FULLY, status_context
from domain.models import ChangeRequest
from domain.outbox import Button, Status
from settings import Settings, current
from tests.adapters.apps import APP, key_pair
from tests.devhost.github.world import Inbox, payloads
from tests.triggers.edge import ORIGIN, FakeDurable, plain_function
from triggers import github_webhook
from triggers.github_webhook import MAX_BYTES, read_event

HELPDESK = "acme/helpdesk"
AT = "2026-11-23T09:00:00Z"
SECRET = "It's a Secret to Everybody"
PUSH = {
    "ref": "refs/heads/main",
    "before": "b" * 40,
    "after": "a" * 40,
    "repository": {"full_name": "acme/helpdesk"},
    "pusher": {"name": "sam"},
}


def signed(body: bytes, event: str = "push", secret: str = SECRET) -> dict[str, str]:
    """Return the headers GitHub sends with a body."""
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"x-hub-signature-256": f"sha256={signature}", "x-github-event": event, "x-github-delivery": "d-1"}


def delivery(payload: Any, event: str = "push") -> Event:
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
    with pytest.raises(TooLarge, match="larger than 25 MB, so it is not GitHub's: see who else calls this address"):
        read_event({}, b" " * (MAX_BYTES + 1), SECRET)
    with pytest.raises(Unauthorized):
        read_event({}, b" " * MAX_BYTES, SECRET)


def test_push_becomes_a_typed_event() -> None:
    """Delivery and event come from the headers."""
    assert delivery(PUSH) == Push("acme/helpdesk", "main", "b" * 40, "a" * 40, "sam", "d-1")
    assert isinstance(delivery(PUSH, "made_up"), OtherEvent)


def test_delivery_that_lacks_something_is_a_bad_request() -> None:
    """Signed nonsense is answered 400, never an exception."""
    with pytest.raises(BadRequest, match="The push event lacks what GitHub sends with it: after is no commit sha"):
        delivery({**PUSH, "after": "HEAD"})


@pytest.mark.parametrize("branch", ["a'b\"c", "$(touch x)", "<script>", "a\nb", "é", "..%2f"])
def test_hostile_branch_names_are_just_names(branch: str) -> None:
    """They travel as data."""
    event = delivery({**PUSH, "ref": f"refs/heads/{branch}"})

    assert isinstance(event, Push)
    assert event.branch == branch


def deliver(app: Settings, payload: Any, event: str = "push", delivery_id: str = "d-1", client: Any = None) -> Any:
    """Send a signed delivery to the route; return the status and the answer."""
    body = json.dumps(payload).encode()
    headers = {**signed(body, event, app.webhook_secret), "x-github-delivery": delivery_id}
    asked = func.HttpRequest("POST", f"{ORIGIN}/api/github/webhook", headers=headers, body=body)
    response = asyncio.run(plain_function(github_webhook.github_webhook)(asked, client or FakeDurable()))
    return response.status_code, json.loads(response.get_body())


def test_delivery_is_answered_with_what_it_starts(app: Settings) -> None:
    """The sender sees the decision and where it leads."""
    status, answer = deliver(app, PUSH)

    release = f"release-acme.helpdesk-{'a' * 40}"
    assert status == 202
    assert answer == {
        "decision": "started",
        "actions": [{"decision": "started", "instance": release, "url": f"{ORIGIN}/api/releases/{release}"}],
    }


def test_redelivery_starts_nothing_again(app: Settings) -> None:
    """Under the same id or another; what is done counts, not what was seen."""
    client = FakeDurable()
    answers = [deliver(app, PUSH, delivery_id=name, client=client)[1]["decision"] for name in ("d-1", "d-1", "d-2")]

    assert answers == ["started", "already started", "already started"]
    assert len(client.started) == 1


def test_what_starts_nothing_is_answered_with_the_reason(app: Settings) -> None:
    """Not an error: GitHub disables hooks that fail."""
    status, answer = deliver(app, {**PUSH, "ref": "refs/heads/sam/1-x"})

    assert status == 202
    assert answer == {"decision": "ignored", "reason": "branch sam/1-x is neither main nor develop"}


def test_app_that_polls_refuses_deliveries_and_says_so(app: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sources would be one too many to understand; unsigned ones learn nothing."""
    client = FakeDurable()
    monkeypatch.setenv("DRAWBRIDGE_GITHUB_EVENTS", "poll")
    current.cache_clear()

    assert deliver(app, PUSH, client=client) == (
        409,
        {
            "decision": "refused",
            "reason": "This app polls GitHub, so deliveries change nothing: delete the webhook on GitHub.",
        },
    )
    assert deliver(replace(app, webhook_secret="wrong"), PUSH)[0] == 401
    assert client.started == []


@dataclass
class Buttons:
    """A change on the double, whose App has marked its head; what people press there reaches our webhook."""

    double: Client
    github: GitHub
    inbox: Inbox
    head: str

    def mark(self, stage: str, state: str, external_id: str, *buttons: Button) -> int:
        """Let the App write a check run on the head; return its id."""
        told = Status(
            HELPDESK,
            self.head,
            status_context(stage),
            state,
            state,
            "",
            buttons=buttons,
            external_id=external_id,
            at=AT,
        )
        return int(self.github.deliver(told, None, lambda: None).id)

    def suite(self) -> int:
        """Return the suite of our check runs on the head."""
        (run, *_) = self.double.commit(HELPDESK, self.head)["check_runs"]
        return int(run["check_suite"]["id"])

    def started(self, event: str, action: str, orchestrator: str = "asked") -> dict[str, Any]:
        """Hand the one delivery of this kind to our route, byte for byte; return what it has started."""
        payloads(self.inbox, event, action)
        (sent,) = [one for one in self.inbox.taken if one.event == event and json.loads(one.body)["action"] == action]
        client = FakeDurable()
        asked = func.HttpRequest("POST", f"{ORIGIN}/api/github/webhook", headers=dict(sent.headers), body=sent.body)
        response = asyncio.run(plain_function(github_webhook.github_webhook)(asked, client))
        assert response.status_code == 202, response.get_body()
        ((name, _, payload),) = client.started
        assert name == orchestrator
        return dict(payload)


@pytest.fixture
def buttons(app: Settings, tmp_path: Path) -> Iterator[Buttons]:
    private, public = key_pair()
    access = Access(app_id=APP, app_public_key=public)
    with closing(Inbox()) as inbox:
        options = Options(tmp_path / "github", webhook=inbox.url, secret=app.webhook_secret, access=access)
        with running(options) as origin:
            double = Client(origin)
            double.create_repository(HELPDESK)
            head = double.push(HELPDESK, "alex/1-x", {"a.txt": "a"}, "Change", author="alex")
            double.open_pull_request(HELPDESK, "alex/1-x", "Answer better", author="alex")
            yield Buttons(double, GitHub(origin, app_id=APP, app_key=private), inbox, head)


def test_evaluate_fully_pressed_on_github_asks_for_the_full_evaluation(buttons: Buttons) -> None:
    """The button that we put on a skipped evaluation comes back under the name that we read."""
    run = buttons.mark("evaluate-full", "skipped", release_id(HELPDESK, buttons.head), EVALUATE_FULLY)
    buttons.double.press(HELPDESK, run, EVALUATE_FULLY.identifier, by="sam")

    assert buttons.started("check_run", "requested_action") == asdict(
        Ask(HELPDESK, None, 0, "full", "sam", buttons.head, run)
    )


def test_rerun_pressed_on_github_validates_the_change_again(buttons: Buttons) -> None:
    """The check says by our own id which change and which attempt it showed."""
    run = buttons.mark("change", "failed", f"change-acme.helpdesk-1-{buttons.head}")
    buttons.double.rerequest(HELPDESK, run, by="sam")

    assert buttons.started("check_run", "rerequested") == asdict(
        Ask(HELPDESK, 1, 0, VALIDATION, "sam", buttons.head, run, f"rerun{run}", 2)
    )


def test_rerun_all_pressed_on_github_asks_for_all_checks_of_the_change(buttons: Buttons) -> None:
    """GitHub tells of the suite, and of the change whose head it is."""
    buttons.mark("change", "failed", f"change-acme.helpdesk-1-{buttons.head}")
    suite = buttons.suite()
    buttons.double.rerequest_all(HELPDESK, suite, by="sam")

    asked = buttons.started("check_suite", "rerequested")
    assert asked == asdict(Ask(HELPDESK, 1, 0, ALL, "sam", buttons.head, suite, asked["rerun"]))
    assert asked["rerun"].startswith(f"suite{suite}-2")


def test_change_put_into_a_merge_queue_has_its_group_validated(buttons: Buttons) -> None:
    """What GitHub asks checks of, read as GitHub tells it."""
    (group,) = buttons.double.queue(HELPDESK, [1], by="sam")

    assert buttons.started("merge_group", "checks_requested", "merge_group") == asdict(
        GroupRequest(HELPDESK, group["head"], "main", group["branch"])
    )


def test_required_check_run_again_to_green_validates_the_change_again(buttons: Buttons, app: Settings) -> None:
    """What GitHub tells when another App's check ends well."""
    record = ChangeRecord(HELPDESK, 1, head=buttons.head, base="main", instance="x", red=("unit tests",))
    changes.take_up(connect.blobs(app), record)
    changes.note_red(connect.blobs(app), record)
    buttons.double.report_check(HELPDESK, buttons.head, "unit tests", "success")

    asked = buttons.started("check_run", "completed", "pull_request")
    assert asked == asdict(ChangeRequest(HELPDESK, 1, buttons.head, "", 2, "main"))
