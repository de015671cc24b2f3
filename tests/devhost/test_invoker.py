"""Functions are called as the Python worker calls them."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from devhost.invoker import FunctionTimeout, HttpCall, Invoker

CODE = """
import asyncio, threading, time
import azure.durable_functions as df
import azure.functions as func

app = df.DFApp()

class Point:
    def __init__(self, x: int) -> None:
        self.x = x

    @staticmethod
    def to_json(point: "Point") -> str:
        return str(point.x)

    @staticmethod
    def from_json(text: str) -> "Point":
        return Point(int(text))

@app.activity_trigger(input_name="value", activity="Show")
def show(value):
    return [type(value).__name__, value if not isinstance(value, Point) else value.x]

@app.activity_trigger(input_name="x")
def make_point(x):
    return Point(x)

@app.activity_trigger(input_name="x")
def returns_nothing(x):
    return None

@app.activity_trigger(input_name="x")
def fails(x):
    raise KeyError("missing")

@app.activity_trigger(input_name="x")
def returns_bytes(x):
    return b"1"

@app.activity_trigger(input_name="x")
async def waits(x):
    await asyncio.sleep(60)

@app.activity_trigger(input_name="x")
async def cancels_itself(x):
    asyncio.current_task().cancel()
    await asyncio.sleep(1)

@app.activity_trigger(input_name="x")
def where_sync(x):
    return threading.current_thread().name

@app.activity_trigger(input_name="x")
async def where_async(x):
    time.sleep(0.01)
    return [threading.current_thread().name, id(asyncio.get_running_loop())]

@app.orchestration_trigger(context_name="context", orchestration="Story")
def story(context):
    result = yield context.call_activity("Show", context.get_input())
    return result

@app.route(route="out")
def with_out(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse("x", status_code=202)
    response.headers.add("Set-Cookie", "a=1; Secure")
    response.headers.add("Set-Cookie", "b=2; Path=/")
    return response
"""


@pytest.fixture
def invoker(load):
    made = Invoker(load(CODE), timeout=5)
    yield made
    asyncio.run(made.stop(1))


def act(invoker: Invoker, name: str, text: str) -> Any:
    return asyncio.run(invoker.act(name, text, "instance"))


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ('"a"', ["str", "a"]),
        ("3", ["int", 3]),
        ("null", ["NoneType", None]),
        ('{"a": [1]}', ["dict", {"a": [1]}]),
        ("not JSON", ["str", "not JSON"]),
        ('{"__class__": "Point", "__module__": "function_app", "__data__": "7"}', ["Point", 7]),
    ],
)
def test_case_35_activity_input_arrives_decoded(invoker, text, seen):
    """JSON text becomes its value, other text itself, an envelope an instance of the app's class."""
    assert json.loads(act(invoker, "show", text)) == seen


def test_case_35_custom_class_goes_out_in_an_envelope(invoker):
    """Class and module are named, so that the next reader can build it."""
    assert json.loads(act(invoker, "make_point", "7")) == {
        "__class__": "Point",
        "__module__": "function_app",
        "__data__": "7",
    }


def test_unknown_class_is_an_error(invoker):
    """An envelope of a class that is not loaded cannot be decoded."""
    with pytest.raises(ValueError, match="activity trigger input must be a string or a valid json serializable"):
        act(invoker, "show", '{"__class__": "Nobody", "__module__": "nowhere", "__data__": "7"}')


def test_nothing_is_no_result(invoker):
    """None is a null result, not the text null."""
    assert act(invoker, "returns_nothing", "1") is None


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("fails", KeyError, "missing"),
        ("cancels_itself", RuntimeError, "was cancelled"),
        ("returns_bytes", ValueError, "output"),
    ],
)
def test_activity_raises_what_the_function_raised(invoker, name, error, message):
    """The engine needs the class and the text; a result that is no JSON is an error as well."""
    with pytest.raises(error, match=message):
        act(invoker, name, "1")


def test_durable_names_are_those_declared_and_found_in_any_case(invoker):
    """The trigger's own name counts, not the function's."""
    assert set(invoker.orchestrator_names) == {"Story"}
    assert {"Show", "make_point"} <= set(invoker.activity_names)
    assert act(invoker, "SHOW", "1") == '["int", 1]'


def test_orchestrator_gives_the_sdk_response(invoker):
    """One episode in, the actions so far out."""
    started = {"EventType": 12, "EventId": -1, "IsPlayed": False, "Timestamp": "2024-03-01T12:00:00Z"}
    execution = started | {"EventType": 0, "Name": "Story", "Input": '"\\"x\\""', "Version": None}
    request = {
        "history": [started, execution],
        "input": '"x"',
        "instanceId": "i",
        "isReplaying": False,
        "parentInstanceId": None,
        "upperSchemaVersion": 1,
        "upperSchemaVersionNew": 2,
    }

    response = json.loads(asyncio.run(invoker.orchestrate("story", json.dumps(request))))

    assert response["isDone"] is False
    assert [action["functionName"] for action in response["actions"][0]] == ["Show"]


def test_async_functions_share_one_loop_beside_the_host(invoker):
    """The durable client keeps a session for that loop, and blocking it must not stop the host."""
    first, second = (json.loads(act(invoker, "where_async", "1")) for _ in range(2))

    assert first == second
    assert first[0] == "functions-loop"
    assert json.loads(act(invoker, "where_sync", "1")) != threading.current_thread().name


def test_function_over_its_time_fails(load):
    """functionTimeout ends it, and the message says so."""
    invoker = Invoker(load(CODE), timeout=0.05)

    with pytest.raises(FunctionTimeout, match=r"Timeout value of 0.05 s was exceeded by function: waits"):
        act(invoker, "waits", "1")
    asyncio.run(invoker.stop(1))


def test_cookies_leave_one_by_one(invoker):
    """Each Set-Cookie is a header of its own."""
    call = HttpCall("GET", "http://localhost/api/out", {}, {}, {}, b"")

    reply = asyncio.run(invoker.answer(invoker.app.functions["with_out"], call))

    assert reply.status == 202
    assert [value for name, value in reply.headers if name == "Set-Cookie"] == ["a=1; Secure", "b=2; Path=/"]
