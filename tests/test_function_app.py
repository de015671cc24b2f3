"""The table of contents: everything in it can be served beside the rest."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.devhost.harness import RunningHost, running_host
from tests.test_settings import NEEDED

ROOT = Path(__file__).parents[1]
WRONG = "DRAWBRIDGE_TIMEZONE is 'Berlin': expected a time zone such as Europe/Berlin"


def test_every_function_has_a_name_of_its_own() -> None:
    """The host refuses an app in which two functions share one, and then serves nothing."""
    # In a process of its own: the SDK lists an app's functions only once.
    code = "import function_app as f; print(*(one.get_function_name() for one in f.app.get_functions()))"
    listed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    names = listed.stdout.split()
    assert len(names) == len(set(names)) > 0


def test_wrong_settings_are_said_at_the_start_and_to_whoever_asks(tmp_path: Path) -> None:
    """A real start: all functions are there, the log names what to mend, and every kind of answer says the same."""
    with running_host(ROOT, tmp_path / "hub.sqlite", {**NEEDED, "DRAWBRIDGE_TIMEZONE": "Berlin"}) as host:
        said_at_start = host.log
        health = ask(host, "health")
        pages = [ask(host, path) for path in ("releases", "approvals/x~prod~0~y", "overrides/x~override~0~y")]
        forms = [ask(host, path, b"{}") for path in ("evaluations", "releases/x/cancel", "approvals/x~prod~0~y")]
        delivery = ask(host, "github/webhook", b"{}")

    assert f"{WRONG}. Until it is mended and the app restarted, nothing is released." in said_at_start
    assert health[0] == 503
    assert json.loads(health[1]) == {"ok": False, "checks": {"settings": WRONG}}
    assert {status for status, _ in (*pages, *forms, delivery)} == {500}
    for _, text in (*pages, *forms, delivery):
        assert WRONG.replace("'", "&#39;") in text or WRONG in text


def ask(host: RunningHost, path: str, body: bytes | None = None) -> tuple[int, str]:
    """Ask the app for a page, or send it JSON; return status and text."""
    request = urllib.request.Request(f"{host.url}/api/{path}", body, {"content-type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(urllib.error.HTTPError) as refused:
        opener.open(request, timeout=30)
    return refused.value.code, refused.value.read().decode()
