"""What Core Tools put into the environment of a function app before it is imported."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any


class StartError(Exception):
    """The app cannot be started; the message says what is wrong and what to do, in one line."""


def prepare_environment(directory: Path, port: int, env: MutableMapping[str, str] = os.environ) -> None:
    """Set the variables of local.settings.json and of Core Tools. Raises StartError on an unreadable file."""
    for name, value in local_values(directory).items():
        if not env.get(name):
            env[name] = value
    env["WEBSITE_HOSTNAME"] = f"localhost:{port}"
    env["AzureWebJobsScriptRoot"] = str(directory)
    env["AZURE_FUNCTIONS_ENVIRONMENT"] = "Development"
    env.setdefault("FUNCTIONS_WORKER_RUNTIME", "python")
    time.tzset()  # a TZ among the values decides the local time of timer triggers


def local_values(directory: Path) -> dict[str, str]:
    """Read `Values` of local.settings.json; empty when there is no such file."""
    path = directory / "local.settings.json"
    if not path.is_file():
        return {}
    settings = read_json(path, "")
    if settings.get("IsEncrypted"):
        raise StartError("local.settings.json is encrypted: run `func settings decrypt` or write the values in plain")
    values = settings.get("Values", {})
    if not isinstance(values, dict):
        raise StartError("local.settings.json: Values must be an object of names and texts")
    wrong = next((name for name, value in values.items() if isinstance(value, (dict, list))), None)
    if wrong is not None:
        raise StartError(f"local.settings.json: {wrong} must be text: put objects and lists into a JSON string")
    return {name: _as_text(value) for name, value in values.items() if value is not None}


def read_json(path: Path, hint: str) -> dict[str, Any]:
    """Read a JSON object. Raises StartError naming file and line; `hint` is added for the reader."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        where = f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise StartError(f"{path.name} is not strict JSON ({where}).{hint}") from error
    if not isinstance(content, dict):
        raise StartError(f"{path.name} must be a JSON object, not {type(content).__name__}")
    return content


def section(host_json: Mapping[str, Any], *path: str) -> dict[str, Any]:
    """Return a section of host.json, empty when it is not there; names are found in any case, as .NET finds them.

    The keys of the section come lower-cased. Raises StartError when it is no object.
    """
    found: Any = host_json
    for depth, name in enumerate(path, 1):
        found = {key.lower(): value for key, value in found.items()}.get(name.lower())
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise StartError(f"host.json: {'.'.join(path[:depth])} must be an object, not {found!r}")
    return {key.lower(): value for key, value in found.items()}


def _as_text(value: Any) -> str:
    # .NET writes booleans with a capital letter, and apps written against Core Tools compare with that.
    return value if isinstance(value, str) else str(value)
