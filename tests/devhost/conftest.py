"""Fixtures for tests of the host."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from devhost.loader import App, load_app
from tests.devhost.harness import write_app

Load = Callable[..., App]


@pytest.fixture(autouse=True, scope="package")
def _without_our_app() -> Iterator[None]:
    """Other tests of this process may have imported our own function app; here every app has that name."""
    ours = sys.modules.pop("function_app", None)
    yield
    sys.modules.pop("function_app", None)
    if ours:
        sys.modules["function_app"] = ours


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    """Load an app from its code, in this process; what loading changes is put back afterwards."""
    before = Path.cwd(), list(sys.path), dict(os.environ), set(sys.modules)

    def load_code(code: str, host_json: str = '{"version": "2.0"}', env: Mapping[str, str] | None = None) -> App:
        app_dir = write_app(tmp_path / "app", code, host_json)
        return load_app(app_dir, env or {})

    yield load_code
    directory, path, environ, modules = before
    os.chdir(directory)
    sys.path[:] = path
    os.environ.clear()
    os.environ.update(environ)
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]
