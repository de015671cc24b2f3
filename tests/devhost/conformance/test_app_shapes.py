"""Other shapes an HTTP app can have: ASGI, an empty prefix, output parameters, a disabled function."""

from __future__ import annotations

import json

import pytest
import requests

from tests.devhost.harness import running_host, write_app

ASGI = """
import azure.functions as func

async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        await send({"type": "lifespan.startup.complete"})
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": scope["path"].encode()})

app = func.AsgiFunctionApp(app=application, http_auth_level=func.AuthLevel.ANONYMOUS)
"""
OUTPUTS = """
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route(route="out", binding_arg_name="response")
def out(req: func.HttpRequest, response: func.Out[func.HttpResponse]) -> None:
    response.set(func.HttpResponse("set", status_code=201))

@app.function_name("Trigger.Only")
@app.generic_trigger(arg_name="req", type="httpTrigger", route="only", authLevel="anonymous")
def only(req: func.HttpRequest) -> None:
    pass

@app.route(route="off")
def off(req: func.HttpRequest) -> str:
    return "off"
"""
HOST_JSON = json.dumps({"version": "2.0", "extensions": {"http": {"routePrefix": ""}}})


def test_asgi_app_gets_every_path_below_the_prefix(tmp_path):
    """A whole web framework can live in one function."""
    with running_host(write_app(tmp_path, ASGI)) as host:
        answer = requests.get(f"{host.url}/api/deep/path", timeout=10)

    assert (answer.status_code, answer.text) == (200, "/api/deep/path")


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    app_dir = write_app(tmp_path_factory.mktemp("outputs"), OUTPUTS, HOST_JSON)
    with running_host(app_dir, env={"AzureWebJobs.off.Disabled": "1"}) as running:
        yield running


def test_route_prefix_may_be_empty(host):
    """Functions then live at the root, beside the host's own paths."""
    assert requests.get(f"{host.url}/api/out", timeout=10).status_code == 404
    assert requests.get(f"{host.url}/admin/host/status", timeout=10).json()["state"] == "Running"


def test_response_may_be_set_on_an_output_parameter(host):
    """An HTTP output that is not the return value."""
    answer = requests.get(f"{host.url}/out", timeout=10)

    assert (answer.status_code, answer.text) == (201, "set")


def test_function_without_http_output_answers_no_content(host):
    """There is nothing to send back."""
    assert requests.get(f"{host.url}/only", timeout=10).status_code == 204


def test_disabled_function_is_listed_as_such_and_not_served(host):
    """The setting takes it out."""
    assert requests.get(f"{host.url}/off", timeout=10).status_code == 404
    assert [line.split() for line in host.log.splitlines() if line.startswith("off")] == [["off", "disabled"]]
