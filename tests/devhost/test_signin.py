"""The development sign-in lets nobody pretend, apart from choosing a person from the list."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import requests
from selectolax.lexbor import LexborHTMLParser as HTMLParser

from devhost.environment import StartError
from devhost.signin import COOKIE, read_people, require_loopback
from tests.devhost.harness import HostFailed, RunningHost, running_host, start_host, write_app

CODE = """
import json, os
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route(route="who")
def who(req: func.HttpRequest) -> str:
    names = {name: value for name, value in req.headers.items() if name.startswith("x-ms-")}
    return json.dumps({"headers": names, "platform": os.environ.get("WEBSITE_AUTH_ENABLED")})
"""
PEOPLE = {
    "maria": {"name": "Maria <b>Silva</b>", "email": "maria@contoso.com"},
    "jonas": {"name": "Jonas", "email": "jonas@contoso.com"},
}
ENV = {"DEVHOST_PEOPLE": json.dumps(PEOPLE)}
FORGED = {
    "X-MS-CLIENT-PRINCIPAL-NAME": "jonas@contoso.com",
    "x-ms-client-principal-id": "1",
    "X-MS-CLIENT-PRINCIPAL-IDP": "aad",
    "X-Ms-Client-Principal": "e30=",
    "X-MS-TOKEN-AAD-ACCESS-TOKEN": "t",
}


@pytest.fixture(scope="module")
def app_dir(tmp_path_factory):
    return write_app(tmp_path_factory.mktemp("signin"), CODE)


@pytest.fixture(scope="module")
def host(app_dir):
    with running_host(app_dir, env=ENV, arguments=["--sign-in"]) as running:
        yield running


def sign_in(host: RunningHost, login: str) -> requests.Session:
    """Choose a person as a browser does."""
    session = requests.Session()
    answer = session.post(f"{host.url}/.auth/login", data={"login": login}, allow_redirects=False, timeout=10)
    answer.raise_for_status()
    return session


def who(host: RunningHost, session: Any = requests, **arguments: Any) -> Any:
    """Ask the app whom it sees."""
    return session.get(f"{host.url}/api/who", timeout=10, **arguments).json()


def test_page_lists_the_people_and_says_what_it_is(host):
    """One form per person, names escaped, labelled as a development page."""
    page = HTMLParser(requests.get(f"{host.url}/.auth/login", timeout=10).text)

    assert [button.attributes["value"] for button in page.css("form[method=post] button")] == ["maria", "jonas"]
    assert page.css("button")[0].text() == "Maria <b>Silva</b> <maria@contoso.com>"
    assert "Development sign-in" in page.css(".label")[0].text()


def test_signed_in_request_carries_the_platform_headers(host):
    """The app learns who somebody is as on Azure."""
    seen = who(host, sign_in(host, "maria"))

    headers = seen["headers"]
    principal = json.loads(base64.b64decode(headers["x-ms-client-principal"]))
    claims = {claim["typ"]: claim["val"] for claim in principal["claims"]}
    assert seen["platform"] == "True"
    assert headers["x-ms-client-principal-name"] == "maria@contoso.com"
    assert headers["x-ms-client-principal-idp"] == principal["auth_typ"] == "aad"
    assert (
        headers["x-ms-client-principal-id"] == claims["http://schemas.microsoft.com/identity/claims/objectidentifier"]
    )
    assert claims[principal["name_typ"]] == "maria@contoso.com"
    assert "role_typ" in principal


def test_request_without_session_passes_without_identity(host):
    """The app decides what somebody unknown may do."""
    assert who(host)["headers"] == {}


def test_forged_headers_are_stripped(host):
    """Nobody becomes somebody by sending the platform's headers."""
    assert who(host, headers=FORGED)["headers"] == {}


def test_forged_headers_do_not_change_a_session(host):
    """Somebody signed in stays who they are."""
    assert who(host, sign_in(host, "maria"), headers=FORGED) == who(host, sign_in(host, "maria"))


def test_cookie_is_hidden_from_scripts_and_other_sites(host):
    """HttpOnly, SameSite=Lax, for the whole host."""
    answer = requests.post(f"{host.url}/.auth/login", data={"login": "maria"}, allow_redirects=False, timeout=10)

    attributes = {part.strip() for part in answer.headers["Set-Cookie"].split(";")[1:]}
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= attributes


@pytest.mark.parametrize(
    "change", [lambda c: c[:-5] + ("A" if c[-5] != "A" else "B") + c[-4:], lambda c: "x" + c, lambda c: c[:9]]
)
def test_tampered_cookie_is_nobody(host, change):
    """A cookie whose signature does not fit gives no identity."""
    cookie = sign_in(host, "maria").cookies[COOKIE]

    assert who(host, cookies={COOKIE: change(cookie)})["headers"] == {}


def test_login_of_one_cookie_cannot_be_put_into_another(host):
    """The signature covers the person."""
    maria = str(sign_in(host, "maria").cookies[COOKIE])
    jonas = str(sign_in(host, "jonas").cookies[COOKIE])
    mixed = jonas.split(".", maxsplit=1)[0] + "." + maria.split(".", 1)[1]

    assert who(host, cookies={COOKIE: mixed})["headers"] == {}


def test_unknown_person_cannot_sign_in(host):
    """Only the people of DEVHOST_PEOPLE are offered and accepted."""
    answer = requests.post(f"{host.url}/.auth/login", data={"login": "root"}, timeout=10)

    assert answer.status_code == 403
    assert answer.text == "There is no person 'root' in DEVHOST_PEOPLE."


def test_relative_target_is_followed(host):
    """After signing in, the person is where they wanted to go."""
    query = urlencode({"post_login_redirect_uri": "/api/who?x=1"})
    page = HTMLParser(requests.get(f"{host.url}/.auth/login?{query}", timeout=10).text)
    action = str(page.css("form")[0].attributes["action"])

    answer = requests.post(host.url + action, data={"login": "maria"}, allow_redirects=False, timeout=10)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/api/who?x=1")


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        r"/\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "evil",
        "/a\nb",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/.auth/login?post_login_redirect_uri=", "/.auth/logout?post_logout_redirect_uri="])
def test_target_on_another_site_is_not_followed(host, target, path):
    """The sign-in is no open redirect."""
    url = host.url + path + quote(target, safe="")
    method = "POST" if "login?" in path else "GET"

    answer = requests.request(method, url, data={"login": "maria"}, allow_redirects=False, timeout=10)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/.auth/login/done")


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"Origin": "https://evil.example"}, "sent from another site"),
        ({"Origin": "null"}, "sent from another site"),
        ({"Host": "evil.example"}, "answers on localhost only"),
    ],
)
def test_form_of_another_site_is_refused(host, headers, message):
    """Neither a foreign form nor a foreign name for this machine signs anybody in."""
    answer = requests.post(f"{host.url}/.auth/login", data={"login": "maria"}, headers=headers, timeout=10)

    assert answer.status_code == 403
    assert message in answer.text
    assert "Set-Cookie" not in answer.headers


def test_me_tells_who_is_signed_in(host):
    """As on Azure: a list with one entry, or 401."""
    mine = sign_in(host, "jonas").get(f"{host.url}/.auth/me", timeout=10).json()

    assert [entry["user_id"] for entry in mine] == ["jonas@contoso.com"]
    assert requests.get(f"{host.url}/.auth/me", timeout=10).status_code == 401


def test_logout_ends_the_session(host):
    """The browser forgets who it was."""
    session = sign_in(host, "maria")
    session.get(f"{host.url}/.auth/logout", timeout=10)

    assert who(host, session)["headers"] == {}


def test_session_survives_a_restart_and_only_on_its_hub(app_dir, tmp_path):
    """The signing key lives in the task hub: a restart keeps people signed in, another hub does not know them."""
    with running_host(app_dir, tmp_path / "a.sqlite", ENV, ["--sign-in"]) as first:
        cookie = sign_in(first, "maria").cookies[COOKIE]
    with running_host(app_dir, tmp_path / "a.sqlite", ENV, ["--sign-in"]) as again:
        assert who(again, cookies={COOKIE: cookie})["headers"]["x-ms-client-principal-name"] == "maria@contoso.com"
    with running_host(app_dir, tmp_path / "b.sqlite", ENV, ["--sign-in"]) as other:
        assert who(other, cookies={COOKIE: cookie})["headers"] == {}


def test_without_the_option_there_is_no_sign_in(app_dir, tmp_path):
    """A plain host serves no sign-in, tells the app nothing, and strips the headers all the same."""
    with running_host(app_dir, tmp_path / "hub.sqlite", ENV) as plain:
        assert requests.get(f"{plain.url}/.auth/login", timeout=10).status_code == 404
        assert who(plain, headers=FORGED) == {"headers": {}, "platform": None}


def test_sign_in_on_an_address_others_reach_is_refused(app_dir, tmp_path):
    """Anybody could sign in as anybody."""
    with pytest.raises(HostFailed, match=r"--sign-in works on loopback only, not on 0\.0\.0\.0"):
        start_host(app_dir, tmp_path / "hub.sqlite", ENV, ["--sign-in", "--host", "0.0.0.0"])  # noqa: S104 - refused


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LOCALHOST"])
def test_loopback_addresses_are_accepted(address):
    """Every way to say this machine is fine."""
    require_loopback(address)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.2", "example.com", ""])  # noqa: S104 - refused
def test_other_addresses_are_refused(address):
    """Names are not looked up: only localhost is known to be this machine."""
    with pytest.raises(StartError, match="loopback only"):
        require_loopback(address)


@pytest.mark.parametrize("text", ["[]", "{", '{"maria": "x"}', '{"maria": {"name": "M"}}', "3"])
def test_unreadable_people_are_refused_with_an_example(text):
    """The message shows what DEVHOST_PEOPLE looks like."""
    with pytest.raises(StartError, match=r'DEVHOST_PEOPLE must be a JSON object such as \{"maria"'):
        read_people({"DEVHOST_PEOPLE": text})
