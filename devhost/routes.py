"""ASP.NET route templates, as far as HTTP functions use them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from devhost.constraints import Check, constraint
from devhost.environment import StartError

_SEGMENT = r"(?:\{[^{}]*\}|[^/{}])+"
_PARAMETER = re.compile(
    r"(?P<stars>\*{0,2})(?P<name>[^:*=?]+)(?P<checks>(?::.+?)?)(?:=(?P<default>.*?))?(?P<optional>\??)"
)
_CHECK = re.compile(r":(?P<name>\w+)(?:\((?P<argument>.*?)\))?(?=:|$)", re.DOTALL)
_HIDE = (("{{", "\x01"), ("}}", "\x02"))  # doubled braces stand for themselves, mostly in regular expressions


@dataclass(frozen=True)
class Parameter:
    """One `{…}` of a template."""

    name: str
    optional: bool
    catch_all: bool
    default: str | None
    checks: tuple[Check, ...]

    @property
    def may_be_absent(self) -> bool:
        """Whether a path may end before it."""
        return self.optional or self.catch_all or self.default is not None

    def accepts(self, value: str) -> bool:
        """Tell whether every constraint holds."""
        return all(check(value) for check in self.checks)


@dataclass(frozen=True)
class Segment:
    """What stands between two slashes; most often one literal or one parameter."""

    pattern: re.Pattern[str]
    parameters: tuple[Parameter, ...]

    @property
    def catch_all(self) -> bool:
        """Whether it takes the rest of the path."""
        return bool(self.parameters) and self.parameters[0].catch_all

    def take(self, text: str) -> dict[str, str] | None:
        """Match the segment's text, empty when the path ended before; returns the values it gives."""
        if not text:
            return self._absent()
        found = self.pattern.fullmatch(text)
        if not found:
            return None
        accepted = all(p.accepts(value) for p, value in zip(self.parameters, found.groups(), strict=True))
        return dict(zip((p.name for p in self.parameters), found.groups(), strict=True)) if accepted else None

    def _absent(self) -> dict[str, str] | None:
        if not self.parameters or not self.parameters[0].may_be_absent:
            return None
        parameter = self.parameters[0]
        if parameter.default is None:
            return {}
        return {parameter.name: parameter.default} if parameter.accepts(parameter.default) else None


@dataclass(frozen=True)
class Template:
    """A parsed route template. The case of literals does not matter."""

    text: str
    segments: tuple[Segment, ...]

    def match(self, path: list[str]) -> dict[str, str] | None:
        """Match decoded path segments; returns the route values, None when the path is another's."""
        values: dict[str, str] = {}
        for index, segment in enumerate(self.segments):
            rest = path[index:]
            found = segment.take("/".join(rest) if segment.catch_all else "".join(rest[:1]))
            if found is None:
                return None
            values |= found
            if segment.catch_all:
                return values
        return values if len(path) <= len(self.segments) else None


def parse(text: str) -> Template:
    """Parse a template such as `a/{id:int?}/{*rest}`. Raises StartError naming what is wrong."""
    hidden = text.strip("/")
    for doubled, mark in _HIDE:
        hidden = hidden.replace(doubled, mark)
    if hidden and not re.fullmatch(f"{_SEGMENT}(/{_SEGMENT})*", hidden):
        raise StartError(f"route '{text}': braces must be balanced and slashes single")
    try:
        segments = tuple(_segment(part) for part in re.findall(_SEGMENT, hidden))
        _check(segments)
    except ValueError as error:
        raise StartError(f"route '{text}': {error}") from error
    return Template(text.strip("/"), segments)


def split_path(raw_path: str) -> list[str]:
    """Split a raw URL path into decoded segments; an encoded slash stays encoded, as in ASP.NET."""
    stripped = raw_path.strip("/")
    return [_decode(part) for part in stripped.split("/")] if stripped else []


def _decode(part: str) -> str:
    return "%2F".join(unquote(piece) for piece in re.split("%2[Ff]", part))


def _segment(text: str) -> Segment:
    pieces = re.split(r"\{([^{}]*)\}", text)
    literals, parameters = pieces[::2], tuple(_parameter(piece) for piece in pieces[1::2])
    if any(not literal for literal in literals[1:-1]):
        raise ValueError("two parameters need text between them")
    alone = len(parameters) == 1 and not any(literals)
    if not alone and any(parameter.may_be_absent for parameter in parameters):
        raise ValueError("a parameter with '?', '*' or a default must stand alone between slashes")
    pattern = "(.+)".join(re.escape(_show(literal)) for literal in literals)
    return Segment(re.compile(pattern, re.IGNORECASE | re.DOTALL), parameters)


def _parameter(text: str) -> Parameter:
    found = _PARAMETER.fullmatch(text)
    if not found:
        raise ValueError(f"'{{{_show(text)}}}' is not a parameter")
    if found["optional"] and (found["default"] is not None or found["stars"]):
        raise ValueError(f"parameter '{found['name']}' is optional and cannot have a default or take the whole rest")
    default = None if found["default"] is None else _show(found["default"])
    return Parameter(found["name"], bool(found["optional"]), bool(found["stars"]), default, _checks(found["checks"]))


def _checks(text: str) -> tuple[Check, ...]:
    checks, position = [], 0
    while position < len(text):
        found = _CHECK.match(text, position)
        if not found:
            raise ValueError(f"constraint '{_show(text[position:])}' cannot be read")
        argument = found["argument"]
        checks.append(constraint(found["name"], None if argument is None else _show(argument)))
        position = found.end()
    return tuple(checks)


def _check(segments: tuple[Segment, ...]) -> None:
    names = [parameter.name.lower() for segment in segments for parameter in segment.parameters]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ValueError(f"parameter '{twice}' appears more than once")
    if any(segment.catch_all for segment in segments[:-1]):
        raise ValueError("a parameter that takes the whole rest must come last")


def _show(text: str) -> str:
    return text.replace("\x01", "{").replace("\x02", "}")
