"""What a cold start does not wait for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SLOW = ("github", "promptflow", "azure.ai", "azure.identity", "jinja2", "pygal", "ruamel", "scipy")


def test_importing_the_app_brings_no_slow_package() -> None:
    """They are imported where they are used: every instance of the app would wait for them, used or not."""
    code = f"import sys, function_app; print([name for name in {SLOW} if name in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True
    )

    assert found.stdout.strip() == "[]"
