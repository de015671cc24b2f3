"""Conformance cases 1 and 2, and the other ways in which an app can be unfit to start."""

from __future__ import annotations

import pytest

from devhost.environment import StartError
from tests.devhost.harness import HostFailed, running_host, write_app

BLUEPRINT = """
import azure.durable_functions as df
import azure.functions as func

bp = df.Blueprint()

@bp.activity_trigger(input_name="name", activity="Say-Hello")
def greet(name: str) -> str:
    return name

@bp.orchestration_trigger(context_name="context")
def story(context):
    yield context.call_activity("greet", "x")
"""
APP = """
import azure.durable_functions as df
import azure.functions as func
from parts import bp

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
app.register_functions(bp)

@app.function_name("Page")
@app.route(route="page")
def show(req: func.HttpRequest) -> str:
    return "page"

@app.timer_trigger(arg_name="timer", schedule="0 0 3 * * *")
def nightly(timer: func.TimerRequest) -> None:
    pass
"""
ONE_ROUTE = """
import azure.functions as func
app = func.FunctionApp()
@app.route(route="a")
def a({parameters}) -> str:
    return "a"
"""


@pytest.fixture
def parts(tmp_path):
    """A module beside function_app.py that the app imports."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "parts.py").write_text(BLUEPRINT)


def test_case_01_functions_of_app_and_blueprint_are_listed(load, parts):
    """An app with a blueprint is indexed once, with indexed, durable and function names."""
    app = load(APP)

    assert set(app.functions) == {"greet", "story", "Page", "nightly"}
    assert set(app.activities) == {"say-hello"}
    assert set(app.orchestrators) == {"story"}
    assert app.functions["Page"].trigger["route"] == "page"
    assert app.functions["Page"].trigger["authLevel"] == "ANONYMOUS"
    assert app.is_durable


def test_case_01_duplicate_name_is_a_clear_error(load):
    """Two functions of one name stop the start, and the message names them."""
    code = ONE_ROUTE.format(parameters="req: func.HttpRequest")
    twice = (
        code + "@app.route(route='b')\n@app.function_name('a')\ndef b(req: func.HttpRequest) -> str:\n    return 'b'\n"
    )

    with pytest.raises(StartError, match="Function a does not have a unique function name"):
        load(twice)


def test_names_that_differ_only_in_case_are_refused(load):
    """Azure compares function names ignoring case."""
    code = ONE_ROUTE.format(parameters="req: func.HttpRequest")
    twice = code + "@app.route(route='b')\ndef A(req: func.HttpRequest) -> str:\n    return 'b'\n"

    with pytest.raises(StartError, match="Functions 'a' and 'A' differ only in case"):
        load(twice)


@pytest.mark.parametrize("trigger", ["orchestration_trigger", "entity_trigger"])
def test_case_02_other_context_name_is_rejected(load, trigger):
    """The wrapper's parameter is called context, so the worker refuses any other name."""
    code = f"""
import azure.durable_functions as df
app = df.DFApp()
@app.{trigger}(context_name="ctx")
def story(ctx):
    yield
"""

    with pytest.raises(StartError, match='context_name is "ctx", but the worker accepts only "context"'):
        load(code)


def test_parameter_without_binding_is_refused(load):
    """The worker cannot fill it."""
    with pytest.raises(StartError, match="no binding fills the parameter\\(s\\) other"):
        load(ONE_ROUTE.format(parameters="req: func.HttpRequest, other: str"))


def test_binding_without_parameter_is_refused(load):
    """The worker has nowhere to put it."""
    with pytest.raises(StartError, match="the binding\\(s\\) req have no parameter"):
        load(ONE_ROUTE.format(parameters="request: func.HttpRequest").replace("request:", "*, context:"))


def test_unbound_context_parameter_gets_the_invocation_context(load):
    """A parameter called context needs no binding."""
    app = load(ONE_ROUTE.format(parameters="req: func.HttpRequest, context: func.Context"))

    assert app.functions["a"].wants_context


def test_comment_in_host_json_is_named(load):
    """The Python durable SDK cannot read what the Azure host accepts."""
    with pytest.raises(StartError, match=r"host.json is not strict JSON \(line 2: .*Comments"):
        load(APP, host_json='{\n  // the version\n  "version": "2.0"}')


def test_other_host_json_version_is_refused(load):
    """Only version 2.0 exists for Python v2 apps."""
    with pytest.raises(StartError, match=r'version is None, expected "2.0"'):
        load(APP, host_json="{}")


def test_environment_overrides_host_json(load, parts):
    """Any key of host.json can come from a variable, whatever its case."""
    app = load(
        APP,
        env={"AzureFunctionsJobHost__EXTENSIONS__http__routePrefix": "x", "AZUREFUNCTIONSJOBHOST__a": "1"},
        host_json='{"version": "2.0", "extensions": {"http": {"routePrefix": "api"}}}',
    )

    assert app.host_json == {"version": "2.0", "extensions": {"http": {"routePrefix": "x"}}, "a": 1}


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("x = 1", "defines no function app"),
        ("import azure.functions as f\na = f.FunctionApp()\nb = f.FunctionApp()", "several function apps \\(a, b\\)"),
        ("raise SystemExit(3)", "cannot be imported: SystemExit: 3"),
        ("import nowhere_to_be_found", "cannot be imported: ModuleNotFoundError: No module named"),
        (
            "import azure.functions as f\napp = f.FunctionApp()\n"
            "@app.queue_trigger(arg_name='m', queue_name='q', connection='c')\ndef q(m: f.QueueMessage): pass",
            "uses a binding of type 'queueTrigger'",
        ),
    ],
)
def test_unfit_app_is_refused_with_the_reason(load, code, message):
    """Whatever cannot run is named before anything starts."""
    with pytest.raises(StartError, match=message):
        load(code)


def test_disabled_function_is_hidden(load, parts):
    """A setting takes a function out without touching code."""
    app = load(APP, env={"AzureWebJobs.Page.Disabled": "true"})

    assert "Page" not in app.functions
    assert app.disabled == ["Page"]


def test_entity_trigger_is_refused_at_start(tmp_path):
    """Entities are not served, and the host says so before it listens."""
    code = """
import azure.durable_functions as df
app = df.DFApp()
@app.entity_trigger(context_name="context")
def counter(context):
    pass
"""

    with (
        pytest.raises(HostFailed, match="entity triggers are not supported by devhost \\(counter\\)"),
        running_host(write_app(tmp_path, code)),
    ):
        pass
