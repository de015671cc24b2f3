"""The labels of a repository."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from devhost.github import limits
from devhost.github.double import Double
from devhost.github.refusals import Refused, invalid
from devhost.github.store import Record

COLOUR = "ededed"


def everything(double: Double, repository: Record) -> list[Record]:
    """List the labels by name."""
    return sorted(double.store.all("label", repository["repository"]), key=lambda one: str(one["name"]).casefold())


def find(double: Double, repository: Record, name: str) -> Record:
    """Find a label; names are case-insensitive."""
    found = _named(double, repository, name)
    if found is None:
        raise Refused(404, "Not Found")
    return found


def ensure(double: Double, repository: Record, name: str, by: str) -> Record:
    """Find a label, or make it as GitHub does when somebody uses one that is not there."""
    return _named(double, repository, name) or create(double, repository, {"name": name}, by)


def create(double: Double, repository: Record, fields: Mapping[str, Any], by: str) -> Record:
    """Make a label."""
    name = _checked(str(fields.get("name") or ""))
    if _named(double, repository, name):
        raise invalid("Label", "name", code="already_exists")
    color, description = _colour(fields.get("color") or COLOUR), fields.get("description")
    label = double.store.add("label", repository["repository"], name=name, color=color, description=description)
    double.emit("label", "created", repository, {"label": name, "sender": by})
    return label


def edit(double: Double, repository: Record, name: str, fields: Mapping[str, Any], by: str) -> Record:
    """Rename or describe a label; what carries it keeps it under its new name, what was said before stays said."""
    label = find(double, repository, name)
    old, new = label["name"], _checked(str(fields.get("new_name") or label["name"]))
    other = _named(double, repository, new)
    if other and other["id"] != label["id"]:
        raise invalid("Label", "name", code="already_exists")
    given = {key: fields[key] for key in ("color", "description") if key in fields}
    label.update(given, name=new)
    _colour(label["color"])
    with double.store.transaction():
        double.store.save(label)
        _replace(double, repository, old, new)
    changes = {"name": {"from": old}} if old != new else {}
    double.emit("label", "edited", repository, {"label": new, "sender": by, "changes": changes})
    return label


def remove(double: Double, repository: Record, name: str, by: str) -> None:
    """Delete a label, also where it is used."""
    label = find(double, repository, name)
    double.emit("label", "deleted", repository, {"label": label["name"], "sender": by})
    with double.store.transaction():
        double.store.remove(label)
        _replace(double, repository, label["name"], None)


def _replace(double: Double, repository: Record, old: str, new: str | None) -> None:
    for kind in ("pull", "issue"):
        for thread in double.store.all(kind, repository["repository"]):
            if old in thread["labels"]:
                thread["labels"] = [new if name == old else name for name in thread["labels"] if new or name != old]
                double.store.save(thread)


def _named(double: Double, repository: Record, name: str) -> Record | None:
    known = double.store.all("label", repository["repository"])
    return next((one for one in known if one["name"].casefold() == name.casefold()), None)


def _checked(name: str) -> str:
    if not name.strip():
        raise invalid("Label", "name", code="missing_field")
    if len(name) > limits.LABEL:
        raise invalid("Label", "name", f"name is too long (maximum is {limits.LABEL} characters)", "invalid")
    return name


def _colour(text: object) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{6}", str(text)):
        raise invalid("Label", "color", code="invalid")
    return str(text)
