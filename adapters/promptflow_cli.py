"""Run `pf` with given connections: `python -m adapters.promptflow_cli connections.json flow build …`.

`pf flow build` and `pf flow serve` take connections only from Prompt Flow's local store, and the store
keeps its encryption key in the system's keyring, which servers and containers do not have. Here the key
lives in the memory of this one process, so that nothing the store writes can be read after it.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import keyring
from keyring.backend import KeyringBackend

KINDS = {
    "open_ai": "OpenAIConnection",
    "azure_open_ai": "AzureOpenAIConnection",
    "azure_content_safety": "AzureContentSafetyConnection",
    "cognitive_search": "CognitiveSearchConnection",
    "serp": "SerpConnection",
}
_REFERENCE = re.compile(r"\$\{env:([^{}]+)\}")
Connections = Mapping[str, Mapping[str, str]]


def command(connections: Path, *arguments: str) -> list[str]:
    """Return the command that runs `pf` with the connections of a JSON file, written as in drawbridge.yaml."""
    return [sys.executable, "-m", "adapters.promptflow_cli", str(connections), *arguments]


class _MemoryKeyring(KeyringBackend):
    """Passwords for as long as this process lives."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._passwords: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self._passwords.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._passwords[service, username] = password


def main(arguments: list[str]) -> None:
    """Store the connections of the file named first, then do what `pf` does with the other arguments."""
    connections: Connections = json.loads(Path(arguments[0]).read_text())
    if arguments[1:3] == ["flow", "serve"]:
        connections = filled(connections, os.environ)  # a build must keep the references: an image holds no secrets
        _mend_home_page()
    keyring.set_keyring(_MemoryKeyring())
    _store(connections)
    from promptflow._cli._pf.entry import main as pf  # noqa: PLC0415 - slow, as is _store's import

    sys.argv = ["pf", *arguments[1:]]
    pf()


def filled(connections: Connections, variables: Mapping[str, str]) -> Connections:
    """Replace each `${env:NAME}`. Exits with a clear line when a variable is not set."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in variables:
            sys.exit(f"target.connections: the environment variable {match[1]} is not set for the web app")
        return variables[match[1]]

    return {
        name: {key: _REFERENCE.sub(value, text) for key, text in connection.items()}
        for name, connection in connections.items()
    }


def _mend_home_page() -> None:
    """Give the module of a served flow's page the import it lacks in promptflow 1.18: `/` answers 400 without it."""
    from promptflow.core._serving.v1.blueprint import static_web_blueprint  # noqa: PLC0415 - slow

    static_web_blueprint.os = os


def _store(connections: Connections) -> None:
    from promptflow import entities  # noqa: PLC0415
    from promptflow.client import PFClient  # noqa: PLC0415

    client = PFClient()
    for name, connection in connections.items():
        kind = KINDS.get(connection["type"])
        if kind is None:
            sys.exit(f"target.connections.{name}: type {connection['type']!r} is unknown, expected {', '.join(KINDS)}")
        settings = {key: value for key, value in connection.items() if key != "type"}
        client.connections.create_or_update(getattr(entities, kind)(name=name, **settings))


if __name__ == "__main__":
    main(sys.argv[1:])
