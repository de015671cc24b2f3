"""Images on this machine: what `pf flow build` makes of a flow, as an archive in the blobs named by its content."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from adapters import archives, processes, promptflow_cli, snapshots
from adapters.blobs import Blobs
from adapters.files import last_words
from adapters.worker_environment import worker_environment
from domain.errors import Invalid
from domain.models import Image

BUILD_TIMEOUT = 240  # seconds; an activity has five minutes


class LocalRegistry:
    """Builds and keeps images. The same files have the same digest, and one snapshot is built once."""

    def __init__(self, state: Path, blobs: Blobs, variables: Mapping[str, str]) -> None:
        """`variables` are all that the build sees beyond what a process needs to run."""
        self._state = state
        self._blobs = blobs
        self._variables = variables

    def build(self, snapshot: str, target: dict[str, Any], commit: str) -> Image:
        """Build the target of a snapshot; no secret goes into the image, only the names of the variables to read.

        Raises Invalid with what the build said when the flow cannot be built.
        """
        built = f"images/built/{snapshot}-{_short_hash(target)}.json"
        known = self._blobs.read_json(built)
        if known is None:
            image = self._build(snapshot, target)
            self._blobs.create_json(built, {"digest": image.digest, "commit": commit})
            return image
        return _image(known["digest"])

    def fetch(self, image: Image, to: Path) -> None:
        """Unpack an image into a directory that does not exist yet. Raises NotFound, and Invalid when it is damaged."""
        with tempfile.TemporaryDirectory(dir=_made(to.parent), prefix=".image-") as work:
            archive = Path(work, "image.tar.gz")
            self._blobs.download_file(image.reference, archive)
            found = f"sha256:{archives.sha256(archive)}"
            if found != image.digest:
                raise Invalid(f"image {image.digest} is damaged: its content is {found}")
            archives.extract(archive, Path(work, "image"))
            Path(work, "image").rename(to)

    def _build(self, snapshot: str, target: dict[str, Any]) -> Image:
        archive = snapshots.fetch(self._blobs, snapshot, self._state / "snapshots")
        with tempfile.TemporaryDirectory(dir=_made(self._state / "builds")) as work:
            directory = Path(work)
            snapshots.extract(archive, directory / "repository")
            self._run_build(directory, target)
            digest = f"sha256:{archives.pack_directory(directory / 'image', directory / 'image.tar.gz')}"
            image = _image(digest)
            if not self._blobs.exists(image.reference):
                self._blobs.upload_file(image.reference, directory / "image.tar.gz")
        return image

    def _run_build(self, directory: Path, target: dict[str, Any]) -> None:
        flow = directory / "repository" / target["promptflow"]
        if not flow.resolve().is_relative_to((directory / "repository").resolve()) or not flow.is_dir():
            raise Invalid(f"target.promptflow: there is no directory {target['promptflow']} in the repository")
        connections = directory / "connections.json"
        connections.write_text(json.dumps(target.get("connections") or {}, sort_keys=True))
        arguments = ["flow", "build", "--source", str(flow), "--output", str(directory / "image"), "--format", "docker"]
        status = processes.run(
            self._state,
            promptflow_cli.command(connections, *arguments),
            cwd=directory,
            env=worker_environment(directory / "home", self._variables),
            log=directory / "log.txt",
            what=f"build of {target['promptflow']}",
            timeout=BUILD_TIMEOUT,
        )
        if status is None:
            raise Invalid(f"pf flow build of {target['promptflow']} took over {BUILD_TIMEOUT} s")
        if status:
            raise Invalid(f"pf flow build of {target['promptflow']} failed: {last_words(directory / 'log.txt')}")
        # What serves the image resolves the references that drawbridge.yaml has, not those that pf makes up.
        shutil.copy(connections, directory / "image")
        for cache in (directory / "image").rglob("__pycache__"):
            shutil.rmtree(cache)


def _image(digest: str) -> Image:
    return Image(digest, f"images/{digest}/image.tar.gz")


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _short_hash(value: object) -> str:
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
