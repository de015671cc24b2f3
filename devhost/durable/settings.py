"""What host.json says about Durable Functions, with the environment's overrides."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from devhost.durable.errors import HubError
from devhost.environment import section

_TIMESPAN = re.compile(r"(?:(\d+)\.)?(\d+):(\d+):(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class DurableSettings:
    """The `extensions.durableTask` section and the function timeout."""

    hub_name: str = "TestHubName"
    max_activities: int = 10
    max_orchestrators: int = 10
    max_actions: int = 100_000
    replace_any_state: bool = False  # overridableExistingInstanceStates is AnyState
    default_version: str | None = None
    store_inputs: bool = False  # keep activity and child inputs in scheduling events
    function_timeout: float | None = 1800.0  # seconds; None means no limit

    @classmethod
    def from_host_json(cls, host_json: Mapping[str, Any], env: Mapping[str, str]) -> DurableSettings:
        """Read the section; `env` gives the names in percent signs. Raises HubError, StartError naming a bad value."""
        given = section(host_json, "extensions", "durableTask")
        cores = 10 * (os.cpu_count() or 1)
        version = given.get("defaultversion")
        return cls(
            hub_name=_hub_name(given, env),
            max_activities=_count(given, "maxConcurrentActivityFunctions", cores),
            max_orchestrators=_count(given, "maxConcurrentOrchestratorFunctions", cores),
            max_actions=_count(given, "maxOrchestrationActions", 100_000),
            replace_any_state=str(given.get("overridableexistinginstancestates")).lower() == "anystate",
            default_version=None if version is None else str(version),
            store_inputs=str(given.get("storeinputsinorchestrationhistory")).lower() == "true",
            function_timeout=_timeout(section(host_json).get("functiontimeout")),
        )


def _count(given: Mapping[str, Any], key: str, default: int) -> int:
    value = given.get(key.lower())
    if value is None:
        return default
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,9}", str(value)) or int(value) < 1:
        raise HubError(f"{key} {value!r}: expected a whole number from 1 on")
    return int(value)


def _hub_name(given: Mapping[str, Any], env: Mapping[str, str]) -> str:
    # A site's name may have dashes, which Azure drops for its default hub.
    site = re.sub("[^A-Za-z0-9]", "", env.get("WEBSITE_SITE_NAME", ""))[:45]
    name = str(given.get("hubname") or site or DurableSettings.hub_name)
    name = re.sub(r"%([^%]+)%", lambda match: env.get(match[1], match[0]), name)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]{2,44}", name):
        raise HubError(f"hubName {name!r}: a task hub is named with 3 to 45 letters and digits, a letter first")
    return name


def _timeout(value: object) -> float | None:
    if value is None:
        return DurableSettings.function_timeout
    if str(value) == "-1":
        return None
    match = _TIMESPAN.fullmatch(str(value))
    days, hours, minutes, seconds = match.groups() if match else (0, 0, 0, 0)
    timeout = int(days or 0) * 86_400 + int(hours) * 3_600 + int(minutes) * 60 + float(seconds)
    if not timeout:
        raise HubError(f"functionTimeout {value!r}: expected hh:mm:ss, or -1 for no limit")
    return timeout
