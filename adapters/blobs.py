"""Blob storage: everything Drawbridge keeps. One container, read and written through one thread-safe client."""

from __future__ import annotations

import contextlib
import json
import tempfile
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import BlobClient, BlobServiceClient, ContainerClient, LinearRetry
from requests.adapters import HTTPAdapter

from domain.errors import NotFound, Unavailable

CONNECT_TIMEOUT = 5  # seconds; a private endpoint that resolves to nothing must not hold a request for minutes
READ_TIMEOUT = 30  # seconds between two bytes, not for the whole transfer
TRIES = 50  # to change a blob before somebody else does
CONNECTIONS = 64  # kept open; more at once work too, and are closed after use
_FORBIDDEN = (401, 403)


class Blobs:
    """One container of blobs, named like paths. Raises Unavailable, saying what to do, when storage does not answer."""

    def __init__(self, connection: str, container: str) -> None:
        """Take a connection string, or an account URL; with a URL a managed identity signs in. Connects lazily."""
        self._container = _service(connection).get_container_client(container)

    def read(self, name: str) -> bytes | None:
        """Return a blob's content, or None when there is no such blob."""
        found = self.read_with_etag(name)
        return found[0] if found else None

    def read_with_etag(self, name: str) -> tuple[bytes, str] | None:
        """Return a blob's content and the etag that `replace` wants, or None when there is no such blob."""
        with self._asking():
            try:
                stream = self._container.download_blob(name)
                return stream.readall(), str(stream.properties.etag)
            except ResourceNotFoundError:
                return None

    def exists(self, name: str) -> bool:
        """Say whether there is a blob of this name."""
        with self._asking():
            return self._container.get_blob_client(name).exists()

    def write(self, name: str, data: bytes) -> None:
        """Write a blob, replacing what was there."""
        with self._asking():
            self._upload(name, data, overwrite=True)

    def create(self, name: str, data: bytes) -> bool:
        """Write a blob only if there is none of this name, else say False. Of many at once exactly one wins."""
        # When the first answer is lost, the SDK tries again and meets the blob it has just made:
        # the mark tells our own blob from another writer's.
        mark = uuid.uuid4().hex
        with self._asking():
            try:
                self._upload(name, data, overwrite=False, metadata={"writer": mark})
            except ResourceExistsError:
                return self._writer(name) == mark
            return True

    def replace(self, name: str, data: bytes, etag: str) -> bool:
        """Write a blob only if it is still the one that was read with this etag; False when it has changed or gone."""
        with self._asking():
            try:
                self._container.upload_blob(
                    name, data, overwrite=True, etag=etag, match_condition=MatchConditions.IfNotModified
                )
            except (ResourceModifiedError, ResourceNotFoundError):
                return False
            return True

    def remove(self, name: str, etag: str | None = None) -> bool:
        """Delete a blob, with an etag only if it is still the one that was read; False when it has changed or gone."""
        unchanged: Any = {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}
        with self._asking():
            try:
                self._container.delete_blob(name, **unchanged)
            except (ResourceModifiedError, ResourceNotFoundError):
                return False
            return True

    def append(self, name: str, data: bytes, size: int) -> bool:
        """Append to an append blob, made on demand, only while it has exactly `size` bytes; else say False.

        After a lost answer it may say False although the data is there. Raises Unavailable, also for other blobs.
        """
        blob = self._container.get_blob_client(name)
        with self._asking():
            try:
                if size == 0:
                    self._create_append_blob(blob)
                blob.append_block(data, appendpos_condition=size)
            except HttpResponseError as error:
                if error.status_code in (404, 412):
                    return False
                if error.status_code == 409:
                    raise Unavailable(
                        f"blob {name} takes nothing more: it is full, or somebody replaced it; move it aside, keep it"
                    ) from error
                raise
            return True

    def read_from(self, name: str, offset: int, length: int) -> bytes:
        """Read at most `length` bytes of a blob from `offset` on; empty behind its end, or when there is none."""
        with self._asking():
            try:
                return self._container.download_blob(name, offset=offset, length=length).readall()
            except HttpResponseError as error:
                if error.status_code in (404, 416):
                    return b""
                raise

    def names(self, prefix: str = "") -> list[str]:
        """List the names of all blobs that begin with `prefix`, sorted."""
        with self._asking():
            try:
                return list(self._container.list_blob_names(name_starts_with=prefix))
            except ResourceNotFoundError:
                return []

    def written(self, prefix: str) -> tuple[datetime, dict[str, datetime]]:
        """Return what time it is and when each blob whose name begins with `prefix` was written, to the second.

        All by the clock of storage, which hosts with different clocks have in common.
        """
        now = datetime.now(UTC)

        def hear(answer: Any) -> None:
            nonlocal now
            now = parsedate_to_datetime(answer.http_response.headers["Date"])

        with self._asking():
            try:
                found = self._container.list_blobs(name_starts_with=prefix, raw_response_hook=hear)
                written = {blob.name: blob.last_modified for blob in found}
            except ResourceNotFoundError:
                written = {}
        return now, written

    def upload_file(self, name: str, path: Path) -> None:
        """Write a blob from a file, in blocks, replacing what was there."""
        with self._asking(), path.open("rb") as file:
            # From the start each time: the first attempt may find no container after it has read some.
            self._in_container(lambda: file.seek(0) or self._container.upload_blob(name, file, overwrite=True))

    def download_file(self, name: str, path: Path) -> None:
        """Write a blob to a file; the file appears whole or not at all. Raises NotFound."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            part = Path(file.name)
            try:
                with self._asking():
                    self._container.download_blob(name).readinto(file)
                file.close()
                part.replace(path)
            except ResourceNotFoundError as error:
                raise NotFound(f"there is no blob {name} in container {self._container.container_name}") from error
            finally:
                part.unlink(missing_ok=True)

    def read_json(self, name: str) -> Any:
        """Return a blob's JSON value, or None when there is no such blob."""
        data = self.read(name)
        return None if data is None else json.loads(data)

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON value, replacing what was there."""
        self.write(name, _json(value))

    def create_json(self, name: str, value: Any) -> bool:
        """Write a JSON value only if there is no blob of this name; False when there is one."""
        return self.create(name, _json(value))

    def change_json(self, name: str, step: Callable[[Any], Any]) -> Any:
        """Replace a blob's JSON value by what `step` makes of it (None: there is none yet), and return that.

        `step` runs again when somebody else wrote meanwhile. Raises Unavailable when that never ends.
        """
        for _ in range(TRIES):
            found = self.read_with_etag(name)
            after = step(json.loads(found[0]) if found else None)
            data = _json(after)
            if found and found[0] == data:
                return after
            if self.replace(name, data, found[1]) if found else self.create(name, data):
                return after
        raise Unavailable(f"{name} is changed by others all the time: try again")

    def _upload(self, name: str, data: bytes, **options: Any) -> None:
        self._in_container(lambda: self._container.upload_blob(name, data, **options))

    def _create_append_blob(self, blob: BlobClient) -> None:
        with contextlib.suppress(ResourceExistsError):  # another writer made it first
            self._in_container(lambda: blob.create_append_blob(match_condition=MatchConditions.IfMissing))

    def _in_container(self, write: Callable[[], object]) -> None:
        try:
            write()
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):
                self._container.create_container()
            write()

    def _writer(self, name: str) -> str | None:
        return self._container.get_blob_client(name).get_blob_properties().metadata.get("writer")

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except (ResourceNotFoundError, ResourceExistsError, ResourceModifiedError):
            raise
        except AzureError as error:
            raise _unavailable(error, self._container) from error


def _service(connection: str) -> BlobServiceClient:
    options: Any = {
        "connection_timeout": CONNECT_TIMEOUT,
        "read_timeout": READ_TIMEOUT,
        # About three seconds in all: a longer outage is for the durable retry of whoever asked.
        "retry_policy": LinearRetry(backoff=1, retry_total=3, random_jitter_range=1),
        "transport": RequestsTransport(session=_session(), session_owner=True),
    }
    if connection.startswith(("https://", "http://")):
        return BlobServiceClient(connection, credential=_identity(), **options)
    return BlobServiceClient.from_connection_string(connection, **options)


def _session() -> requests.Session:
    session = requests.Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=CONNECTIONS))
    return session


def _identity() -> Any:
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - slow, and only for account URLs

    return DefaultAzureCredential()


def _unavailable(error: AzureError, container: ContainerClient) -> Unavailable:
    host = urlsplit(container.url).netloc
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    status = error.status_code if isinstance(error, HttpResponseError) else None
    if status in _FORBIDDEN or isinstance(error, ClientAuthenticationError):
        advice = "give this app's identity the role Storage Blob Data Contributor on the account, or correct the key"
    elif status is None:
        advice = "check that its name resolves to the private endpoint and its port is open (locally: Azurite runs)"
    else:
        advice = "try again; if it stays, look at the storage account's health and firewall"
    return Unavailable(f"blob storage at {host} failed: {reason}; {advice}")


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
