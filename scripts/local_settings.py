"""The app's settings for what a person runs by hand: the environment, and local.settings.json as `func start` does."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from settings import SettingsError

FILE = Path("local.settings.json")


def environment(file: Path = FILE) -> Mapping[str, str]:
    """Return all variables; those of the environment win. Raises SettingsError when the file cannot be read."""
    if not file.exists():
        return os.environ
    try:
        values = json.loads(file.read_text(encoding="utf-8-sig"))["Values"]
        return {**{str(name): str(value) for name, value in values.items()}, **os.environ}
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise SettingsError(f'{file} cannot be read ({error}): expected {{"Values": {{name: text}}}}') from error
