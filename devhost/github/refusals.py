"""How the double refuses, in GitHub's words and shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

DOCUMENTATION = "https://docs.github.com/rest"


class Refused(Exception):
    """GitHub's API would answer with this status and message."""

    def __init__(
        self,
        status: int,
        message: str,
        errors: tuple[dict[str, str], ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.errors = errors
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The JSON that goes with the status."""
        body: dict[str, Any] = {"message": str(self), "documentation_url": DOCUMENTATION, "status": str(self.status)}
        return {**body, "errors": list(self.errors)} if self.errors else body


def refused(refusal: Refused) -> web.Response:
    """Answer a refusal to a program."""
    return web.json_response(refusal.body(), status=refusal.status, headers=refusal.headers)


def invalid(resource: str, field: str, message: str = "", code: str = "custom") -> Refused:
    """Make the 422 for input that breaks a rule."""
    error = {"resource": resource, "code": code, "field": field, "message": message}
    return Refused(422, "Validation Failed", ({name: value for name, value in error.items() if value},))
