"""What host.json says about Durable Functions, with the environment's overrides."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from devhost.durable.errors import HubError

_ENV_PREFIX = "AzureFunctionsJobHost__extensions__durableTask__"
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
        """Read the section. Raises HubError naming a value that cannot be used."""
        section = dict(host_json.get("extensions", {}).get("durableTask", {}))
        section |= {
            name.removeprefix(_ENV_PREFIX): value for name, value in env.items() if name.startswith(_ENV_PREFIX)
        }
        cores = 10 * (os.cpu_count() or 1)
        return cls(
            hub_name=_hub_name(section, env),
            max_activities=int(section.get("maxConcurrentActivityFunctions", cores)),
            max_orchestrators=int(section.get("maxConcurrentOrchestratorFunctions", cores)),
            max_actions=int(section.get("maxOrchestrationActions", 100_000)),
            replace_any_state=section.get("overridableExistingInstanceStates") == "AnyState",
            default_version=section.get("defaultVersion"),
            store_inputs=str(section.get("storeInputsInOrchestrationHistory", "")).lower() == "true",
            function_timeout=_timeout(host_json.get("functionTimeout")),
        )


def _hub_name(section: Mapping[str, Any], env: Mapping[str, str]) -> str:
    name = section.get("hubName") or env.get("WEBSITE_SITE_NAME") or "TestHubName"
    name = re.sub(r"%([^%]+)%", lambda match: env.get(match[1], match[0]), name)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]{2,44}", name):
        raise HubError(f"hubName {name!r}: a task hub is named with 3 to 45 letters and digits, a letter first")
    return name


def _timeout(value: str | None) -> float | None:
    if value is None:
        return DurableSettings.function_timeout
    if value == "-1":
        return None
    match = _TIMESPAN.fullmatch(value)
    if not match:
        raise HubError(f"functionTimeout {value!r}: expected hh:mm:ss, or -1 for no limit")
    days, hours, minutes, seconds = match.groups()
    return int(days or 0) * 86_400 + int(hours) * 3_600 + int(minutes) * 60 + float(seconds)
