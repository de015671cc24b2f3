"""What the documentation says about configuration is what the code does."""

from __future__ import annotations

import json
from pathlib import Path

from scripts.config_reference import TARGET, reference, setting_rows
from settings import Settings

ROOT = Path(__file__).parents[1]


def example_values() -> dict[str, str]:
    """The values that a newcomer copies."""
    return json.loads((ROOT / "local.settings.example.json").read_text())["Values"]


def test_the_reference_is_up_to_date():
    """Run `python scripts/config_reference.py` after a change of the model or the settings."""
    assert TARGET.read_text() == reference()


def test_the_example_settings_load():
    """Copied as it is, the file starts the app."""
    loaded = Settings.from_env(example_values())

    assert loaded.repositories == ("contoso/helpdesk", "contoso/search")
    assert loaded.branches("contoso/search") == ("trunk", "develop")
    assert loaded.people["maria"] == "maria@contoso.com"
    assert set(loaded.worker_variables) == {"MODEL_BASE_URL", "MODEL_API_KEY"}


def test_the_example_names_every_setting():
    """A setting that is not in the example would never be found."""
    variables = {row[0].strip("`") for row in setting_rows()}

    assert len(variables) > 15
    assert variables <= example_values().keys()


def test_every_setting_says_what_it_is():
    """The comment beside the field is its documentation."""
    assert [row[0] for row in setting_rows() if not row[3]] == []


def test_the_reference_knows_which_settings_are_needed():
    """Without each of those marked, the app does not start; without all others, it does."""
    needed = {row[0].strip("`") for row in setting_rows() if row[1]}
    values = {name: value for name, value in example_values().items() if name in needed}

    assert Settings.from_env(values).container == "drawbridge"
