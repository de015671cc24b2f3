"""Who is calling, and from which page."""

from __future__ import annotations

import pytest

from domain.errors import Forbidden
from triggers.identity import principal, refuse_cross_site

URL = "https://drawbridge.contoso.com"


def test_identity_header_counts_only_when_the_platform_signs_people_in() -> None:
    """Without App Service authentication anybody could send it."""
    headers = {"x-ms-client-principal-name": "maria@contoso.com"}

    assert principal(headers, authentication=True) == "maria@contoso.com"
    assert principal(headers, authentication=False) is None
    assert principal({"x-ms-client-principal-name": "  "}, authentication=True) is None


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
    with pytest.raises(Forbidden, match="approval"):
        refuse_cross_site(headers, URL)
