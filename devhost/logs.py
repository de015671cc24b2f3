"""Logs of the host and the app: coloured in a terminal, one plain line each in a file."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.logging import RichHandler

from devhost.environment import section

_PLAIN = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_LEVELS = {"trace": 10, "debug": 10, "information": 20, "warning": 30, "error": 40, "critical": 50, "none": 60}


def set_up(verbose: bool) -> None:
    """Send all logs to stderr; `verbose` adds one line per orchestrator episode and activity."""
    handler: logging.Handler
    if sys.stderr.isatty():
        handler = RichHandler(console=Console(stderr=True), show_path=False, rich_tracebacks=True, log_time_format="%X")
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(_PLAIN))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("devhost").setLevel(logging.DEBUG if verbose else logging.INFO)
    if not verbose:
        # One line per HTTP request of each SDK would bury everything else.
        logging.getLogger("azure").setLevel(logging.WARNING)


def apply_host_json(host_json: Mapping[str, Any]) -> None:
    """Take the default level of the app's own logs from host.json."""
    level = str(section(host_json, "logging", "logLevel").get("default", "Information"))
    logging.getLogger().setLevel(_LEVELS.get(level.lower(), logging.INFO))
