"""Import a Python v2 function app and index its functions, with the rules of the real worker."""

from __future__ import annotations

import importlib
import inspect
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from azure.functions import FunctionRegister

from devhost.environment import StartError, read_json

log = logging.getLogger("devhost.loader")

_TRIGGER_NAME_FIELDS = {"orchestrationTrigger": "orchestration", "activityTrigger": "activity"}
_TRIGGERS = {"httpTrigger", "timerTrigger", "entityTrigger", *_TRIGGER_NAME_FIELDS}
_BINDINGS = {*_TRIGGERS, "http", "durableClient"}
_COMMENTS = (
    " Comments and trailing commas are legal for the Azure host,"
    " but the Python durable SDK cannot read them: remove them."
)
_OVERRIDE = "azurefunctionsjobhost__"


@dataclass(frozen=True)
class Function:
    """One indexed function: what calls it, what it is given, what it returns to."""

    name: str
    user_function: Callable[..., Any]
    bindings: list[dict[str, Any]]
    trigger: dict[str, Any]
    is_async: bool
    wants_context: bool = False  # it has a parameter `context` that no binding fills


@dataclass(frozen=True)
class App:
    """An indexed function app. Durable names are lower-cased, for Azure compares them ignoring case."""

    directory: Path
    functions: dict[str, Function]
    orchestrators: dict[str, Function]
    activities: dict[str, Function]
    entities: dict[str, Function]
    host_json: dict[str, Any]
    disabled: list[str] = field(default_factory=list)

    def with_trigger(self, kind: str) -> list[Function]:
        """List the functions with one kind of trigger, in the order in which Azure sorts them."""
        chosen = (function for function in self.functions.values() if function.trigger["type"] == kind)
        return sorted(chosen, key=lambda function: function.name.lower())

    @property
    def is_durable(self) -> bool:
        """Whether anything in the app needs the durable engine."""
        durable = {"orchestrationTrigger", "activityTrigger", "durableClient"}
        return any(b["type"] in durable for function in self.functions.values() for b in function.bindings)


def load_app(directory: Path, env: Mapping[str, str] = os.environ) -> App:
    """Import and index the app in `directory`, which becomes the working directory. Raises StartError."""
    directory = directory.resolve()
    script = env.get("PYTHON_SCRIPT_FILE_NAME", "function_app.py")
    if not (directory / script).is_file():
        raise StartError(f"{directory} has no {script}: give the directory of a Python v2 function app with --app")
    host_json = read_host_json(directory, env)
    os.chdir(directory)
    sys.path.insert(0, str(directory))
    indexed = [_describe(function) for function in _index(_register(_import(script)), script)]
    _refuse_same_names(indexed)
    enabled = [function for function in indexed if not _is_disabled(function.name, env)]
    return App(
        directory=directory,
        functions={function.name: function for function in enabled},
        orchestrators=_by_durable_name(enabled, "orchestrationTrigger"),
        activities=_by_durable_name(enabled, "activityTrigger"),
        entities={_entity_name(f): f for f in enabled if f.trigger["type"] == "entityTrigger"},
        host_json=host_json,
        disabled=sorted(function.name for function in indexed if function not in enabled),
    )


def read_host_json(directory: Path, env: Mapping[str, str]) -> dict[str, Any]:
    """Read host.json and lay the AzureFunctionsJobHost__ variables over it. Raises StartError."""
    path = directory / "host.json"
    content = read_json(path, _COMMENTS) if path.is_file() else {"version": "2.0"}
    if content.get("version") != "2.0":
        raise StartError(f'host.json: version is {content.get("version")!r}, expected "2.0"')
    for name, value in env.items():
        if name.lower().startswith(_OVERRIDE):
            _override(content, re.split("__|:", name[len(_OVERRIDE) :]), value)
    return content


def _override(content: dict[str, Any], path: list[str], value: str) -> None:
    known = {key.lower(): key for key in content}
    key = known.get(path[0].lower(), path[0])
    if len(path) == 1:
        content[key] = _parsed(value)
        return
    inner = content.setdefault(key, {})
    if isinstance(inner, dict):
        _override(inner, path[1:], value)


def _parsed(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def app_part(error: BaseException) -> tuple[type[BaseException], BaseException, TracebackType | None]:
    """Cut the host's own frames off a traceback, for `exc_info`."""
    traceback = frame = error.__traceback__
    while frame:
        module = frame.tb_frame.f_globals.get("__name__", "")
        if frame.tb_next and module.startswith(("devhost.", "importlib")):
            traceback = frame.tb_next
        frame = frame.tb_next
    return type(error), error, traceback


def _import(script: str) -> Any:
    module = script.removesuffix(".py")
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:
        log.error("importing %s failed", script, exc_info=app_part(error))
        raise StartError(f"{script} cannot be imported: {type(error).__name__}: {error}") from error


def _register(module: Any) -> Any:
    found = {id(value): name for name, value in vars(module).items() if isinstance(value, FunctionRegister)}
    if not found:
        raise StartError(f"{module.__name__}.py defines no function app: assign one FunctionApp or DFApp at top level")
    if len(found) > 1:
        raise StartError(
            f"{module.__name__}.py defines several function apps ({', '.join(sorted(found.values()))}):"
            " keep one and use Blueprint for the others"
        )
    return getattr(module, next(iter(found.values())))


def _index(app: Any, script: str) -> list[Any]:
    try:
        return list(app.get_functions())
    except ValueError as error:
        raise StartError(f"{script} cannot be indexed: {error}") from error


def _describe(function: Any) -> Function:
    name = function.get_function_name()
    bindings = [json.loads(text) for text in function.get_raw_bindings()]
    trigger = next(b for b in bindings if b["name"] == function.get_trigger().name)
    unknown = next((b["type"] for b in bindings if b["type"] not in _BINDINGS), None)
    if unknown:
        raise StartError(
            f"Function '{name}' uses a binding of type '{unknown}':"
            " devhost runs HTTP, timer and durable bindings only, use Core Tools for the others"
        )
    user_function = function.get_user_function()
    wants_context = _check_signature(name, user_function, bindings, trigger)
    return Function(name, user_function, bindings, trigger, inspect.iscoroutinefunction(user_function), wants_context)


def _check_signature(
    name: str, user_function: Callable[..., Any], bindings: list[dict[str, Any]], trigger: dict[str, Any]
) -> bool:
    """Compare parameters with bindings as the worker does; return whether the invocation context is wanted."""
    parameters = set(inspect.signature(user_function).parameters)
    bound = {binding["name"] for binding in bindings} - {"$return"}
    if trigger["type"] in ("orchestrationTrigger", "entityTrigger") and trigger["name"] != "context":
        raise StartError(
            f'Function \'{name}\': context_name is "{trigger["name"]}", but the worker accepts only "context"'
        )
    wants_context = "context" in parameters and "context" not in bound
    unbound = parameters - bound - {"context"}
    if unbound:
        raise StartError(f"Function '{name}': no binding fills the parameter(s) {', '.join(sorted(unbound))}")
    if bound - parameters:
        raise StartError(f"Function '{name}': the binding(s) {', '.join(sorted(bound - parameters))} have no parameter")
    _check_client(name, user_function, bindings)
    return wants_context


def _check_client(name: str, user_function: Callable[..., Any], bindings: list[dict[str, Any]]) -> None:
    inner = getattr(user_function, "client_function", user_function)
    if any(b["type"] == "durableClient" for b in bindings) and not inspect.iscoroutinefunction(inner):
        # A warning only: on Azure, too, such an app starts, and a decorated function may still return an awaitable.
        log.warning("Function '%s' has a durable client but is not `async def`: the SDK awaits what it returns", name)


def _refuse_same_names(functions: list[Function]) -> None:
    seen: dict[str, str] = {}
    for function in functions:
        other = seen.setdefault(function.name.lower(), function.name)
        if other != function.name:
            raise StartError(f"Functions '{other}' and '{function.name}' differ only in case: Azure takes them for one")


def _by_durable_name(functions: list[Function], kind: str) -> dict[str, Function]:
    named: dict[str, Function] = {}
    for function in functions:
        if function.trigger["type"] != kind:
            continue
        name = str(function.trigger.get(_TRIGGER_NAME_FIELDS[kind]) or function.name)
        if name.startswith("@"):
            raise StartError(f"Function '{function.name}': a durable name may not start with '@'")
        if name.lower() in named:
            raise StartError(f"Functions '{named[name.lower()].name}' and '{function.name}' are both named '{name}'")
        named[name.lower()] = function
    return named


def _entity_name(function: Function) -> str:
    return str(function.trigger.get("entityName") or function.name).lower()


def _is_disabled(name: str, env: Mapping[str, str]) -> bool:
    values = (env.get(f"AzureWebJobs.{name}.Disabled"), env.get(f"AzureWebJobs__{name}__Disabled"))
    return any((value or "").lower() in ("true", "1") for value in values)
