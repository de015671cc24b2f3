"""The set-up says in one line what is missing, repairs what is half done and costs nothing when all is there."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def setup(tmp_path, monkeypatch):
    """The script, working on an empty checkout of its own; `ran` remembers the steps it would have run."""
    spec = importlib.util.spec_from_file_location("drawbridge_setup", ROOT / "scripts" / "setup.py")
    assert spec
    assert spec.loader
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    locks = [f"{part}/{name}" for part in module.NODE_PARTS for name in ("package.json", "package-lock.json")]
    for name in [*module.PYTHON_INPUTS, *locks]:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{name} 1\n")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(module, "STATE", tmp_path / ".drawbridge")
    monkeypatch.setattr(module, "LOG", tmp_path / ".drawbridge" / "logs" / "setup.log")
    module.run_step, module.ran = module.step, []
    monkeypatch.setattr(module, "step", lambda title, command, **place: remember(module, title, command, **place))
    return module


def remember(module, title, command, cwd=None):
    """Note a step and leave behind what it would have made."""
    module.ran.append(title.split(",")[0].split(" on ")[0])
    if "venv" in command:
        (module.VENV / "bin").mkdir(parents=True)
        (module.VENV / "bin" / "python").symlink_to(sys.executable)
    if "npm" in command:
        (cwd / "node_modules").mkdir(exist_ok=True)


def answer(monkeypatch, module, **answers):
    """Let commands answer with these versions; the rest is not installed."""
    monkeypatch.setattr(module, "_output", lambda command: answers.get(Path(command[0]).name.replace(".", "_"), ""))


NODE = ["Azurite from npm", "GitHub's published schemas from npm"]
ALL = ["virtual environment", "Python packages", "language model SmolLM2", *NODE]


def test_a_fresh_checkout_gets_everything_once(setup):
    """The first run makes all of it, the second sees the stamps and does nothing."""
    assert setup.main() == 0
    assert setup.ran == ALL

    assert setup.main() == 0
    assert setup.ran == ALL


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ("requirements-dev.txt", ["Python packages", "language model SmolLM2"]),
        ("constraints.txt", ["Python packages", "language model SmolLM2"]),
        ("devhost/azurite/package-lock.json", NODE[:1]),
        ("devhost/github/published/package-lock.json", NODE[1:]),
    ],
)
def test_only_what_changed_is_done_again(setup, monkeypatch, changed, again):
    """A new pin renews its half and keeps the virtual environment."""
    setup.main()
    setup.ran.clear()
    (setup.ROOT / changed).write_text("2\n")

    assert setup.main() == 0
    assert setup.ran == again


def test_a_half_finished_set_up_is_finished(setup):
    """Without its stamp, an environment whose Python runs is kept and filled."""
    setup.main()
    (setup.VENV / ".drawbridge.json").unlink()
    setup.ran.clear()

    assert setup.main() == 0
    assert setup.ran == ["Python packages", "language model SmolLM2"]


def test_an_environment_whose_python_is_gone_is_made_anew(setup):
    """After an upgrade of the system's Python the link inside leads nowhere."""
    setup.main()
    (setup.VENV / "bin" / "python").unlink()
    (setup.VENV / "bin" / "python").symlink_to("/nowhere/python3")
    setup.ran.clear()

    assert setup.main() == 0
    assert setup.ran == ALL[:3]


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        ({}, "Node.js was not found; Azurite, the blob storage, runs on it: install Node.js 20 or newer"),
        ({"node": "v16.20.2"}, "Node.js 16.20.2 is too old for Azurite: install Node.js 20 or newer"),
    ],
)
def test_node_is_asked_for_in_one_line(setup, monkeypatch, capsys, versions, said):
    """Whoever lacks Node.js learns why it is needed and which version."""
    answer(monkeypatch, setup, **versions)

    assert setup.main() == 1
    shown = capsys.readouterr().err
    assert shown == f"setup: {said} (https://nodejs.org)\n"
    assert setup.ran == []


def test_an_old_python_says_that_it_is_too_old(setup, monkeypatch, capsys):
    """When no newer one is on PATH, the message names what was found and how to name another."""
    answer(monkeypatch, setup, node="v20.1.0")
    monkeypatch.setattr(setup.sys, "version_info", (3, 8, 18))
    monkeypatch.setattr(setup.platform, "python_version", lambda: "3.8.18")
    monkeypatch.setattr(setup.shutil, "which", lambda name: f"/usr/bin/{name}")

    assert setup.main() == 1
    assert "needs Python 3.11 or newer and found only 3.8.18 at" in capsys.readouterr().err


def test_a_newer_python_on_path_is_used_by_an_old_one(setup, monkeypatch):
    """`python3` may be old while `python3.12` stands beside it."""
    answer(monkeypatch, setup, python3_12="3 12", python3_11="3 11")
    monkeypatch.setattr(setup.sys, "version_info", (3, 8, 18))

    assert setup.find_python() == "python3.12"


def test_the_script_can_be_read_by_an_old_python():
    """It has to run there to say that it is too old."""
    source = (ROOT / "scripts" / "setup.py").read_text(encoding="utf-8")

    ast.parse(source, feature_version=(3, 8))


def test_a_full_disk_is_noticed_before_anything_is_loaded(setup, capsys):
    """The message names the space that is there and the space that is needed."""
    with pytest.raises(setup.SetupError, match=r"0\.9 GB are free on the disk of .*, the set-up needs 2 GB"):
        setup.check_space(900_000_000)


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        (
            "WARNING: Location 'x' is ignored: it is neither a file\nERROR: No matching distribution found for a==9\n"
            "[notice] A new release of pip\n",
            "ERROR: No matching distribution found for a==9",
        ),
        ("OSError: [Errno 28] No space left on device\n", "the disk is full: make room and run it again"),
        ("", "it said nothing"),
    ],
)
def test_a_failed_step_ends_in_the_line_that_matters(setup, printed, said):
    """Pip's and npm's noise stays in the log, the reason comes to the terminal."""
    setup.LOG.parent.mkdir(parents=True)
    setup.LOG.write_text("")
    command = [sys.executable, "-c", f"import sys; sys.stderr.write({printed!r}); sys.exit(1)"]

    with pytest.raises(setup.SetupError) as failed:
        setup.run_step("packages", command, cwd=setup.ROOT)

    assert str(failed.value) == f"packages failed: {said} (all of it: .drawbridge/logs/setup.log)"


def test_make_without_python_says_so(tmp_path):
    """The very first line a person may see is no shell error."""
    done = subprocess.run(
        ["make", "--no-print-directory", "setup", "PYTHON=no-such-python"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "no-such-python was not found: install Python 3.11 or newer" in done.stderr


def test_every_pin_is_among_the_constraints():
    """Who adds a requirement and forgets to renew constraints.txt leaves what it depends on to chance."""
    constraints = pins("constraints.txt")

    assert pins("requirements.txt") | pins("requirements-dev.txt") <= constraints


def pins(name: str) -> set[str]:
    """Read `package==version` of each line, names as pip compares them."""
    lines = (line.split(";")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    found = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {f"{re.sub(r'[-_.]+', '-', package.lower())}=={version.strip()}" for package, version in found}


def test_only_the_schema_that_tests_need_is_kept(setup):
    """GitHub publishes one for each of its editions, 400 MB in all."""
    folder = (setup.ROOT / setup.NEEDED_SCHEMA).parent
    folder.mkdir(parents=True)
    for name in ("api.github.com.json", "api.github.com.deref.json", "ghes-3.19.json"):
        (folder / name).write_text("{}")

    setup.set_up()

    assert [file.name for file in folder.iterdir()] == ["api.github.com.json"]
