"""Reads the whole audit log and says whether anything in it was altered or is missing: `make audit-verify`."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from adapters import audit
from adapters.blobs import Blobs
from devhost.ports import LOOPBACK
from devhost.system import ACCOUNT, AZURITE, LOCK
from domain.audit import Note, Report, to_note
from domain.errors import DrawbridgeError
from scripts.local_settings import environment
from settings import SettingsError


def main(arguments: list[str] | None = None) -> int:
    """Check the log and print what was found. Returns the exit status: 1 unless the log is whole."""
    parser = argparse.ArgumentParser(prog="make audit-verify", description=__doc__)
    parser.add_argument("--expect", metavar="N:HASH", help="the newest record that an earlier check printed")
    parser.add_argument("--state", type=Path, help="look into what `make demo` or `make up` left in this directory")
    options = parser.parse_args(arguments)
    try:
        noted = to_note(options.expect) if options.expect else None
        with _storage(options.state) as (connection, container):
            report = audit.verify(Blobs(connection, container), noted)
    except DrawbridgeError as error:
        print(f"audit-verify: {error}", file=sys.stderr)
        return 1
    return _tell(report, noted)


def _tell(report: Report, noted: Note | None) -> int:
    for problem in report.problems:
        print(f"✗ {problem}")
    size = f"{report.records} records in {report.files} files"
    if report.problems:
        print(f"The audit log is NOT whole ({size}). Keep it as it is, and find out who wrote to the storage account.")
        return 1
    print(f"✓ The audit log is whole: {size}.")
    if report.records:
        print(f"  Newest record: {report.newest.n}:{report.newest.hash}")
        print("  Note it outside this storage account; the next check takes it as EXPECT=<number>:<hash>.")
    if noted:
        print(f"  Record {noted.n} is the one that was noted.")
    return 0


@contextlib.contextmanager
def _storage(state: Path | None) -> Iterator[tuple[str, str]]:
    env = environment()
    container = env.get("DRAWBRIDGE_CONTAINER") or "drawbridge"
    if state is None:
        yield _connection(env), container
    else:
        with _azurite(state) as connection:
            yield connection, container


def _connection(env: Mapping[str, str]) -> str:
    connection = env.get("DRAWBRIDGE_BLOBS") or env.get("AzureWebJobsStorage")
    if not connection:
        raise SettingsError(
            "neither DRAWBRIDGE_BLOBS nor AzureWebJobsStorage is set, here or in local.settings.json; "
            "for what `make demo` left behind: STATE=.drawbridge/demo"
        )
    return connection


@contextlib.contextmanager
def _azurite(state: Path) -> Iterator[str]:
    """Serve the blobs of a state directory that nobody uses, and yield the connection string."""
    if not (state / "azurite").is_dir() or not AZURITE.exists():
        raise SettingsError(f"{state} holds no blobs that could be read: run `make demo` first")
    command = [str(AZURITE), "--blobHost", LOOPBACK, "--blobPort", "0", "--location", str(state / "azurite")]
    command += ["--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    with _alone(state), subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = process.stdout or ()
            url = next((line.split()[-1] for line in lines if "successfully listens on" in line), None)
            if url is None:
                raise SettingsError(f"Azurite does not start on {state}: run `make setup`")
            yield f"DefaultEndpointsProtocol=http;{ACCOUNT};BlobEndpoint={url}/devstoreaccount1;"
        finally:
            process.terminate()


@contextlib.contextmanager
def _alone(state: Path) -> Iterator[None]:
    with (state / LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SettingsError(
                f"{state} is in use: end that first, or set DRAWBRIDGE_BLOBS to its storage and leave out STATE"
            ) from None
        yield


if __name__ == "__main__":
    sys.exit(main())
