"""The table of contents: everything in it can be served beside the rest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_every_function_has_a_name_of_its_own() -> None:
    """The host refuses an app in which two functions share one, and then serves nothing."""
    # In a process of its own: the SDK lists an app's functions only once.
    code = "import function_app as f; print(*(one.get_function_name() for one in f.app.get_functions()))"
    listed = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True
    )

    names = listed.stdout.split()
    assert len(names) == len(set(names)) > 0
