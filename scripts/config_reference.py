"""Write docs/configuration.md from the config model and the settings: `python scripts/config_reference.py`."""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import settings
from domain.config import Config
from domain.config_values import seconds

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "configuration.md"

HEAD = """\
<!-- Written by scripts/config_reference.py from domain/config.py and settings.py. Change those and run it again. -->

# Configuration

## drawbridge.yaml

It stands in the root of the app's repository and is versioned with it: a release follows the file of its own commit.
[drawbridge.example.yaml](drawbridge.example.yaml) shows every key in use.

- **duration**: a whole number and a unit, `s`, `m`, `h` or `d`.
- **path**: relative to the root of the repository, with `/`, without `..`.
- Secrets never stand here. `${env:NAME}` names a variable that worker processes get (`DRAWBRIDGE_WORKER_VARIABLES`).
- An unknown key, a value of the wrong kind, or a key that stands twice is refused. Every problem is listed at once as
  `drawbridge.yaml:LINE: key: what is wrong; expected ...`.

"""

GATES = """\
### Gates

| gate | passes when |
|---|---|
| `f1 >= 0.45` | the mean of the metric over the scored rows is at least 0.45. Also `>`, `<=`, `<` |
| `errors <= 0.02` | at most 2 % of the rows ended in an error |
| `latency_p50 <= 1.5`, `latency_p95 <= 3.0` | half of the rows, 95 % of them, took at most this many seconds |
| `f1 drop <= 0.05` | against the baseline, paired by row, a drop of more than 0.05 is ruled out at 95 % |

A metric is named like its evaluator; an evaluator with several outputs has `<evaluator>.<output>`. A drop gate *fails*
when the mean drop is larger than the limit, and is *inconclusive* when the limit lies within the uncertainty: it then
says how small a drop these rows could have shown. As long as nothing was released it passes, with nothing to compare
with. A gate whose metric is missing fails, and so does every gate when no row was scored.

"""

SETTINGS = """\
## Settings of the app

Environment variables; on Azure they are app settings, secrets as Key Vault references. On one machine they stand in
`local.settings.json`, for which [local.settings.example.json](../local.settings.example.json) is the pattern.

| variable | needed | default | what it is |
|---|---|---|---|
"""

_SUFFIXES: dict[type | None, str] = {list: "[]", dict: ".<name>", None: ""}
_WORDS: dict[Any, str] = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`"}


def main() -> None:
    """Write the file."""
    TARGET.write_text(reference())


def reference() -> str:
    """Return docs/configuration.md as the code has it now."""
    rows = "".join(f"| {' | '.join(row)} |\n" for row in setting_rows())
    return f"{HEAD}{_section('', Config, False)}{GATES}{SETTINGS}{rows}"


def _section(path: str, model: type[BaseModel], many: bool) -> str:
    """Describe a section as a table, then the sections inside it."""
    title = f"`{path}`" if path else "The file"
    text = f"### {title}\n\n{model.__doc__}{' As many as there are.' if many else ''}\n\n"
    text += "| key | kind | default | what it is |\n|---|---|---|---|\n"
    inner = []
    for name, info in model.model_fields.items():
        key = info.alias or name
        child, container = _model(info.annotation)
        where = f"{path}.{key}".lstrip(".") + _SUFFIXES[container]
        if child:
            inner.append(_section(where, child, container is not None))
        about = info.description or (child.__doc__ if child else "") or ""
        text += f"| `{key}` | {_kind(info)} | {_default(info)} | {about} |\n"
    # `minimal` and `full` are the same kind of section: described once, under both names.
    return text + "\n" + "".join(_merged(inner))


def _merged(sections: list[str]) -> Iterator[str]:
    seen: dict[str, list[str]] = {}
    for section in sections:
        title, _, body = section.removeprefix("### ").partition("\n")
        seen.setdefault(body, []).append(title)
    return (f"### {', '.join(titles)}\n{body}" for body, titles in seen.items())


def _model(annotation: Any) -> tuple[type[BaseModel] | None, type | None]:
    kinds = (annotation, *get_args(annotation))
    child = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
    origin = get_origin(annotation)
    return child, origin if origin in (list, dict) else None


def _kind(info: FieldInfo) -> str:
    annotation, text = info.annotation, str(info.annotation)
    child, container = _model(annotation)
    if container:
        return ("list" if container is list else "mapping") + (" of sections" if child else "")
    if child:
        return "section"
    if get_origin(annotation) is not None and "Literal" in text:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if _is_duration(info):
        return "duration"
    if "_repository_path" in repr(info.metadata) + text:
        return "path"
    parts = (annotation, *get_args(annotation), *(get_args(part) for part in get_args(annotation)))
    flat = [kind for part in parts for kind in (part if isinstance(part, tuple) else (part,))]
    return next(_WORDS[kind] for kind in flat if isinstance(kind, type) and kind in _WORDS)


def _is_duration(info: FieldInfo) -> bool:
    return any(getattr(item, "func", None) is seconds for item in info.metadata)


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "**needed**"
    if info.default_factory is not None:
        return "as below" if _model(info.annotation)[0] else ""
    value = info.default
    if value is None:
        return ""
    if _is_duration(info):
        return f"`{_readable(value)}`"
    return "none" if value in ([], {}) else f"`{json.dumps(value)}`"


def _readable(duration: int) -> str:
    unit, length = next(
        (unit, length) for unit, length in (("d", 86400), ("m", 60), ("s", 1)) if duration % length == 0
    )
    return f"{duration // length}{unit}"


def setting_rows() -> Iterator[tuple[str, str, str, str]]:
    """Yield variable, needed, default and meaning of each setting, read from the source of Settings."""
    source = inspect.getsource(settings.Settings)
    comments = dict(re.findall(r"^    (\w+): .*?  # (.+)$", source, re.MULTILINE))
    (call,) = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and _is_cls(node)]
    for keyword in call.keywords:
        for variable, needed, default in _reads(keyword.value):
            about = comments.get(str(keyword.arg), "").replace("|", "or")
            yield f"`{variable}`", "yes" if needed else "", f"`{default}`" if default else "", about


def _is_cls(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == "cls"


def _reads(expression: ast.expr) -> Iterator[tuple[str, bool, str]]:
    """Yield the variables an expression reads, whether they are needed, and their defaults."""
    calls = [node for node in ast.walk(expression) if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        texts = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        asked = ast.unparse(call.func)
        function = ast.unparse(call.args[0]) if asked == "read" else asked
        if function == "_people":
            yield "DRAWBRIDGE_PEOPLE", False, "{}"
        elif texts and re.fullmatch(r"[A-Z][A-Za-z_]+", texts[0]):
            default = texts[1] if len(texts) > 1 else ""
            yield texts[0], function in ("_need", "_secret"), default


if __name__ == "__main__":
    main()
