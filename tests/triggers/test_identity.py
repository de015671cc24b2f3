"""Who is calling, and from which page."""

from __future__ import annotations

import pytest

from domain.errors import Forbidden
from tests.triggers.edge import in_groups
from triggers.identity import Person, person, principal, refuse_cross_site, refuse_foreign

URL = "https://drawbridge.contoso.com"


def test_identity_header_counts_only_when_the_platform_signs_people_in() -> None:
    """Without App Service authentication anybody could send it."""
    headers = {"x-ms-client-principal-name": "maria@contoso.com"}

    assert principal(headers, authentication=True) == "maria@contoso.com"
    assert principal(headers, authentication=False) is None
    assert principal({"x-ms-client-principal-name": "  "}, authentication=True) is None


def test_groups_are_those_that_the_sign_in_names() -> None:
    """Entra's short claim and the long one; nobody's when the platform does not sign people in."""
    headers = {"x-ms-client-principal-name": "maria@contoso.com", "x-ms-client-principal": in_groups("a", "b")}

    assert person(headers, authentication=True) == Person("maria@contoso.com", frozenset({"a", "b"}))
    assert person(headers, authentication=False) is None


@pytest.mark.parametrize(
    "encoded", ["", "x", "ünïcode", "bnVsbA==", "W10=", "eyJjbGFpbXMiOiAxfQ==", "eyJjbGFpbXMiOiBbMV19", "=" * 9000]
)
def test_sign_in_that_cannot_be_read_names_no_groups(encoded: str) -> None:
    """The person stays who they are."""
    headers = {"x-ms-client-principal-name": "maria@contoso.com", "x-ms-client-principal": encoded}

    assert person(headers, authentication=True) == Person("maria@contoso.com")


def test_script_need_not_say_where_it_stands() -> None:
    """A browser does: what it sends from another site is refused."""
    refuse_foreign({}, URL)
    refuse_foreign({"origin": URL, "sec-fetch-site": "same-origin"}, URL)

    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "http://[x"}):
        with pytest.raises(Forbidden, match="another site"):
            refuse_foreign(headers, URL)


def test_form_from_our_own_page_is_taken() -> None:
    """Browsers send both headers; older ones only the origin. A default port is no difference."""
    refuse_cross_site({"origin": URL, "sec-fetch-site": "same-origin"}, URL)
    refuse_cross_site({"origin": f"{URL}:443"}, URL)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "null"},
        {"origin": "https://evil.example"},
        {"origin": "http://drawbridge.contoso.com"},
        {"origin": f"{URL}.evil.example"},
        {"origin": f"{URL}:8443"},
        {"origin": URL, "sec-fetch-site": "cross-site"},
        {"origin": URL, "sec-fetch-site": "same-site"},
        {"origin": URL, "sec-fetch-site": "none"},
    ],
)
def test_form_from_anywhere_else_is_refused(headers: dict[str, str]) -> None:
    """Without proof of where it comes from, a form changes nothing."""
    with pytest.raises(Forbidden, match=r"our pages|another site"):
        refuse_cross_site(headers, URL)
