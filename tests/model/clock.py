"""The virtual clock, for everything of ours that asks what time it is."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from types import ModuleType
from typing import Any
from unittest.mock import patch

OURS = ("activities", "adapters", "domain", "evaluation", "orchestrators", "triggers")


class _IsDatetime(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, datetime)


def virtual_datetime(now: Callable[[], datetime]) -> type:
    """Return a class that is `datetime` in all but the time it tells."""

    class Virtual(datetime, metaclass=_IsDatetime):  # type: ignore[misc]
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return now().astimezone(tz) if tz else now().astimezone(UTC).replace(tzinfo=None)

    return Virtual


def virtual_time(now: Callable[[], datetime]) -> ModuleType:
    """Return a module that is `time` in all but the time it tells; nobody sleeps."""
    module = ModuleType("time")
    module.__dict__.update(vars(time))
    module.__dict__.update(time=lambda: now().timestamp(), monotonic=lambda: now().timestamp(), sleep=lambda _: None)
    return module


@contextlib.contextmanager
def installed(now: Callable[[], datetime]) -> Iterator[None]:
    """Let every module of ours that is loaded tell this time."""
    instead = {datetime: virtual_datetime(now), time: virtual_time(now), time.time: lambda: now().timestamp()}
    with contextlib.ExitStack() as undo:
        for name, module in sorted(sys.modules.items()):
            if name.split(".")[0] not in OURS:
                continue
            for attribute, value in list(vars(module).items()):
                if isinstance(value, type | ModuleType) and value in instead:
                    undo.enter_context(patch.object(module, attribute, instead[value]))
                defaults = getattr(value, "__defaults__", None)
                if defaults and time.time in defaults:
                    told = tuple(instead.get(one, one) if callable(one) else one for one in defaults)
                    undo.enter_context(patch.object(value, "__defaults__", told))
        yield
