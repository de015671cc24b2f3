"""Cold start: importing the function app, beside an empty one that imports the same SDKs."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FUNCTIONS = ("azure.functions", "azure.durable_functions")
OTHERS = ("azure.storage.blob", "azure.identity", "azure.ai.ml", "azure.ai.evaluation", "github", "promptflow")

EMPTY = """\
import azure.durable_functions as df
{imports}
app = df.DFApp()
for _ in range({blueprints}):
    app.register_functions(df.Blueprint())
"""
TIMED = """\
import json, sys, time
started = time.perf_counter()
import function_app
print(json.dumps([time.perf_counter() - started, sorted(sys.modules)]))
"""


def main(runs: int) -> list[dict[str, Any]]:
    """Import ours and the peers in fresh processes, in turn, and compare the medians."""
    with tempfile.TemporaryDirectory() as folder:
        _, loaded = _import(ROOT, folder)
        sdks = [name for name in OTHERS if name in loaded]
        apps = (ROOT, _empty_app(folder, "same", sdks), _empty_app(folder, "bare", []))
        for app in apps:  # once unmeasured: bytecode and the disk cache are warm for all
            _import(app, folder)
        times = [[_import(app, folder)[0] for app in apps] for _ in range(max(runs, 5))]
    ours, peer, bare = (statistics.median(column) for column in zip(*times, strict=True))
    return [
        {
            "name": "import of function_app",
            "ours": f"{ours:.2f} s",
            "peer": f"empty function app, same SDK imports: {peer:.2f} s",
            "ratio": ours / peer,
            "goal": 1.5,
            "note": f"fresh process, warm disk, nothing left to compile; SDKs: {', '.join([*FUNCTIONS, *sdks])}; "
            f"with only the first two the peer takes {bare:.2f} s",
        }
    ]


def _empty_app(folder: str, name: str, sdks: list[str]) -> Path:
    """Write a function app with as many blueprints as ours, all empty."""
    blueprints = (ROOT / "function_app.py").read_text().count("register_functions(")
    directory = Path(folder, name)
    directory.mkdir()
    imports = "".join(f"import {sdk}\n" for sdk in (*FUNCTIONS, *sdks))
    (directory / "function_app.py").write_text(EMPTY.format(imports=imports, blueprints=blueprints))
    return directory


def _import(app: Path, bytecode: str) -> tuple[float, set[str]]:
    """Import a function app in a process of its own; return the seconds and the modules that it loaded."""
    # A shell that forbids bytecode would have ours compiled each time, and the SDKs, which pip compiled, not.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": bytecode}
    command = [sys.executable, "-c", TIMED]
    done = subprocess.run(command, cwd=app, env=environment, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise RuntimeError(f"{app.name}/function_app.py cannot be imported: {done.stderr.strip().splitlines()[-1]}")
    seconds, modules = json.loads(done.stdout)
    return seconds, set(modules)
