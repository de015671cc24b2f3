"""The kinds of values in `drawbridge.yaml`: durations, paths, gates, references to secrets.

Each check raises ValueError with what was expected; domain.config adds the file, the line and the key.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue

from domain.errors import Invalid
from domain.gates import parse_gate
from domain.windows import parse_window

_LOGIN = r"[A-Za-z0-9][A-Za-z0-9_-]{0,38}"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST = 365 * 86400
_ENV = re.compile(r"\$\{env:[A-Za-z_][A-Za-z0-9_]*\}")
_SECRET_NAME = re.compile(r"key|secret|token|password|credential|connection_?string", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"\bsk-[A-Za-z0-9_-]{16,}|://[^/@\s]+:[^/@\s]+@|AccountKey=|SharedAccessSignature=")
_USE = re.compile(
    r"azure\.ai\.evaluation\.[A-Z]\w*"  # a class of azure-ai-evaluation
    r"|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*"  # module:function in the repository
    r"|[^:\s]+/[^:]+"  # the directory of an evaluation flow
)


def seconds(value: Any) -> int:
    """Read "90s", "5m", "3h" or "7d"; a whole number is seconds already."""
    if isinstance(value, int) and not isinstance(value, bool):
        duration = value
    else:
        found = re.fullmatch(r"([0-9]{1,9})([smhd])", value) if isinstance(value, str) else None
        if found is None:
            raise ValueError('a whole number and a unit (s, m, h, d) such as "90s", "5m" or "3d"')
        duration = int(found[1]) * _UNITS[found[2]]
    if not 0 <= duration <= LONGEST:
        raise ValueError("a duration of at most 365d")
    return duration


def _repository_path(value: str) -> str:
    parts = value.split("/")
    if not value or value[0] in "/~" or ".." in parts or re.search(r"[\\\x00-\x1f]|^[A-Za-z]:", value):
        raise ValueError('a path inside the repository, relative, with "/" and without ".."')
    return posixpath.normpath(value)


def _gate(value: str) -> str:
    try:
        return parse_gate(value).text
    except Invalid as error:
        raise ValueError(str(error).partition("expected ")[2]) from error


def _use(value: str) -> str:
    if _USE.fullmatch(value) is None:
        raise ValueError(
            'a class "azure.ai.evaluation.F1ScoreEvaluator", a callable "evaluators.exact:score" '
            'or the directory of an evaluation flow "flows/eval_answer"'
        )
    return value if ":" in value or value.startswith("azure.") else _repository_path(value)


def _command(value: str) -> str:
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise ValueError("a command with balanced quotes (it runs without a shell)") from error
    if not words:
        raise ValueError('a command such as "pytest -q"')
    return value


def _no_secret(name: str, value: JsonValue) -> None:
    """Refuse what looks like a secret, wherever it is nested, without repeating it in the message."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _no_secret(key, inner)
    elif isinstance(value, list):
        for inner in value:
            _no_secret(name, inner)
    elif isinstance(value, str):
        named = _SECRET_NAME.search(name) and not _ENV.fullmatch(value)
        if named or _SECRET_VALUE.search(value) or ("${env:" in value and not _ENV.search(value)):
            raise ValueError(f"the name of a variable for {name}, ${{env:NAME}}: secrets never stand in this file")


def _without_secrets(value: dict[str, Any]) -> dict[str, Any]:
    _no_secret("", value)
    return value


def _window(value: str) -> str:
    try:
        parse_window(value)
    except Invalid as error:
        raise ValueError(str(error).partition("expected ")[2]) from error
    return value


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"a regular expression of Python ({error})") from error
    return value


def _login(value: Any) -> Any:
    return value.removeprefix("@") if isinstance(value, str) else value


def _matching(regex: str, expected: str) -> AfterValidator:
    def check(value: str) -> str:
        if re.fullmatch(regex, value) is None:
            raise ValueError(expected)
        return value

    return AfterValidator(check)


Duration = Annotated[int, BeforeValidator(seconds)]
Positive = Annotated[Duration, Field(ge=1)]
RepositoryPath = Annotated[str, AfterValidator(_repository_path)]
GateText = Annotated[str, AfterValidator(_gate)]
Command = Annotated[str, AfterValidator(_command)]
Use = Annotated[str, AfterValidator(_use)]
Branch = Annotated[str, _matching(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}", 'the name of a branch such as "main"')]
Name = Annotated[str, _matching(r"[A-Za-z][A-Za-z0-9_-]{0,49}", "a name of letters, digits, _ and -, a letter first")]
EnvironmentName = Annotated[
    str, _matching(r"[a-z][a-z0-9-]{0,29}", 'a name of lower-case letters, digits and -, such as "nonprod"')
]
Login = Annotated[str, BeforeValidator(_login), _matching(_LOGIN, 'a GitHub login such as "maria"')]
Approver = Annotated[
    str,
    BeforeValidator(_login),
    _matching(
        rf"{_LOGIN}|{_LOGIN}/[A-Za-z0-9][A-Za-z0-9._-]{{0,99}}|entra:[0-9a-fA-F]{{8}}(-[0-9a-fA-F]{{4}}){{3}}-[0-9a-fA-F]{{12}}",
        'a GitHub login "@maria", a team "@acme/release-managers" or an Entra group "entra:<its object id>"',
    ),
]
Member = Annotated[
    str,
    BeforeValidator(_login),
    _matching(
        rf"{_LOGIN}(\[bot\])?|{_LOGIN}/[A-Za-z0-9][A-Za-z0-9._-]{{0,99}}",
        'a GitHub login "@maria" or a team "@acme/leads"',
    ),
]
Window = Annotated[str, AfterValidator(_window)]
Pattern = Annotated[str, AfterValidator(_pattern)]
FromData = Annotated[str, _matching(r"\$\{data\.[^{}]+\}", 'a column of the dataset such as "${data.question}"')]
FromRow = Annotated[
    str,
    _matching(
        r"\$\{(data|target)\.[^{}]+\}",
        'a column of the dataset or an output of the target, such as "${data.answer}" or "${target.answer}"',
    ),
]
Connection = Annotated[dict[str, str], AfterValidator(_without_secrets)]
Init = Annotated[dict[str, JsonValue], AfterValidator(_without_secrets)]
