"""Web apps that are real `pf flow serve` processes."""

from __future__ import annotations

import json
import os
import signal
import threading
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest

from adapters import probing, processes
from adapters.local_registry import LocalRegistry
from adapters.local_web_app import LocalWebApp
from domain.errors import Invalid, Unavailable

VARIABLES = {"MODEL_API_KEY": "s3cret", "MODEL_URL": "http://127.0.0.1:1"}


@pytest.fixture
def apps(state, shelf):
    """Web apps over the shelf's images; called again it is as another host process would make it."""

    def make(variables=VARIABLES, **options) -> LocalWebApp:
        return LocalWebApp(state, LocalRegistry(state, shelf.blobs, {}), variables, **options)

    return make


def ask(url: str, question: str) -> str:
    request = urllib.request.Request(
        f"{url}/score", json.dumps({"question": question}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(json.load(answer)["answer"])


def test_a_deployment_answers_and_deploying_it_again_changes_nothing(apps, shelf, state, monkeypatch):
    """It answers real questions, sees nothing of the host, and is found again instead of being started twice."""
    monkeypatch.setenv("DRAWBRIDGE_LINK_SECRET", "host secret")
    deployment = apps().deploy("dev", shelf.first, "release-1")

    seen = json.loads(ask(deployment.url, "environment"))
    assert ask(deployment.url, "hello") == "first: hello"
    assert (deployment.release, deployment.image, deployment.previous) == ("release-1", shelf.first, None)
    assert "host secret" not in str(seen)
    assert seen["MODEL_API_KEY"] == "s3cret"
    assert apps().deploy("dev", shelf.first, "release-1") == deployment
    assert apps().current("dev") == deployment
    assert apps().current("prod") is None
    assert [record.what for record in processes.all(state)] == ["web app dev"]


def test_a_deployment_has_a_page_to_ask_it_from(apps, shelf):
    """GitHub's "View deployment" leads to it."""
    url = apps().deploy("dev", shelf.first, "release-1").url

    with urllib.request.urlopen(url, timeout=30) as page:
        assert page.headers.get_content_type() == "text/html"
        assert b"<title>" in page.read()


def test_a_new_image_takes_over_and_can_be_rolled_back(apps, shelf, state):
    """The image before is remembered, its process ended; rolling back runs it again, once."""
    first = apps().deploy("dev", shelf.first, "release-1")
    second = apps().deploy("dev", shelf.second, "release-2")

    assert ask(second.url, "hello") == "second: hello"
    assert second.previous == shelf.first
    assert first.url != second.url
    assert len(processes.all(state)) == 1
    back = apps().roll_back("dev", second.previous, "release-2")
    assert ask(back.url, "hello") == "first: hello"
    assert back.previous is None
    assert apps().roll_back("dev", second.previous, "release-2") == back
    assert apps().roll_back("dev", None, "release-1") == back
    assert len(processes.all(state)) == 1
    assert len(list((state / "web_apps" / "dev").iterdir())) == 1


def test_an_image_that_does_not_start_leaves_the_one_before(apps, shelf, state):
    """When the new process ends or never becomes healthy, the old one goes on serving and the reason is told."""
    before = apps().deploy("dev", shelf.first, "release-1")

    with pytest.raises(Invalid, match=r"the image does not start: .*variable MODEL_API_KEY is not set for the web app"):
        apps({}).deploy("dev", shelf.second, "release-2")
    with pytest.raises(Unavailable, match=r"the image was not healthy after 0.2 s: did not open its port; see dev.log"):
        apps(start_timeout=0.2).deploy("dev", shelf.second, "release-2")
    assert apps().current("dev") == before
    assert ask(before.url, "hello") == "first: hello"
    assert len(processes.all(state)) == 1


def test_rolling_back_the_first_deployment_takes_the_app_down(apps, shelf, state):
    """Where there was nothing before, there is nothing afterwards."""
    apps().deploy("dev", shelf.first, "release-1")

    assert apps().roll_back("dev", None, "release-1") is None
    assert apps().current("dev") is None
    assert apps().roll_back("dev", None, "release-1") is None
    assert processes.all(state) == []
    assert apps().probe("dev", [], 1).detail == "nothing is deployed to dev"


def test_an_app_that_died_is_started_again_where_it_was(apps, shelf, state, until):
    """After kill -9 the app is unhealthy for a probe; whoever asks for it gets it back at the same address."""
    deployment = apps().deploy("dev", shelf.first, "release-1")
    [record] = processes.all(state)
    os.kill(record.pid, signal.SIGKILL)
    until(lambda: not processes.alive(record))
    probe = apps().probe("dev", [{"question": "hello"}], 1)

    assert (probe.healthy, probe.requests) == (False, 0)
    assert probe.detail == "/health does not answer: ConnectionError"
    assert apps().current("dev") == deployment
    assert ask(deployment.url, "hello") == "first: hello"
    apps().stop_all()
    assert processes.all(state) == []


def test_two_hosts_that_deploy_the_same_run_it_once(apps, shelf, state, tmp_path):
    """A deployment delivered twice at once, beside a leftover of a host that was killed, ends as one process."""
    (tmp_path / "leftover").mkdir()
    state.mkdir()
    env = {"PATH": os.environ["PATH"]}
    log = tmp_path / "log"
    leftover = processes.spawn(state, ["sleep", "60"], cwd=tmp_path, env=env, log=log, what="web app dev")
    threads = [threading.Thread(target=lambda: apps().deploy("dev", shelf.first, "release-1")) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not processes.alive(leftover)
    assert len(processes.all(state)) == 1
    assert ask(apps().current("dev").url, "hello") == "first: hello"


def test_a_probe_tells_what_real_requests_showed(apps, shelf):
    """Errors are counted with their status and without the row's text; an app that answers none is not healthy."""
    url = apps().deploy("dev", shelf.first, "release-1").url

    good = apps().probe("dev", [{"question": "a"}, {"question": "b"}], 5)
    mixed = apps().probe("dev", [{"question": "a"}, {"question": "fail"}], 4)
    bad = apps().probe("dev", [{"question": "fail"}], 2)
    silent = apps().probe("dev", [], 3)
    slow = probing.probe(url, [{"question": "sleep"}], 1, timeout=0.3)

    assert (good.healthy, good.requests, good.errors, good.detail) == (True, 5, 0, "5 requests answered")
    assert len(good.latencies) == 5
    assert (mixed.healthy, mixed.requests, mixed.errors) == (True, 4, 2)
    assert mixed.detail == "2 of 4 requests failed: status 400"
    assert (bad.healthy, bad.errors, bad.latencies) == (False, 2, ())
    assert (silent.healthy, silent.requests, silent.detail) == (True, 0, "healthy; no questions were asked")
    assert (slow.healthy, slow.detail) == (False, "1 of 1 requests failed: no answer within 0.3 s")


def deployment(shelf: Any, state: Path, azurite: str) -> str:
    """Return the statement with which another host process deploys the first image to dev."""
    blobs = f"Blobs({azurite!r}, {shelf.blobs._container.container_name!r})"
    registry = f"LocalRegistry(Path({str(state)!r}), {blobs}, {{}})"
    return f"LocalWebApp(Path({str(state)!r}), {registry}, {VARIABLES}).deploy('dev', {shelf.first}, 'release-1')"


def test_an_app_outlives_the_host_that_deployed_it(apps, shelf, state, azurite, killed_after):
    """The host process that deployed ends; the app goes on, and another host finds it."""
    ended = killed_after(0, deployment(shelf, state, azurite))

    assert ended.returncode == 0, ended.stderr
    assert ask(apps().current("dev").url, "hello") == "first: hello"
    assert len(processes.all(state)) == 1


# Its steps: image down, image in place, process started, process recorded, made current.
@pytest.mark.parametrize("step", [3, 5])
def test_a_host_killed_while_it_deploys_leaves_one_process(apps, shelf, state, azurite, killed_after, step):
    """Killed -9 around the start of the process and asked again by the next host, one process runs in the end."""
    killed = killed_after(step, deployment(shelf, state, azurite))

    assert killed.returncode == -signal.SIGKILL, killed
    current = apps().deploy("dev", shelf.first, "release-1")
    [record] = processes.all(state)
    serving = [process for process in psutil.process_iter() if _serves(process, state)]
    assert ask(current.url, "hello") == "first: hello"
    assert [process.pid for process in serving] == [record.pid]


def _serves(process: psutil.Process, state: Path) -> bool:
    try:
        return str(state) in " ".join(process.cmdline()) and "serve" in process.cmdline()
    except psutil.Error:
        return False
