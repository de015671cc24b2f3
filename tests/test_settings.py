"""The environment is read once, and what is wrong with it is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import settings
from settings import Settings, SettingsError

NEEDED = {
    "DRAWBRIDGE_REPOSITORIES": "contoso/helpdesk",
    "DRAWBRIDGE_PUBLIC_URL": "https://drawbridge.contoso.internal/",
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
    "DRAWBRIDGE_WEBHOOK_SECRET": "webhook-secret",
    "DRAWBRIDGE_LINK_SECRET": "link-secret",
}


def test_what_is_needed_is_enough():
    """Five values start the app; the rest has defaults."""
    read = Settings.from_env(NEEDED)

    assert read.public_url == "https://drawbridge.contoso.internal"
    assert read.blobs == "UseDevelopmentStorage=true"
    assert (read.compute, read.registry, read.web_app) == ("local", "local", "local")
    assert read.github_url == "https://api.github.com"
    assert read.people == {}
    assert read.worker_variables == {}
    assert not read.authentication


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_setting_is_named(name, value):
    """Missing, empty and blank are the same."""
    env = {**NEEDED, name: value} if value is not None else {key: NEEDED[key] for key in NEEDED if key != name}

    with pytest.raises(SettingsError, match=f"^{name} is not set: see local.settings.example.json for what it holds$"):
        Settings.from_env(env)


def test_all_that_is_wrong_is_named_at_once():
    """Whoever mends them does not start the app once for each."""
    wrong = {"DRAWBRIDGE_LINK_SECRET": "", "DRAWBRIDGE_TIMEZONE": "Berlin", "DRAWBRIDGE_POLL_SECONDS": "soon"}

    with pytest.raises(SettingsError) as refused:
        Settings.from_env({**NEEDED, **wrong})

    assert refused.value.wrong == (
        "DRAWBRIDGE_LINK_SECRET is not set: see local.settings.example.json for what it holds",
        "DRAWBRIDGE_POLL_SECONDS is 'soon': expected a number of seconds above 0",
        "DRAWBRIDGE_TIMEZONE is 'Berlin': expected a time zone such as Europe/Berlin",
    )
    assert str(refused.value) == "; ".join(refused.value.wrong)


@pytest.mark.parametrize(
    ("name", "planned"),
    [
        ("DRAWBRIDGE_COMPUTE", "azureml"),
        ("DRAWBRIDGE_REGISTRY", "acr"),
        ("DRAWBRIDGE_WEB_APP", "app_service"),
    ],
)
def test_only_what_is_built_can_be_chosen(name, planned):
    """A typo must not fall back to a default silently, and a plan must not fail hours later."""
    with pytest.raises(SettingsError, match=f"^{name} is 'azure': choose local$"):
        Settings.from_env({**NEEDED, name: "azure"})
    with pytest.raises(SettingsError, match=f"^{name} is '{planned}', which is not built yet: choose local$"):
        Settings.from_env({**NEEDED, name: planned})


@pytest.mark.parametrize("name", ["DRAWBRIDGE_WEBHOOK_SECRET", "DRAWBRIDGE_LINK_SECRET"])
def test_an_unresolved_key_vault_reference_is_no_secret(name):
    """The text of the reference is known to anybody who can read the deployment."""
    env = {**NEEDED, name: "@Microsoft.KeyVault(SecretUri=https://vault.contoso.net/secrets/x)"}

    with pytest.raises(SettingsError, match=f"^{name} is an unresolved Key Vault reference: give the app's identity"):
        Settings.from_env(env)


@pytest.mark.parametrize("text", ["", "maria", "[]", '["maria"]', '{"maria": 1}', "{'maria': 'x'}"])
def test_people_must_be_an_object_of_names(text):
    """A bad mapping would let the wrong person sign in, or nobody."""
    with pytest.raises(SettingsError, match="DRAWBRIDGE_PEOPLE must be a JSON object such as"):
        Settings.from_env({**NEEDED, "DRAWBRIDGE_PEOPLE": text})


def test_people_map_logins_to_sign_in_names():
    """GitHub knows maria, the platform knows maria@contoso.com."""
    read = Settings.from_env({**NEEDED, "DRAWBRIDGE_PEOPLE": '{"maria": "maria@contoso.com"}'})

    assert read.people == {"maria": "maria@contoso.com"}


@pytest.mark.parametrize("text", ["", "often", "0", "-1", "nan", "inf"])
def test_polling_needs_a_number_of_seconds(text):
    """Zero would spin, infinity would never look."""
    with pytest.raises(
        SettingsError, match=f"^DRAWBRIDGE_POLL_SECONDS is '{text}': expected a number of seconds above 0$"
    ):
        Settings.from_env({**NEEDED, "DRAWBRIDGE_POLL_SECONDS": text})


def test_several_repositories_are_separated_by_commas():
    """Blanks around the names do not matter."""
    read = Settings.from_env({**NEEDED, "DRAWBRIDGE_REPOSITORIES": "contoso/helpdesk, contoso/search,"})

    assert read.repositories == ("contoso/helpdesk", "contoso/search")


def test_a_repository_may_have_branches_of_its_own():
    """All others have what stands without a name, or what is usual; GitHub tells no case apart."""
    env = {
        **NEEDED,
        "DRAWBRIDGE_REPOSITORIES": "contoso/helpdesk,contoso/Search,contoso/notes",
        "DRAWBRIDGE_RELEASE_BRANCH": "production, contoso/search = trunk, contoso/notes=v=1",
        "DRAWBRIDGE_DEVELOP_BRANCH": "contoso/notes=next",
    }
    read = Settings.from_env(env)

    assert read.branches("contoso/helpdesk") == ("production", "develop")
    assert read.branches("Contoso/Search") == ("trunk", "develop")
    assert read.branches("contoso/notes") == ("v=1", "next")


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ("", "a place between commas has no branch"),
        ("main,", "a place between commas has no branch"),
        ("main, contoso/helpdesk=", "contoso/helpdesk has no branch"),
        ("main, contoso/search=trunk", "contoso/search is not in DRAWBRIDGE_REPOSITORIES"),
        ("main, =trunk", "a branch without a repository is not in DRAWBRIDGE_REPOSITORIES"),
        ("main, trunk", "the branch of all others is named twice"),
        ("contoso/helpdesk=a, Contoso/Helpdesk=b", "Contoso/Helpdesk is named twice"),
    ],
)
@pytest.mark.parametrize(
    ("name", "usual"), [("DRAWBRIDGE_RELEASE_BRANCH", "main"), ("DRAWBRIDGE_DEVELOP_BRANCH", "develop")]
)
def test_a_branch_that_cannot_be_meant_is_named(name, usual, text, trouble):
    """A repository whose branch is guessed would be released from the wrong one, or never."""
    expected = f"{name} is {text!r}: {trouble}; expected {usual}, or {usual}, owner/name=branch"

    with pytest.raises(SettingsError, match=f"^{re.escape(expected)}$"):
        Settings.from_env({**NEEDED, name: text})


def test_a_worker_gets_only_the_variables_that_are_named():
    """Code from a repository must not see the app's secrets."""
    env = {**NEEDED, "DRAWBRIDGE_WORKER_VARIABLES": "NOT_SET, MODEL_API_KEY", "MODEL_API_KEY": "k", "OTHER": "x"}

    assert Settings.from_env(env).worker_variables == {"MODEL_API_KEY": "k"}


@pytest.mark.parametrize(("text", "trusted"), [("True", True), ("true", True), ("False", False), ("1", False)])
def test_identity_headers_are_trusted_only_when_the_platform_says_so(text, trusted):
    """App Service writes True; anything else leaves the headers worthless."""
    assert Settings.from_env({**NEEDED, "WEBSITE_AUTH_ENABLED": text}).authentication is trusted


def test_own_blobs_win_over_the_hosts_storage():
    """Drawbridge's blobs may live in an account of their own."""
    read = Settings.from_env({**NEEDED, "DRAWBRIDGE_BLOBS": "https://drawbridge.blob.core.windows.net"})

    assert read.blobs == "https://drawbridge.blob.core.windows.net"


def test_state_is_an_absolute_path():
    """Worker processes run in other directories."""
    read = Settings.from_env({**NEEDED, "DRAWBRIDGE_STATE": "somewhere"})

    assert read.state == Path("somewhere").resolve()


def test_secrets_are_not_in_the_repr():
    """A logged settings object gives nothing away."""
    env = {
        **NEEDED,
        "DRAWBRIDGE_GITHUB_TOKEN": "token-secret",
        "DRAWBRIDGE_GITHUB_APP_KEY": "key-secret",
        "DRAWBRIDGE_BLOBS": "AccountKey=blob-secret",
        "DRAWBRIDGE_WORKER_VARIABLES": "MODEL_API_KEY",
        "MODEL_API_KEY": "model-secret",
    }

    assert "secret" not in repr(Settings.from_env(env))


def test_current_settings_come_from_the_process_environment(monkeypatch):
    """Read once and kept."""
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    settings.current.cache_clear()

    try:
        assert settings.current().repositories == ("contoso/helpdesk",)
        assert settings.current() is settings.current()
    finally:
        settings.current.cache_clear()
