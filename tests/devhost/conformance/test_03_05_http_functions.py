"""Conformance cases 3 to 5: routes, keys and return values, through a real host process."""

from __future__ import annotations

import gzip
import json
import signal
import socket

import pytest
import requests

from tests.devhost.harness import HostFailed, running_host, start_host, wait_for_log, write_app

CODE = """
import json, time
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)

@app.route(route="a/{id:int?}", auth_level=func.AuthLevel.ANONYMOUS)
def a(req: func.HttpRequest) -> str:
    return req.route_params.get("id", "none")

@app.route(route="text", auth_level=func.AuthLevel.ANONYMOUS)
async def text(req: func.HttpRequest) -> str:
    return "grüezi"

@app.route(route="raises")
def raises(req: func.HttpRequest) -> str:
    raise ValueError("on purpose")

@app.route(route="returns/{what}", auth_level=func.AuthLevel.ANONYMOUS)
def returns(req: func.HttpRequest):
    return {"none": None, "dict": {}, "int": 3}[req.route_params["what"]]

@app.route(route="exits", auth_level=func.AuthLevel.ANONYMOUS)
async def exits(req: func.HttpRequest):
    raise SystemExit(3)

@app.route(route="echo/{*rest}", auth_level=func.AuthLevel.ANONYMOUS)
async def echo(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    seen = {
        "method": req.method, "url": req.url, "params": dict(req.params), "route": dict(req.route_params),
        "headers": dict(req.headers), "size": len(req.get_body()), "function": context.function_name,
        "invocation": context.invocation_id,
    }
    headers = {"X-Seen": "yes", "Set-Cookie": "a=1; Path=/; HttpOnly"}
    return func.HttpResponse(json.dumps(seen), status_code=201, mimetype="application/json", headers=headers)

@app.route(route="sleeps", auth_level=func.AuthLevel.ANONYMOUS)
def sleeps(req: func.HttpRequest) -> str:
    print("it sleeps", flush=True)
    time.sleep(600)

@app.route(route="z/{letters:regex(^[a-z]+[/b]?$)}", auth_level=func.AuthLevel.ANONYMOUS)
def letters(req: func.HttpRequest) -> str:
    return req.route_params["letters"]

@app.route(route="json", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def read_json(req: func.HttpRequest) -> str:
    try:
        return json.dumps(req.get_json())
    except ValueError:
        return "not JSON"

@app.route(route="same", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def same_get(req: func.HttpRequest) -> str:
    return "get"

@app.route(route="same", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
def same_post(req: func.HttpRequest) -> str:
    return "post"

@app.route(route="first/{x}", auth_level=func.AuthLevel.ANONYMOUS)
def Aa_template(req: func.HttpRequest) -> str:
    return "template"

@app.route(route="first/literal", auth_level=func.AuthLevel.ANONYMOUS)
def b_literal(req: func.HttpRequest) -> str:
    return "literal"

@app.route(route="framed", auth_level=func.AuthLevel.ANONYMOUS)
def framed(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("body", headers={"Content-Length": "7", "Transfer-Encoding": "chunked"})

@app.route(route="early", auth_level=func.AuthLevel.ANONYMOUS)
def early(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("body", status_code=100)

@app.route(route="secret")
def secret(req: func.HttpRequest) -> str:
    return "secret"

@app.route(route="master", auth_level=func.AuthLevel.ADMIN)
def master(req: func.HttpRequest) -> str:
    return "master"
"""
KEYS = {"DEVHOST_MASTER_KEY": "the-master", "DEVHOST_HOST_KEY": "the-host"}


@pytest.fixture(scope="module")
def app_dir(tmp_path_factory):
    return write_app(tmp_path_factory.mktemp("http"), CODE)


@pytest.fixture(scope="module")
def host(app_dir):
    with running_host(app_dir) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(app_dir):
    """The same app with auth enabled."""
    with running_host(app_dir, app_dir / "guarded" / "hub.sqlite", KEYS, ["--enable-auth"]) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [("/api/a", 200, "none"), ("/api/a/5", 200, "5"), ("/API/A/5/", 200, "5"), ("/api/a/x", 404, ""), ("/a", 404, "")],
)
def test_case_03_optional_int_parameter(host, path, status, text):
    """The route matches with a number or nothing, in any case, and nothing else."""
    answer = requests.get(host.url + path, timeout=10)

    assert (answer.status_code, answer.text) == (status, text)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/api/secret", {}, 401),
        ("/api/secret", {"x-functions-key": "wrong"}, 401),
        ("/api/secret", {"x-functions-key": b"\xff"}, 401),
        ("/api/secret", {"x-functions-key": "the-host"}, 200),
        ("/api/secret", {"x-functions-key": "the-master"}, 200),
        ("/api/secret?code=the-host", {}, 200),
        ("/api/secret?code=the-host", {"x-functions-key": "wrong"}, 401),
        ("/api/master", {"x-functions-key": "the-host"}, 401),
        ("/api/master", {"x-functions-key": "the-master"}, 200),
        ("/api/text", {}, 200),
        ("/admin/host/status", {}, 401),
        ("/admin/host/ping", {}, 200),
    ],
)
def test_case_04_keys_open_what_their_level_allows(guarded, path, headers, status):
    """A function or host key opens FUNCTION, only the master key opens ADMIN, the header counts before the query."""
    assert requests.get(guarded.url + path, headers=headers, timeout=10).status_code == status


def test_case_04_each_function_has_a_key_of_its_own(guarded):
    """The start-up table shows a URL that works, and its key opens no other function."""
    (line,) = (line for line in guarded.log.splitlines() if line.startswith("secret"))
    code = line.split("code=")[1].strip()

    assert requests.get(f"{guarded.url}/api/secret?code={code}", timeout=10).text == "secret"
    assert requests.get(f"{guarded.url}/api/raises?code={code}", timeout=10).status_code == 401


def test_case_04_without_auth_every_function_is_open(host):
    """Core Tools asks for no keys unless told to."""
    assert requests.get(f"{host.url}/api/master", timeout=10).text == "master"


def test_case_05_text_is_answered_as_text(host):
    """A function that returns a string answers 200 with that text."""
    answer = requests.get(f"{host.url}/api/text", timeout=10)

    assert (answer.status_code, answer.text) == (200, "grüezi")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    "path", ["/api/raises", "/api/returns/none", "/api/returns/dict", "/api/returns/int", "/api/exits", "/api/early"]
)
def test_case_05_failure_is_answered_500_without_details(host, path):
    """An exception or a value that is no response tells the caller nothing more, and the host lives on."""
    answer = requests.get(host.url + path, timeout=10)

    assert (answer.status_code, answer.text) == (500, "")


def test_case_05_log_shows_where_the_function_failed(host):
    """The developer sees the exception with the app's frames only."""
    requests.get(f"{host.url}/api/raises", timeout=10)

    assert "Function 'raises' failed" in host.log
    assert "ValueError: on purpose" in host.log
    assert "devhost/invoker.py" not in host.log.split("Function 'raises' failed")[1].split("ValueError: on purpose")[0]


def test_request_reaches_the_function_whole(host):
    """Method, absolute URL, lower-case headers, joined query keys, route values and body arrive."""
    url = f"{host.url}/api/echo/x/y%20z%2Fq?k=1&k=2&e="
    answer = requests.put(url, data=b"\x00" * 1000, headers={"X-Mine": "Yes"}, timeout=10)

    assert answer.status_code == 201
    assert answer.headers["X-Seen"] == "yes"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Set-Cookie"] == "a=1; HttpOnly; Path=/"
    seen = answer.json()
    assert seen["method"] == "PUT"
    assert seen["url"] == url
    assert seen["params"] == {"k": "1,2", "e": ""}
    assert seen["route"] == {"rest": "x/y z%2Fq"}
    assert seen["headers"]["x-mine"] == "Yes"
    assert seen["size"] == 1000
    assert seen["function"] == "echo"
    assert len(seen["invocation"]) == 36


def test_empty_catch_all_is_absent(host):
    """A parameter that took nothing is not among the route values."""
    assert requests.get(f"{host.url}/api/echo", timeout=10).json()["route"] == {}


def test_identity_headers_from_outside_never_reach_a_function(host):
    """Only the platform may say who somebody is."""
    forged = {
        "X-MS-CLIENT-PRINCIPAL-NAME": "boss@contoso.com",
        "x-ms-client-principal": "e30=",
        "X-MS-TOKEN-AAD-ID-TOKEN": "t",
    }

    seen = requests.get(f"{host.url}/api/echo", headers=forged, timeout=10).json()

    assert not [name for name in seen["headers"] if name.startswith("x-ms-")]


def test_wrong_verb_is_not_found(host):
    """Azure answers 404, not 405."""
    assert requests.get(f"{host.url}/api/json", timeout=10).status_code == 404


def test_verb_chooses_between_functions_on_one_route(host):
    """Two functions may share a route when their verbs differ."""
    assert requests.get(f"{host.url}/api/same", timeout=10).text == "get"
    assert requests.post(f"{host.url}/api/same", timeout=10).text == "post"


def test_first_function_by_name_wins(host):
    """Overlapping routes are tried by function name ignoring case, not by how specific they are."""
    assert requests.get(f"{host.url}/api/first/literal", timeout=10).text == "template"


def test_head_answers_without_body(host):
    """HEAD gives the headers of the answer and its length."""
    answer = requests.head(f"{host.url}/api/text", timeout=10)

    assert (answer.status_code, answer.content, answer.headers["Content-Length"]) == (200, b"", "7")


def test_wrong_length_from_the_app_harms_nobody(host):
    """The host frames the body itself."""
    answer = requests.get(f"{host.url}/api/framed", timeout=10)

    assert (answer.text, answer.headers["Content-Length"]) == ("body", "4")


@pytest.mark.parametrize(("body", "text"), [(b'{"a": 1}', '{"a": 1}'), (b"{", "not JSON"), (b"", "not JSON")])
def test_bad_json_raises_value_error_in_the_function(host, body, text):
    """The function decides what to make of a body that is not JSON."""
    assert requests.post(f"{host.url}/api/json", data=body, timeout=10).text == text


def test_compressed_body_arrives_as_sent(host):
    """The host does not touch the bytes a signature may stand for."""
    packed = gzip.compress(json.dumps({"a": 1}).encode())

    answer = requests.post(f"{host.url}/api/echo", data=packed, headers={"Content-Encoding": "gzip"}, timeout=10)

    assert answer.json()["size"] == len(packed)


def test_path_cannot_forge_lines_of_the_log(host):
    """A line break in the path reaches the function and is none in the log."""
    answer = requests.get(f"{host.url}/api/echo/a%0AINFO forged", timeout=10)

    assert answer.json()["route"] == {"rest": "a\nINFO forged"}
    assert "\nINFO forged" not in host.log


def test_second_signal_ends_the_host_at_once(app_dir):
    """Whoever presses Ctrl-C again does not wait for functions."""
    with (
        running_host(app_dir, app_dir / "twice" / "hub.sqlite") as running,
        socket.create_connection(("127.0.0.1", int(running.url.rsplit(":", 1)[1]))) as caller,
    ):
        caller.sendall(b"GET /api/sleeps HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_for_log(running, "it sleeps")
        running.process.send_signal(signal.SIGINT)
        wait_for_log(running, "stopping")
        running.process.send_signal(signal.SIGINT)
        status = running.process.wait(30)

    assert status in (130, 0)  # 0 when the grace had passed already


def test_stop_leaves_with_status_zero(app_dir):
    """SIGTERM ends the host cleanly."""
    with running_host(app_dir, app_dir / "stopped" / "hub.sqlite") as running:
        status = running.stop()

    assert status == 0


def test_busy_port_is_one_clear_line(host, app_dir):
    """A second host on the port says what to do."""
    port = host.url.rsplit(":", 1)[1]

    refused = rf"port {port} on 127.0.0.1 cannot be used \(Address already in use\): give another one with --port"
    with pytest.raises(HostFailed, match=refused):
        start_host(app_dir, app_dir / "other" / "hub.sqlite", arguments=["--port", port])
