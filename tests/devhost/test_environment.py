"""What Core Tools put into the environment."""

from __future__ import annotations

import json

import pytest

from devhost.environment import StartError, local_values, prepare_environment


def write(directory, content) -> None:
    (directory / "local.settings.json").write_text(content if isinstance(content, str) else json.dumps(content))


def test_values_become_variables_but_override_nothing(tmp_path):
    """A variable that is set and not empty wins over the file."""
    write(tmp_path, {"IsEncrypted": False, "Values": {"A": "file", "B": "file", "C": "file", "D": True, "E": None}})
    env = {"A": "shell", "B": ""}

    prepare_environment(tmp_path, 7071, env)

    assert env == {
        "A": "shell",
        "B": "file",
        "C": "file",
        "D": "True",
        "WEBSITE_HOSTNAME": "localhost:7071",
        "AzureWebJobsScriptRoot": str(tmp_path),
        "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
        "FUNCTIONS_WORKER_RUNTIME": "python",
    }


def test_no_file_means_no_values(tmp_path):
    """The file is optional."""
    assert local_values(tmp_path) == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"Values": {}, // no\n}', r"local.settings.json is not strict JSON \(line 1:"),
        ("[]", "must be a JSON object, not list"),
        ({"IsEncrypted": True}, "is encrypted: run `func settings decrypt`"),
        ({"Values": {"A": {}}}, "A must be text"),
        ({"Values": []}, "Values must be an object of names and texts"),
    ],
)
def test_unusable_file_is_refused_with_the_reason(tmp_path, content, message):
    """One line says what to change."""
    write(tmp_path, content)

    with pytest.raises(StartError, match=message):
        local_values(tmp_path)
