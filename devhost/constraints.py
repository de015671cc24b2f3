"""The constraints a route parameter may have, with the meaning they have in ASP.NET."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

Check: TypeAlias = Callable[[str], bool]

_INTEGER = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
_DECIMAL = re.compile(r"\s*[+-]?(\d[\d,]*)?(\.\d*)?\s*", re.ASCII)
_DOUBLE = re.compile(r"\s*[+-]?(\d[\d,]*)?(\.\d*)?(e[+-]?\d+)?\s*", re.ASCII | re.IGNORECASE)
_GUID = re.compile(r"[0-9a-f]{32}|[{(]?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}[)}]?", re.IGNORECASE)
_DATES = ("%m/%d/%Y", "%Y/%m/%d", "%d %B %Y", "%B %d, %Y", "%d %b %Y", "%b %d, %Y")
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")


def constraint(name: str, argument: str | None) -> Check:
    """Look a constraint up, `min(3)` for example. Raises ValueError when it does not exist or is misused."""
    if argument is None and name.lower() in _PLAIN:
        return _PLAIN[name.lower()]
    if argument is not None and name.lower() in _WITH_ARGUMENT:
        return _WITH_ARGUMENT[name.lower()](argument)
    shown = name if argument is None else f"{name}({argument})"
    raise ValueError(f"there is no constraint '{shown}'")


def _is_integer(bits: int) -> Check:
    limit = 1 << (bits - 1)
    return lambda text: bool(_INTEGER.fullmatch(text)) and -limit <= int(text) < limit


def _is_decimal(text: str) -> bool:
    return bool(_DECIMAL.fullmatch(text)) and any(map(str.isdigit, text)) and abs(_number(text)) < 7.9228162514264338e28


def _is_double(text: str) -> bool:
    if text.strip().lower() in ("nan", "infinity", "-infinity"):
        return True
    mantissa = re.split("[eE]", text)[0]
    return bool(_DOUBLE.fullmatch(text)) and any(map(str.isdigit, mantissa)) and not math.isnan(_number(text))


def _number(text: str) -> float:
    return float(text.replace(",", ""))


def _is_datetime(text: str) -> bool:
    try:
        datetime.fromisoformat(text.strip())
    except ValueError:
        return any(_reads(text.strip(), date + time) for date in _DATES for time in _TIMES)
    return "-" in text  # Python also reads the compact 20240131, .NET does not


def _reads(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)  # noqa: DTZ007 - only whether it can be read counts
    except ValueError:
        return False
    return True


def _length(argument: str) -> Check:
    low, high = _numbers(argument, 2) if "," in argument else _numbers(argument, 1) * 2
    return lambda text: low <= len(text) <= high


def _min_length(argument: str) -> Check:
    (low,) = _numbers(argument, 1)
    return lambda text: len(text) >= low


def _max_length(argument: str) -> Check:
    (high,) = _numbers(argument, 1)
    return lambda text: len(text) <= high


def _min(argument: str) -> Check:
    (low,) = _numbers(argument, 1)
    return lambda text: _is_integer(64)(text) and int(text) >= low


def _max(argument: str) -> Check:
    (high,) = _numbers(argument, 1)
    return lambda text: _is_integer(64)(text) and int(text) <= high


def _range(argument: str) -> Check:
    low, high = _numbers(argument, 2)
    return lambda text: _is_integer(64)(text) and low <= int(text) <= high


def _regex(argument: str) -> Check:
    try:
        pattern = re.compile(argument, re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"the expression '{argument}' cannot be used: {error}") from error
    return lambda text: bool(pattern.search(text))


def _numbers(argument: str, count: int) -> list[int]:
    parts = argument.split(",")
    if len(parts) != count or not all(_is_integer(64)(part) for part in parts):
        raise ValueError(f"'{argument}' should be {'one whole number' if count == 1 else 'two whole numbers'}")
    return [int(part) for part in parts]


_PLAIN: dict[str, Check] = {
    "int": _is_integer(32),
    "long": _is_integer(64),
    "bool": lambda text: text.strip().lower() in ("true", "false"),
    "datetime": _is_datetime,
    "decimal": _is_decimal,
    "double": _is_double,
    "float": _is_double,
    "guid": lambda text: bool(_GUID.fullmatch(text)),
    "alpha": lambda text: bool(re.fullmatch("[A-Za-z]*", text)),
    "required": bool,
}
_WITH_ARGUMENT: dict[str, Callable[[str], Check]] = {
    "length": _length,
    "minlength": _min_length,
    "maxlength": _max_length,
    "min": _min,
    "max": _max,
    "range": _range,
    "regex": _regex,
}
