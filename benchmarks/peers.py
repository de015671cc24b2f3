"""The peers that the app does not need, in an environment of their own: .venv-bench."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".venv-bench"
WANTED = ROOT / "benchmarks" / "requirements.txt"
STAMP = PLACE / "made-from.txt"
LONGEST = 600  # seconds


def set_up(console: Console) -> None:
    """Install what benchmarks/requirements.txt names, once. Without it, its rows are missing and a line says so."""
    if STAMP.exists() and STAMP.read_text() == WANTED.read_text():
        return
    started = time.monotonic()
    try:
        with console.status(f"installing peers into {PLACE.name} (about a minute) ..."):
            _install()
    except (subprocess.SubprocessError, OSError) as error:
        shutil.rmtree(PLACE, ignore_errors=True)
        console.print(f"[yellow]peers cannot be installed, so their rows are missing[/]: {_reason(error)}")
    else:
        console.print(f"peers ... installed into {PLACE.name} in {time.monotonic() - started:.0f} s")


def _install() -> None:
    _run([sys.executable, "-m", "venv", str(PLACE)])
    (PLACE / ".gitignore").write_text("*\n")
    pip = [
        str(PLACE / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
    ]
    _run([*pip, "--requirement", str(WANTED)])
    STAMP.write_text(WANTED.read_text())


def _run(command: list[str]) -> None:
    subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True, timeout=LONGEST
    )


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        lines = error.output.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"{error.cmd[2]} ended with {error.returncode}"
    return str(error)
