"""`make audit-verify` as a person runs it: the words, and the exit status."""

from __future__ import annotations

import json

import pytest

from adapters import audit
from adapters.blobs import Blobs
from domain import blob_names
from scripts import audit_verify


@pytest.fixture
def storage(azurite, blobs, monkeypatch, tmp_path):
    """The environment of a person, in a directory of their own, naming the test's container."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AzureWebJobsStorage", raising=False)
    monkeypatch.setenv("DRAWBRIDGE_BLOBS", azurite)
    monkeypatch.setenv("DRAWBRIDGE_CONTAINER", blobs._container.container_name)
    for key in "ab":
        audit.record(blobs, key=key, what="vote", who="maria", subject="release-1")
    return blobs


def test_a_whole_log_is_said_to_be_one_with_a_note_to_keep(storage, capsys):
    """Exit status 0, and the number and hash that the next check takes."""
    status = audit_verify.main([])
    said = capsys.readouterr().out
    note = said.partition("Newest record: ")[2].split()[0]

    assert status == 0
    assert "✓ The audit log is whole: 2 records in 1 files." in said
    assert audit_verify.main(["--expect", note]) == 0
    assert "Record 2 is the one that was noted." in capsys.readouterr().out


def test_an_altered_log_is_named_with_exit_status_1(storage, capsys):
    """What was found stands on a line of its own."""
    head = storage.read_json(blob_names.AUDIT_HEAD)
    storage.write_json(blob_names.AUDIT_HEAD, head | {"n": 3})

    assert audit_verify.main([]) == 1
    said = capsys.readouterr().out
    assert "✗ the log ends with record 2, but audit/head.json knows record 3: its end is missing" in said
    assert "NOT whole" in said


def test_another_log_than_the_noted_one_is_named(storage, capsys):
    """A note that does not fit is a finding, a note that is none is refused."""
    assert audit_verify.main(["--expect", f"1:{'0' * 64}"]) == 1
    assert "was noted: the log was rewritten" in capsys.readouterr().out
    assert audit_verify.main(["--expect", "1:0"]) == 1
    assert "audit-verify: '1:0' is no note of the audit log" in capsys.readouterr().err


def test_the_storage_comes_from_local_settings_as_well(storage, azurite, monkeypatch, tmp_path, capsys):
    """As `func start` reads them; a file that cannot be read is named."""
    monkeypatch.delenv("DRAWBRIDGE_BLOBS")
    (tmp_path / "local.settings.json").write_text(json.dumps({"Values": {"AzureWebJobsStorage": azurite}}))

    assert audit_verify.main([]) == 0
    (tmp_path / "local.settings.json").write_text("{")
    capsys.readouterr()
    assert audit_verify.main([]) == 1
    assert "audit-verify: local.settings.json cannot be read" in capsys.readouterr().err


def test_no_storage_at_all_is_told_with_what_to_set(storage, monkeypatch, capsys):
    """Neither variable, no file."""
    monkeypatch.delenv("DRAWBRIDGE_BLOBS")

    assert audit_verify.main([]) == 1
    assert "neither DRAWBRIDGE_BLOBS nor AzureWebJobsStorage is set" in capsys.readouterr().err


def test_what_a_demo_left_behind_is_read_from_its_directory(storage, tmp_path, monkeypatch, capsys):
    """Azurite is started on the directory for as long as the check takes; a directory in use is left alone."""
    monkeypatch.delenv("DRAWBRIDGE_CONTAINER")
    (tmp_path / "azurite").mkdir()
    with audit_verify._azurite(tmp_path) as connection:
        audit.record(Blobs(connection, "drawbridge"), key="a", what="vote", who="maria", subject="release-1")
        used = audit_verify.main(["--state", str(tmp_path)])

    assert used == 1
    assert f"{tmp_path} is in use" in capsys.readouterr().err
    assert audit_verify.main(["--state", str(tmp_path)]) == 0
    assert "1 records in 1 files" in capsys.readouterr().out
    assert audit_verify.main(["--state", str(tmp_path / "other")]) == 1
