"""Conformance cases 37 and 39: the durable client in HTTP functions, through a real host process."""

from __future__ import annotations

import pytest
import requests

from tests.devhost.harness import running_host, write_app

CODE = """
import azure.durable_functions as df
import azure.functions as func

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)

@app.orchestration_trigger(context_name="context")
def greeting(context):
    return (yield context.call_activity("greet", context.get_input()))

@app.activity_trigger(input_name="name")
def greet(name: str) -> str:
    return "Hello " + name

@app.route(route="start/{id}")
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    instance_id = await client.start_new("greeting", req.route_params["id"], "you")
    return client.create_check_status_response(req, instance_id)

@app.route(route="status/{id}")
@app.durable_client_input(client_name="client")
async def status(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> str:
    found = await client.get_status(req.route_params["id"])
    return found.runtime_status.value if found else "missing"
"""


@pytest.fixture(scope="module")
def app_dir(tmp_path_factory):
    return write_app(tmp_path_factory.mktemp("client"), CODE)


@pytest.fixture(scope="module")
def host(app_dir):
    with running_host(app_dir) as running:
        yield running


def test_case_37_two_async_functions_use_the_client_in_turn(host):
    """The client's session belongs to one loop, and every function runs on that one."""
    assert requests.get(f"{host.url}/api/status/nobody", timeout=20).text == "missing"
    assert requests.post(f"{host.url}/api/start/one", timeout=20).status_code == 202
    assert requests.get(f"{host.url}/api/status/one", timeout=20).text in ("Pending", "Running", "Completed")
    assert requests.post(f"{host.url}/api/start/two", timeout=20).status_code == 202
    assert "Event loop is closed" not in host.log


def test_case_39_check_status_answer_carries_the_callers_origin(host):
    """Every URL begins with the origin the caller used; the caller is told where and when to ask."""
    answer = requests.post(f"{host.url}/api/start/three", timeout=20)

    urls = answer.json()
    assert answer.status_code == 202
    assert answer.headers["Retry-After"] == "10"
    assert answer.headers["Location"] == urls["statusQueryGetUri"]
    assert urls.pop("id") == "three"
    assert [name for name, url in urls.items() if not url.startswith(f"{host.url}/runtime/webhooks/durabletask/")] == []
    assert requests.get(urls["statusQueryGetUri"], timeout=20).json()["instanceId"] == "three"


def test_case_39_urls_carry_the_system_key_when_auth_is_enabled(app_dir, tmp_path):
    """The URLs work as they are, and without their key they do not."""
    env = {"DEVHOST_HOST_KEY": "the-host"}
    with running_host(app_dir, tmp_path / "hub.sqlite", env, ["--enable-auth"]) as guarded:
        urls = requests.post(f"{guarded.url}/api/start/four?code=the-host", timeout=20).json()
        with_key = requests.get(urls["statusQueryGetUri"], timeout=20)
        without = requests.get(urls["statusQueryGetUri"].split("?", maxsplit=1)[0], timeout=20)

    assert with_key.json()["instanceId"] == "four"
    assert without.status_code == 401
