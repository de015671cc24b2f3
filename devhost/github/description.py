"""GitHub's API and webhooks as GitHub publishes them, to hold requests, answers and deliveries to.

The files come from npm (`published/package.json`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator, Draft202012Validator, validators  # type: ignore[import-untyped]
from referencing import Registry
from referencing.jsonschema import DRAFT7, DRAFT202012

Json = dict[str, Any]
Place = tuple[str, ...]  # the steps from a document's root

PUBLISHED = Path(__file__).parent / "published" / "node_modules" / "@octokit"
API = PUBLISHED / "openapi" / "generated" / "api.github.com.json"
WEBHOOKS = PUBLISHED / "webhooks-schemas" / "schema.json"

# What GitHub answers anywhere, and lists only for some operations: redirects of renamed repositories, bad
# credentials, missing rights, things that are not there, rules broken, limits, trouble.
ANYWHERE = {301, 304, 307, 400, 401, 403, 404, 422, 429, 500, 502, 503}
# What GitHub's schemas miss and its practice has: these findings are none.
GAPS = (
    r"answer.*\.labels\[\d+\]\.description: None is not of type 'string'",  # of labels nobody described
    r"answer.*\bhead\.repo: None is not of type 'object'",  # of a fork that was deleted
    r"body: \[.*\] is not valid under any of the given schemas",  # labels as a bare array, which the prose takes
    r"payload\.hook\.events: \[.*'merge_group'.*\] is not valid under any of the given schemas",  # not in their list
)
_LONG = ("path", "ref", "branch", "basehead")  # parameters of a path that may hold slashes
_MOST = 5  # findings told of one thing


def request(method: str, path: str, query: Mapping[str, str], body: bytes) -> Iterator[str]:
    """Yield what is wrong with a request; `path` as it was sent, still quoted."""
    operation = _operation(method, path)
    if operation is None:
        yield "GitHub has no such operation"
        return
    known = {node["name"]: place for place, node in _parameters(operation) if node["in"] == "query"}
    for name, text in query.items():
        if name in known:
            yield from _wrong_text((*known[name], "schema"), text, f"query parameter {name}")
        else:
            yield f"GitHub knows no query parameter {name} here"
    yield from _sent(operation, json.loads(body) if body else None)


def answer(method: str, path: str, status: int, body: bytes) -> Iterator[str]:
    """Yield what is wrong with an answer."""
    operation = _operation(method, path)
    if operation is None or str(status) not in _at(operation)[1]["responses"]:
        if status not in ANYWHERE:
            yield f"GitHub does not answer {status} here"
        elif body:
            yield from _wrong(("components", "schemas", "basic-error"), json.loads(body), "answer")
        return
    place, described = _at((*operation, "responses", str(status)))
    content = described.get("content", {})
    if "application/json" in content:
        schema = (*place, "content", "application/json", "schema")
        yield from _wrong(schema, json.loads(body or b"null"), "answer")
    elif body and not content and status < 400:
        yield f"GitHub answers {status} without a body here"


def webhook(event: str, payload: Json) -> Iterator[str]:
    """Yield what is wrong with a delivery's payload."""
    name = f"{event}${payload.get('action', 'event')}"
    if name in _webhooks()["definitions"]:
        yield from _told(_webhook_validator(name), payload, "payload")
    else:
        yield f"GitHub has no webhook {name}"


def _sent(operation: Place, sent: object) -> Iterator[str]:
    if "requestBody" not in _at(operation)[1]:
        if sent:
            yield "GitHub takes no body here"
        return
    place, described = _at((*operation, "requestBody"))
    if sent is None:
        if described.get("required"):
            yield "GitHub wants a body here"
        return
    schema = (*place, "content", "application/json", "schema")
    yield from _wrong(schema, sent, "body")
    yield from _unknown(schema, sent, "body")


def _unknown(schema: Place, sent: object, where: str) -> Iterator[str]:
    """Yield the fields of a body that GitHub would leave aside without a word."""
    place, described = _at(schema)
    if isinstance(sent, list) and "items" in described:
        for one in sent:
            yield from _unknown((*place, "items"), one, f"{where}[]")
    known = described.get("properties")
    if not isinstance(sent, dict) or known is None or described.get("additionalProperties"):
        return
    for name, value in sent.items():
        if name in known:
            yield from _unknown((*place, "properties", name), value, f"{where}.{name}")
        else:
            yield f"GitHub knows no field {where}.{name}"


def _wrong(schema: Place, value: object, where: str) -> Iterator[str]:
    return _told(_api_validator(schema), value, where)


def _told(validator: Any, value: object, where: str) -> Iterator[str]:
    for error in islice(validator.iter_errors(value), _MOST):
        at = "".join(f".{step}" if isinstance(step, str) else f"[{step}]" for step in error.absolute_path)
        found = f"{where}{at}: {error.message[:300]}"
        if not any(re.fullmatch(gap, found, re.DOTALL) for gap in GAPS):
            yield found


def _wrong_text(schema: Place, text: str, where: str) -> Iterator[str]:
    """Find what is wrong with a query parameter, which may stand for a number or a truth."""
    meant = text == "true" if text in ("true", "false") else int(text) if text.isdecimal() else text
    found = list(_wrong(schema, meant, where))
    if found and any(_wrong(schema, text, where)):
        yield from found


def _operation(method: str, path: str) -> Place | None:
    for pattern, name, methods in _paths():
        if method.lower() in methods and pattern.fullmatch(path):
            return ("paths", name, method.lower())
    return None


def _parameters(operation: Place) -> Iterator[tuple[Place, Json]]:
    for shelf in (operation, operation[:-1]):
        for number, _ in enumerate(_at(shelf)[1].get("parameters", [])):
            yield _at((*shelf, "parameters", str(number)))


def _at(place: Place) -> tuple[Place, Json]:
    """Go to a place of the API's description, following its references; give where that led, and what is there."""
    node: Any = _api()
    for step in place:
        node = node[int(step)] if isinstance(node, list) else node[step]
    if "$ref" in node:
        return _at(tuple(node["$ref"].removeprefix("#/").split("/")))
    return place, node


@cache
def _api() -> Json:
    return _read(API)


@cache
def _webhooks() -> Json:
    return _read(WEBHOOKS)


def _read(file: Path) -> Json:
    if not file.is_file():
        raise FileNotFoundError(f"{file} is not there: run `make setup`")
    return dict(json.loads(file.read_bytes()))


@cache
def _paths() -> list[tuple[re.Pattern[str], str, frozenset[str]]]:
    """List the paths as patterns, those that leave least open first."""
    names = sorted(_api()["paths"], key=lambda name: (name.count("{"), -len(name)))
    return [(_pattern(name), name, frozenset(_api()["paths"][name])) for name in names]


def _pattern(name: str) -> re.Pattern[str]:
    parts = re.split(r"\{([^}]+)\}", name)
    return re.compile("".join(re.escape(part) if n % 2 == 0 else _hole(part) for n, part in enumerate(parts)))


def _hole(parameter: str) -> str:
    return ".+" if parameter in _LONG else "[^/]+"


@cache
def _api_registry() -> Registry[Json]:
    empty: Registry[Json] = Registry()
    filled: Registry[Json] = empty.with_resource("urn:api", DRAFT202012.create_resource(_api()))
    return filled


@cache
def _webhook_registry() -> Registry[Json]:
    empty: Registry[Json] = Registry()
    filled: Registry[Json] = empty.with_resource("urn:webhooks", DRAFT7.create_resource(_webhooks()))
    return filled


@cache
def _api_validator(schema: Place) -> Any:
    steps = (step.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D") for step in schema)
    return _OpenApiValidator({"$ref": f"urn:api#/{'/'.join(steps)}"}, registry=_api_registry())


@cache
def _webhook_validator(name: str) -> Any:
    return Draft7Validator({"$ref": f"urn:webhooks#/definitions/{name}"}, registry=_webhook_registry())


def _or_null(keyword: Callable[..., Any]) -> Callable[..., Any]:
    """Let a keyword pass null where OpenAPI 3.0 says `nullable` beside it."""

    def check(validator: Any, rule: Any, value: Any, schema: Json) -> Any:
        if value is None and schema.get("nullable"):
            return
        yield from keyword(validator, rule, value, schema) or ()

    return check


_KEYWORDS = {name: _or_null(keyword) for name, keyword in Draft202012Validator.VALIDATORS.items()}
_KEYWORDS["oneOf"] = _KEYWORDS["anyOf"]  # GitHub writes oneOf for shapes that overlap
_OpenApiValidator = validators.extend(Draft202012Validator, _KEYWORDS)
