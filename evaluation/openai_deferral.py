"""Import the OpenAI SDK only when something uses it: a flow without a model call starts in half the time.

Prompt Flow's core imports the SDK for six exception classes and for counting tokens. Until somebody else imports it
there can be no such exception and no token; the moment somebody does, Prompt Flow gets the real classes and starts to
count. Prompt Flow 1.18 is the last version with new features, so what this knows about it will not move.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_EXECUTOR = "promptflow.executor.flow_executor"
_USERS = (
    "promptflow.core._errors",
    "promptflow.core._prompty_utils",
    "promptflow.tracing._integrations._openai_injector",
)


@contextmanager
def deferred_openai() -> Iterator[None]:
    """Import Prompt Flow in here. Does nothing when it or the SDK is already there, or the SDK is not installed."""
    if sys.modules.keys() & {"openai", _EXECUTOR} or PathFinder.find_spec("openai") is None:
        yield
        return
    sys.modules["openai"] = placeholder = _Placeholder("openai")
    try:
        yield
    finally:
        if sys.modules.get("openai") is placeholder:
            del sys.modules["openai"]
    executor = sys.modules[_EXECUTOR]
    sys.meta_path.insert(0, _Waiter(executor, vars(executor)["inject_openai_api"]))
    vars(executor)["inject_openai_api"] = _nothing_to_inject


class _Placeholder(ModuleType):
    """Stands for the SDK while Prompt Flow is imported: every name is an exception class that nobody raises."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        vars(self)[name] = made = type(name, (Exception,), {"placeholder": True})
        return made


class _Waiter:
    """Finds the SDK when it is imported for real, and tells Prompt Flow once it is there."""

    def __init__(self, executor: ModuleType, inject: Any) -> None:
        self._executor = executor
        self._inject = inject

    def find_spec(self, name: str, _path: Sequence[str] | None = None, _target: Any = None) -> ModuleSpec | None:
        """Implement a meta path finder."""
        if name != "openai":
            return None
        spec = PathFinder.find_spec(name)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_tell(module: ModuleType) -> None:
                load(module)
                sys.meta_path.remove(self)  # type: ignore[arg-type]  # typeshed wants the deprecated methods as well
                self._openai_is_there(module)

            spec.loader.exec_module = load_and_tell  # type: ignore[method-assign]
        return spec

    def _openai_is_there(self, openai: ModuleType) -> None:
        for user in _USERS:
            names = vars(sys.modules[user])
            for name, value in list(names.items()):
                if isinstance(value, _Placeholder):
                    names[name] = openai
                elif getattr(value, "placeholder", False) is True:
                    names[name] = getattr(openai, name)
        vars(self._executor)["inject_openai_api"] = self._inject
        self._inject()


def _nothing_to_inject() -> None:
    """Stand in for Prompt Flow's injection as long as there is no SDK to inject into."""
