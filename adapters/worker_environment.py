"""The environment of processes that run code from a customer's repository: nothing of ours but what is named."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Prompt Flow otherwise phones home, and looks for newer versions of itself.
PROMPT_FLOW_CONFIG = "telemetry:\n  enabled: false\n"


def worker_environment(home: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Make a private home directory and return the whole environment of a worker process.

    `variables` are the only ones a worker gets beyond what it needs to run; secrets of the host stay with the host.
    """
    prompt_flow = home / ".promptflow"
    prompt_flow.mkdir(parents=True, exist_ok=True)
    (prompt_flow / "pf.yaml").write_text(PROMPT_FLOW_CONFIG)
    return {
        **variables,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PF_HOME_DIRECTORY": str(prompt_flow),
        "PF_DISABLE_TRACING": "true",
        # Prompt Flow's telemetry asks the internet for its own switch even when it is off.
        "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
        "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
    }
