"""Build each adapter from the settings, once per process and only when it is used: SDK imports are slow."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from adapters.blobs import Blobs
from adapters.outbox import Outbox

if TYPE_CHECKING:
    from adapters.github import GitHub
    from adapters.platform import Compute, Registry, WebApp
    from settings import Settings

PARALLEL = 3  # jobs at once on this machine: two long ones, and a short one beside them


def blobs(settings: Settings) -> Blobs:
    """Return the blob container that keeps everything."""
    return _blobs(settings.blobs, settings.container)


def github(settings: Settings) -> GitHub:
    """Return GitHub, signed in by token or as the App."""
    url, listens = settings.github_url, settings.github_events == "webhook"
    return _github(url, settings.github_token, settings.github_app_id, settings.github_app_key, listens)


def outbox(settings: Settings) -> Outbox:
    """Return where messages to GitHub wait for their delivery."""
    return Outbox(blobs(settings), lambda: github(settings))


def compute(settings: Settings) -> Compute:
    """Return what runs evaluations."""
    from adapters.local_compute import LocalCompute  # noqa: PLC0415

    return LocalCompute(settings.state, blobs(settings), settings.worker_variables, PARALLEL)


def registry(settings: Settings) -> Registry:
    """Return what builds and keeps images."""
    from adapters.local_registry import LocalRegistry  # noqa: PLC0415

    return LocalRegistry(settings.state, blobs(settings), settings.worker_variables)


def web_app(settings: Settings) -> WebApp:
    """Return what runs images for people."""
    from adapters.local_registry import LocalRegistry  # noqa: PLC0415
    from adapters.local_web_app import LocalWebApp  # noqa: PLC0415

    registry = LocalRegistry(settings.state, blobs(settings), settings.worker_variables)
    return LocalWebApp(settings.state, registry, settings.worker_variables)


@cache
def _blobs(connection: str, container: str) -> Blobs:
    return Blobs(connection, container)


@cache
def _github(url: str, token: str, app_id: str, app_key: str, listens: bool) -> GitHub:
    from adapters.github import GitHub  # noqa: PLC0415

    return GitHub(url, token, app_id, app_key, buttons=listens)
