"""Which implementation a target in the config means."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from domain.errors import Invalid
from evaluation.prompt_flow import load_flow
from evaluation.targets import Target, fill_variables


def load_target(spec: Mapping[str, Any], repository: Path, variables: Mapping[str, str]) -> Target:
    """Load the target that the config names; `${env:NAME}` is read from `variables`.

    Raises Invalid when it cannot be loaded. Only ever called in a worker process: it runs the repository's code.
    """
    if "promptflow" not in spec:
        raise Invalid(f"target: one of these is expected: promptflow; found {', '.join(spec) or 'nothing'}")
    connections = fill_variables(spec.get("connections") or {}, variables, "target.connections")
    return load_flow(spec["promptflow"], repository, connections)
