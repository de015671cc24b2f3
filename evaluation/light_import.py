"""Import Prompt Flow's core without its development kit, and keep both quiet.

The `promptflow` package imports the development kit (a database, a tracing service, telemetry) although running a
flow needs only `promptflow-core`. Where just that is installed `promptflow` is an empty package; this makes it look
the same here, in half the time. Whoever asks the package for a name of its own still gets the whole of it.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, TypeVar

from evaluation.failures import BackOff

_QUIET = {
    "PF_DISABLE_TRACING": "false",  # traces inside the process are what counts tokens; what follows keeps them there
    "PF_TRACING_SKIP_LOCAL_SETUP": "true",
    "PF_TRACING_SKIP_EXPORTER_SETUP": "true",
    "PF_LOGGING_LEVEL": "CRITICAL",  # it logs five lines a row
    "OTEL_SDK_DISABLED": "true",
    # The telemetry of Prompt Flow's development kit asks Azure Monitor for settings even when it is off.
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
}
T = TypeVar("T")
_load_all = threading.Lock()


def quiet_environment(variables: Mapping[str, str], home: Path) -> dict[str, str]:
    """Return the environment for a process that uses Prompt Flow: no telemetry, and its files under `home`."""
    home.mkdir(parents=True, exist_ok=True)
    settings = home / "pf.yaml"
    if not settings.exists():
        settings.write_text("telemetry:\n  enabled: false\n", encoding="utf-8")
    return {**variables, **_QUIET, "PF_HOME_DIRECTORY": str(home)}


def import_promptflow_core() -> None:
    """Put an empty `promptflow` package in place, unless the real one is already there."""
    spec = None if "promptflow" in sys.modules else importlib.util.find_spec("promptflow")
    if spec is None or spec.loader is None:
        return
    package, loader = importlib.util.module_from_spec(spec), spec.loader

    def load_all(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        with _load_all:
            if package.__dict__.get("__getattr__") is load_all:
                del package.__dict__["__getattr__"]
                loader.exec_module(package)
        return getattr(package, name)

    package.__dict__["__getattr__"] = load_all
    sys.modules["promptflow"] = package


def create_lightly(create: Callable[[], T], flow: str) -> T:
    """Create an executor as if promptflow-tools were not installed, when the flow's file does not ask for them.

    The executor imports them for every flow, and with them the development kit. Where that does not work out (a
    module of the flow imports them) it is created again with everything.
    """
    if "promptflow.tools" in sys.modules or re.search(r"\btype: *[\"']?(llm|package)|\bapi:|\bprovider:", flow):
        return create()
    sys.modules["promptflow.tools"] = None  # type: ignore[assignment]  # how Python marks what cannot be imported
    try:
        return create()
    except Exception:  # whatever the flow missed: the second try has everything, and raises what is really wrong
        sys.modules.pop("promptflow.tools", None)
        return create()
    finally:
        sys.modules.pop("promptflow.tools", None)


def stop_inner_retries() -> None:
    """Make Prompt Flow's own model calls fail at once where they would sleep and try again, up to a hundred times.

    Neither has a setting for it. Attempts are ours: bounded, visible in the results, and not counted as latency.
    """
    for name in ("promptflow.tools.common", "promptflow.core._prompty_utils"):
        module = sys.modules.get(name)
        if module is not None:
            _replace_sleep(module)


def _replace_sleep(module: ModuleType) -> None:
    module.__dict__["time"] = SimpleNamespace(sleep=_give_up)
    if "asyncio" in module.__dict__:
        module.__dict__["asyncio"] = SimpleNamespace(sleep=_give_up)


def _give_up(seconds: float) -> None:
    error = sys.exc_info()[1]
    if error is None:
        raise RuntimeError(f"asked to wait {seconds} s outside of the handling of an error")
    raise BackOff(error) from error
