"""The host process as a whole: starting fast, blocking functions, large bodies, stopping, one host per hub."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import pytest
import requests

from tests.devhost.harness import ROOT, HostFailed, running_host, start_host, wait_for_log, write_app

CODE = """
import os, threading, time
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
released = threading.Event()

@app.route(route="size")
async def size(req: func.HttpRequest) -> str:
    return str(len(req.get_body()))

@app.route(route="wait")
async def wait(req: func.HttpRequest) -> str:
    print("it waits", flush=True)
    released.wait(30)
    return "released"

@app.route(route="release")
def release(req: func.HttpRequest) -> str:
    released.set()
    return "ok"

@app.route(route="hang")
def hang(req: func.HttpRequest) -> str:
    print("it hangs", flush=True)
    time.sleep(600)
    return "late"

@app.route(route="environment")
def environment(req: func.HttpRequest) -> str:
    return " ".join([os.environ["WEBSITE_HOSTNAME"], os.environ["FROM_FILE"], os.getcwd()])
"""
HEAVY = (
    "promptflow",
    "azure.ai",
    "azure.identity",
    "pydantic",
    "scipy",
    "numpy",
    "github",
    "pytest",
    "jinja2",
    "psutil",
)


@pytest.fixture(scope="module")
def app_dir(tmp_path_factory):
    directory = write_app(tmp_path_factory.mktemp("host"), CODE)
    (directory / "local.settings.json").write_text(json.dumps({"Values": {"FROM_FILE": "a-value"}}))
    return directory


@pytest.fixture(scope="module")
def host(app_dir):
    with running_host(app_dir) as running:
        yield running


def test_import_of_the_host_loads_nothing_heavy():
    """What the host needs is small, so that it starts in well under a second."""
    code = "import sys, devhost.host; print(' '.join(sys.modules))"
    modules = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert [name for name in modules.split() if name.startswith(HEAVY)] == []


def test_app_finds_its_settings_directory_and_name(host, app_dir):
    """The working directory is the app's, local settings are variables, the host's name has the real port."""
    port = host.url.rsplit(":", 1)[1]

    assert requests.get(f"{host.url}/api/environment", timeout=10).text == f"localhost:{port} a-value {app_dir}"


def test_async_function_that_blocks_does_not_stop_the_host(host):
    """Other functions and the host's own paths answer meanwhile."""
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(requests.get(f"{host.url}/api/wait", timeout=60).text))
    thread.start()
    wait_for_log(host, "it waits")

    assert requests.get(f"{host.url}/admin/host/ping", timeout=10).status_code == 200
    assert requests.get(f"{host.url}/api/release", timeout=10).text == "ok"
    thread.join()
    assert answers == ["released"]


def test_body_over_25_mb_reaches_the_function(host):
    """Limits below the platform's 100 MB are the app's business."""
    assert requests.post(f"{host.url}/api/size", data=bytes(26 << 20), timeout=30).text == str(26 << 20)


def test_body_over_100_mb_is_refused(host):
    """As on Azure, the function never sees it."""
    answer = requests.post(f"{host.url}/api/size", data=(bytes(1 << 20) for _ in range(101)), timeout=30)

    assert answer.status_code == 413


def test_stop_cuts_off_a_function_that_does_not_end(app_dir, tmp_path):
    """The host ends with status 0 and says what it cut off."""
    with running_host(app_dir, tmp_path / "hub.sqlite") as running:
        caller = threading.Thread(target=ask_and_lose, args=(f"{running.url}/api/hang",))
        caller.start()
        wait_for_log(running, "it hangs")
        status = running.stop()
        caller.join()

    assert status == 0
    assert "a function still runs and is cut off" in running.log


def ask_and_lose(url: str) -> None:
    """Ask for something that never comes."""
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=60)


def test_second_host_on_one_hub_is_refused(host, app_dir):
    """Two hosts would run every timer twice."""
    with pytest.raises(HostFailed, match=r"is in use by another host .*choose another --hub"):
        start_host(app_dir)


def test_directory_without_app_is_refused(tmp_path):
    """The message says what to give."""
    with pytest.raises(HostFailed, match=r"has no function_app.py: give the directory of a Python v2 function app"):
        start_host(tmp_path)


def test_failed_import_shows_where(tmp_path):
    """The developer sees the line of the app that failed, then one line that sums it up."""
    app_dir = write_app(tmp_path, "import json\nsettings = json.loads('{')\n")

    with pytest.raises(HostFailed, match=r"function_app.py\", line 2(.|\n)*cannot be imported: JSONDecodeError"):
        start_host(app_dir)


def test_default_hub_ignores_itself_in_git(app_dir, tmp_path):
    """The host's files never end up in the app's repository."""
    app = write_app(tmp_path, CODE)
    with running_host(app):
        pass

    assert (app / ".devhost" / ".gitignore").read_text() == "*\n"
