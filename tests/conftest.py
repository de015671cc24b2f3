"""What tests of several areas share: a real Azurite, started once per worker process."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.blobs import Blobs

ROOT = Path(__file__).parents[1]
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # Azurite's public one


@pytest.fixture(scope="session")
def azurite() -> Iterator[str]:
    """Run Azurite's blob service in memory on a free port; yield its connection string."""
    command = [_azurite(), "--blobPort", "0", "--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck"]
    command.append("--silent")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            endpoint = f"BlobEndpoint={_address(process)}/devstoreaccount1;"
            yield f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={KEY};{endpoint}"
        finally:
            process.kill()


@pytest.fixture
def blobs(azurite: str) -> Blobs:
    """An empty container of this test's own."""
    return Blobs(azurite, f"test-{uuid.uuid4().hex}")


def _azurite() -> str:
    installed = ROOT / "devhost" / "azurite" / "node_modules" / ".bin" / "azurite-blob"
    found = str(installed) if installed.exists() else shutil.which("azurite-blob")
    return found or pytest.fail("Azurite is not installed: run `make setup`")


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    said = []
    for line in process.stdout:
        said.append(line)
        if "successfully listens on" in line:
            return line.split()[-1]
    pytest.fail(f"Azurite did not start: {''.join(said)}")
