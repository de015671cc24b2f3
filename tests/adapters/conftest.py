"""What tests of the local parts share."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters import processes
from adapters.archives import pack_directory
from adapters.blobs import Blobs
from adapters.local_registry import LocalRegistry
from domain import blob_names
from domain.models import Image
from tests.samples import FLOW

ROOT = Path(__file__).parents[2]


@pytest.fixture
def state(tmp_path):
    """A state directory; whatever was started with it is ended after the test."""
    yield tmp_path / "state"
    processes.stop_all(tmp_path / "state", grace=0.5)


@pytest.fixture
def until():
    """Wait for a condition, so that tests need no fixed sleeps."""

    def wait(condition: Callable[[], object], seconds: float = 30) -> object:
        end = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.02)
        return found

    return wait


# Small enough to build and start quickly; it can fail, hang, and tell what it sees.
NODE = """
import json, os, time
from promptflow.core import tool

@tool
def answer(question: str) -> str:
    if question == "fail":
        raise ValueError("private words")
    if question == "sleep":
        time.sleep(5)
    if question == "environment":
        return json.dumps(dict(os.environ))
    return f"VERSION: {question}"
"""
CONNECTIONS = {"model": {"type": "open_ai", "api_key": "${env:MODEL_API_KEY}", "base_url": "${env:MODEL_URL}/v1"}}
TARGET: dict[str, object] = {"promptflow": "flows/chat", "connections": CONNECTIONS}


# Runs a statement in another host process and kills that process -9 after its n-th lasting step.
DYING = """
import os, signal, subprocess, sys
from pathlib import Path
from adapters import processes
from adapters.blobs import Blobs
from adapters.local_compute import LocalCompute
from adapters.local_registry import LocalRegistry
from adapters.local_web_app import LocalWebApp
from domain.models import Image, Job

steps = []

def dying(function):
    def step(*args, **options):
        result = function(*args, **options)
        steps.append(function)
        if len(steps) == STEP:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return step

Path.replace, Path.rename = dying(Path.replace), dying(Path.rename)
processes.subprocess.Popen = dying(subprocess.Popen)
STATEMENT
print(len(steps))
"""


@pytest.fixture
def killed_after():
    """Run a statement in a host process that is killed after a number of lasting steps (files in place, processes)."""

    def run(step, statement):
        script = DYING.replace("STEP", str(step)).replace("STATEMENT", statement)
        return subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)

    return run


@dataclass(frozen=True)
class Shelf:
    """Real images of a small flow, in a real registry: `first` and `second` differ in what they answer."""

    blobs: Blobs
    target: dict[str, object]
    snapshots: dict[str, str]
    first: Image
    second: Image


@pytest.fixture(scope="session")
def shelf(azurite, put_snapshot, tmp_path_factory):
    """Build the images once; building takes seconds."""
    blobs = Blobs(azurite, f"shelf-{uuid.uuid4().hex}")
    directory = tmp_path_factory.mktemp("shelf")
    snapshots = {version: put_snapshot(blobs, directory / version, version) for version in ("first", "second")}
    registry = LocalRegistry(directory / "state", blobs, {"MODEL_API_KEY": "s3cret"})
    images = [registry.build(snapshot, TARGET, f"commit of {version}") for version, snapshot in snapshots.items()]
    return Shelf(blobs, TARGET, snapshots, *images)


@pytest.fixture(scope="session")
def put_snapshot():
    """Put a repository with the small flow, and other files if given, into blobs; return its snapshot."""

    def put(blobs, directory, version, **files):
        flow = directory / "repository" / "flows" / "chat"
        flow.mkdir(parents=True)
        contents = {"flow.dag.yaml": FLOW, "answer.py": NODE.replace("VERSION", version)} | files
        for name, content in contents.items():
            (flow / name.replace("__", ".")).write_text(content)
        sha256 = pack_directory(directory / "repository", directory / "snapshot.tar.gz")
        blobs.upload_file(blob_names.snapshot(sha256), directory / "snapshot.tar.gz")
        return sha256

    return put
