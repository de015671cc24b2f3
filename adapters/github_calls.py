"""Calls to GitHub that fail: what is tried again, after how long, and in which words the rest is told."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import jwt
import requests
from github import BadAttributeException, GithubException

from domain.errors import Conflict, DrawbridgeError, Forbidden, Invalid, NotFound, SignedOut, Unavailable

T = TypeVar("T")

CLOCK = "refuses our signature because this host's clock is off, set it by NTP"
PAUSES = (1.0, 2.0, 4.0)  # seconds before each new try when GitHub does not say how long
LONGEST_PAUSE = 20.0  # seconds; anything longer is left to a durable timer
MINUTE = 60.0  # what GitHub asks for after a secondary limit without Retry-After
ARCHIVE = 1024**3  # bytes
ARCHIVE_SECONDS = 240.0
_CHUNK = 1 << 18
_LIMITED = ("rate limit", "please retry your request again later", "please wait a few minutes")

_REFUSALS: dict[int, tuple[type[DrawbridgeError], str]] = {
    401: (SignedOut, "refuses our credentials, check DRAWBRIDGE_GITHUB_TOKEN or the App's id and key"),
    403: (Forbidden, "forbids it, give the token or App the permission"),
    404: (NotFound, "has no such thing, check the name and what our token or App may see"),
    409: (Conflict, "refuses"),
    410: (NotFound, "has no such thing any more"),
}


class Steady:
    """Repeats a call a few times while GitHub, or the way to it, is in trouble."""

    def __init__(
        self,
        url: str,
        sleep: Callable[[float], None],
        now: Callable[[], float],
        pauses: tuple[float, ...] = PAUSES,
    ) -> None:
        self._host = urlsplit(url).netloc
        self._sleep = sleep
        self._now = now
        self._pauses = pauses

    def call(self, attempt: Callable[[], T]) -> T:
        """Give what `attempt` gives; it must look before it acts, since its effect may be there and its reply lost.

        Raises Unavailable after four tries, or at once when GitHub asks for a pause over 20 seconds; other refusals
        are not repeated and come as NotFound, Forbidden, Conflict or Invalid.
        """
        for pause in self._pauses:
            try:
                return self._try(attempt)
            except Unavailable as failure:
                wait = pause if failure.retry_after is None else failure.retry_after
                if wait > LONGEST_PAUSE:
                    raise
            self._sleep(wait)
        return self._try(attempt)

    def _try(self, attempt: Callable[[], T]) -> T:
        try:
            return attempt()
        except GithubException as error:
            raise self._refusal(error) from error
        except jwt.InvalidKeyError:
            raise SignedOut("DRAWBRIDGE_GITHUB_APP_KEY is not a private key in PEM form.") from None
        except requests.RequestException as error:
            # Its text and traceback hold whole URLs, and an archive's URL holds a token.
            raise Unavailable(f"{self._host} did not answer: {_network(error)}.") from None
        except (BadAttributeException, json.JSONDecodeError) as error:
            raise Unavailable(f"{self._host} did not answer as GitHub does: is a proxy in between?") from error

    def _refusal(self, error: GithubException) -> DrawbridgeError:
        status, said = error.status or 0, _said(error)
        if status >= 500 or status == 408:
            return Unavailable(f"{self._host} is in trouble ({status} {said}).", self._retry_after(error))
        if _limited(error, said):
            return Unavailable(f"{self._host} limits our requests ({said}).", self._limit_pause(error))
        if status == 405 and said.startswith("Base branch was modified"):
            return Unavailable(f"{self._host} was interrupted by a push ({status} {said}).")
        kind, words = _REFUSALS.get(status, (Invalid, "refuses what we sent"))
        if status == 401 and ("('exp')" in said or "('iat')" in said):
            words = CLOCK
        if status == 422 and said.startswith(("No commit found", "No ref found")):
            kind, words = _REFUSALS[404]
        return kind(f"{self._host} {words} ({status} {said}).")

    def _retry_after(self, error: GithubException) -> float | None:
        value = _headers(error).get("retry-after")
        if value is None:
            return None
        return float(value) if re.fullmatch(r"\d+(\.\d+)?", value) else MINUTE

    def _limit_pause(self, error: GithubException) -> float:
        told = self._retry_after(error)
        if told is not None:
            return told
        headers = _headers(error)
        reset = headers.get("x-ratelimit-reset", "")
        if headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
            return max(float(reset) - self._now(), 0.0) + 1.0  # it resets some time within that second
        return MINUTE


def fetch(link: str, to: Path, timeout: float, most: int = ARCHIVE, within: float = ARCHIVE_SECONDS) -> None:
    """Stream what a link leads to into a file, without our credentials; the file appears only when whole.

    Raises Invalid over `most` bytes, and requests.RequestException for everything that may pass.
    """
    part = to.with_name(f"{to.name}.part")
    deadline = time.monotonic() + within
    try:
        with requests.Session() as session:
            session.auth = _no_credentials
            with session.get(link, stream=True, timeout=timeout) as reply, part.open("wb") as file:
                reply.raise_for_status()
                for chunk in reply.iter_content(_CHUNK):
                    file.write(chunk)
                    if file.tell() > most:
                        raise Invalid(f"The repository's archive is larger than {most // 1024**2} MB.")
                    if time.monotonic() > deadline:
                        raise requests.Timeout(f"no whole archive within {within:g} s")
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)


def _no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    # Anything set here keeps requests from looking into the .netrc of whoever runs us.
    return request


def _limited(error: GithubException, said: str) -> bool:
    if error.status == 429:
        return True
    headers = _headers(error)
    told = "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0"
    return error.status == 403 and (told or any(words in said.lower() for words in _LIMITED))


def _headers(error: GithubException) -> Mapping[str, str]:
    return {name.lower(): str(value) for name, value in (error.headers or {}).items()}


def _said(error: GithubException) -> str:
    """Give GitHub's own words on one short line; they may quote what strangers wrote."""
    data = error.data
    message = str(data.get("message", "")) if isinstance(data, dict) else str(data or "")
    details = data.get("errors") if isinstance(data, dict) else None
    words = [message, *(str(one.get("message", "")) for one in details or [] if isinstance(one, dict))]
    return " ".join(" ".join(words).split())[:300].rstrip(".")


def _network(error: requests.RequestException) -> str:
    """Name the part of the way that failed, since in a private network each has its own cure."""
    causes = repr(error)
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the archive's host answered {error.response.status_code}"
    if "NameResolutionError" in causes:
        return "its name cannot be resolved, check the private DNS zone and its link to the network"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy refused, check HTTPS_PROXY and NO_PROXY"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted, check REQUESTS_CA_BUNDLE"
    if isinstance(error, requests.Timeout):
        return "the time was up, check the route and the firewall"
    return f"the connection failed ({type(error).__name__}), check the route and the firewall"
