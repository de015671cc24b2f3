"""Who may import whom: the directions of the design, walked through every import of every module."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FUNCTIONS = ("azure.functions", "azure.durable_functions")

# Package or module -> what of ours it may import, besides itself. The longest name that fits decides.
OURS: dict[str, tuple[str, ...]] = {
    "function_app": ("triggers", "orchestrators", "activities", "settings"),
    "triggers": ("adapters", "domain", "settings"),
    "activities": ("adapters", "domain", "evaluation", "settings"),
    "orchestrators": ("activities", "domain"),
    "adapters": ("domain",),
    "evaluation": ("domain.statistics", "domain.models", "domain.wire", "domain.errors"),
    "evaluation.__main__": ("domain",),  # the command line reads drawbridge.yaml as the app does
    "domain": (),
    "settings": ("domain",),
    "devhost": ("adapters", "domain", "settings"),
}

# Package or module -> which SDKs it may import. Elsewhere the SDKs below do not appear.
SDKS = ("azure", "github", "promptflow", "pygal", "jinja2", "scipy", "ruamel")
SDKS_OF: dict[str, tuple[str, ...]] = {
    "function_app": FUNCTIONS,
    "triggers": (*FUNCTIONS, "pygal", "jinja2"),
    "activities": FUNCTIONS,
    "orchestrators": FUNCTIONS,
    "adapters": ("azure", "github", "promptflow"),
    "evaluation": ("promptflow", "azure.ai.evaluation"),
    "domain": ("scipy", "ruamel"),
    "settings": (),
    "devhost": (*FUNCTIONS, "jinja2"),
}

# What domain may import that is not ours: decisions must be testable with plain values.
DOMAIN_ONLY = ("pydantic", "ruamel", "scipy")


@dataclass(frozen=True)
class Import:
    """One import: who, where, what, and whether only the type checker sees it."""

    module: str
    line: int
    name: str
    for_types: bool


def modules(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield the dotted name and the file of every module that the rules are about."""
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if parts[0] in OURS:
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(module: str, path: Path) -> Iterator[Import]:
    """Yield every import of a module, also those inside functions and those by a literal name."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    guarded = {id(node) for block in ast.walk(tree) if _checks_types(block) for node in ast.walk(block)}
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree):
        for name in _names(node, package):
            yield Import(module, getattr(node, "lineno", 0), name, id(node) in guarded)


def _checks_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).removeprefix("typing.") == "TYPE_CHECKING"


def _names(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
        start = ".".join(part for part in (base, node.module) if part)
        # The names count as modules: `from domain import gates` imports domain.gates.
        yield from (f"{start}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
        yield from (arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant) and isinstance(arg.value, str))


def within(name: str, packages: tuple[str, ...]) -> bool:
    """Say whether a dotted name is one of the packages or lies in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def rule(table: dict[str, tuple[str, ...]], module: str) -> tuple[str, ...]:
    """Return the entry of the longest name in the table that the module lies in."""
    return table[max((name for name in table if within(module, (name,))), key=len)]


def broken(found: Import) -> str:
    """Return which rule an import breaks, or nothing."""
    top, own = found.name.split(".")[0], found.module.split(".")[0]
    if top in OURS and top != own and not within(found.name, rule(OURS, found.module)):
        settings_for_types = own == "adapters" and top == "settings" and found.for_types
        return "" if settings_for_types else f"{own} may not import {found.name}"
    if top in SDKS and not within(found.name, rule(SDKS_OF, found.module)):
        return f"the SDK {found.name} may not be imported by {own}"
    foreign = top not in OURS and top not in sys.stdlib_module_names
    if own == "domain" and foreign and top not in DOMAIN_ONLY:
        return f"domain may not import {found.name}: decisions need no library"
    return ""


def violations(root: Path) -> list[str]:
    """List every import that breaks a rule."""
    return [
        f"{path.relative_to(root)}:{found.line}: {problem}"
        for module, path in modules(root)
        for found in imports(module, path)
        if (problem := broken(found))
    ]


def test_imports_keep_their_direction():
    """Break a rule and this names the file and the line; change a rule and docs/decisions says why."""
    assert violations(ROOT) == []


def test_every_package_of_the_app_has_a_rule():
    """A new top-level package must be given its place."""
    apart = {"tests", "scripts", "benchmarks"}  # they may import anything; nothing imports them
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}

    assert packages - apart <= OURS.keys()
    assert OURS.keys() - {"evaluation.__main__"} == SDKS_OF.keys()


def test_the_walker_sees_our_modules():
    """An empty walk would keep every rule."""
    names = {module for module, _ in modules(ROOT)}

    assert {"function_app", "settings", "domain.gates", "adapters.blobs", "devhost.loader"} <= names
    assert all(any(within(name, (package,)) for name in names) for package in OURS)


@pytest.mark.parametrize(
    ("file", "code", "problem"),
    [
        ("domain/x.py", "import adapters.blobs", "domain may not import adapters.blobs"),
        ("domain/x.py", "from settings import current", "domain may not import settings.current"),
        ("domain/x.py", "def f():\n    import requests", "domain may not import requests: decisions need no library"),
        ("domain/x.py", "from azure.storage import blob", "the SDK azure.storage.blob may not be imported by domain"),
        ("adapters/x.py", "def f():\n    from settings import current", "adapters may not import settings.current"),
        ("adapters/x.py", "from activities import y", "adapters may not import activities.y"),
        ("adapters/x.py", "import pygal", "the SDK pygal may not be imported by adapters"),
        ("orchestrators/x.py", "from adapters import connect", "orchestrators may not import adapters.connect"),
        ("orchestrators/x.py", "import settings", "orchestrators may not import settings"),
        ("orchestrators/x.py", "import triggers.pages", "orchestrators may not import triggers.pages"),
        ("activities/x.py", "from github import Github", "the SDK github.Github may not be imported by activities"),
        ("activities/x.py", "from azure import storage", "the SDK azure.storage may not be imported by activities"),
        ("activities/x.py", "from orchestrators import y", "activities may not import orchestrators.y"),
        ("triggers/x.py", "from evaluation import y", "triggers may not import evaluation.y"),
        ("triggers/x.py", "import devhost", "triggers may not import devhost"),
        ("triggers/views/x.py", "from ...devhost import y", "triggers may not import devhost.y"),
        ("evaluation/x.py", "from domain import gates", "evaluation may not import domain.gates"),
        ("evaluation/x.py", "from adapters import blobs", "evaluation may not import adapters.blobs"),
        ("evaluation/x.py", "import azure.functions", "the SDK azure.functions may not be imported by evaluation"),
        ("settings.py", "from adapters import blobs", "settings may not import adapters.blobs"),
        ("function_app.py", "from devhost import host", "function_app may not import devhost.host"),
        ("devhost/x.py", "import triggers", "devhost may not import triggers"),
        ("devhost/x.py", "import promptflow", "the SDK promptflow may not be imported by devhost"),
        ("domain/x.py", "import importlib\nimportlib.import_module('github')", "the SDK github may not be imported by"),
        ("domain/x.py", "try:\n    pass\nexcept E:\n    __import__('adapters')", "domain may not import adapters"),
    ],
)
def test_a_violation_is_found(tmp_path, file, code, problem):
    """Whatever the form of the import and however deep it stands."""
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code)

    (found,) = violations(tmp_path)

    assert found.startswith(f"{file}:{len(code.splitlines())}: {problem}")


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("adapters/x.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from settings import Settings"),
        ("adapters/x.py", "import azure.storage.blob, github, psutil, requests"),
        ("activities/x.py", "from evaluation.summary import summarize\nfrom settings import current"),
        ("evaluation/x.py", "from azure.ai.evaluation import F1ScoreEvaluator\nfrom domain.errors import Invalid"),
        ("evaluation/__main__.py", "from domain import config, gates\nfrom evaluation import shard"),
        ("triggers/x.py", "import azure.functions as func, pygal\nfrom . import y\nfrom .views import z"),
        ("domain/x.py", "import statistics, pydantic\nfrom scipy.special import stdtrit\nfrom ruamel.yaml import YAML"),
        ("domain/__init__.py", "from .gates import judge"),
        ("tests/x.py", "import devhost, adapters, github"),
    ],
)
def test_what_is_allowed_passes(tmp_path, file, code):
    """The rules leave room for what the design wants."""
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code)

    assert violations(tmp_path) == []
