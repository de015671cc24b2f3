"""Every page, in every state of the preview, is safe, accessible and loads nothing."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from scripts import preview_data as data
from scripts.preview_pages import main, pages
from triggers import render
from triggers.views import message_page, release_page, sign_in_page
from triggers.views.common import Link, duration, number, safe_url

PAGES = {name: (template, view) for name, _, template, view in pages()}


@pytest.fixture(params=sorted(PAGES))
def any_page(request, page):
    """Each page of the preview in turn."""
    return page(*PAGES[request.param])


def test_page_loads_nothing(any_page):
    """No script, image, frame or font; the style is inline and the icon a data: address."""
    assert not any_page.all("script, img, iframe, object, embed, video, audio, source, base")
    assert [link.attributes["href"][:5] for link in any_page.all("link")] == ["data:"]
    assert not re.search(r"url\(|@import|@font-face", any_page.text("style"))
    assert len(any_page.all("style")) == 1
    assert not any_page.all("use, [style], svg style, svg script, svg image")


def test_page_has_no_active_attributes_or_addresses(any_page):
    """No handlers, and links lead to http, https, fragments or paths only."""
    for node in any_page.all("*"):
        assert not [name for name in node.attributes if name.startswith("on")]
    for link in any_page.all("[href]:not(link), [action]"):
        address = link.attributes.get("href") or link.attributes["action"]
        assert re.match(r"https?://|[/#]", address)


def test_ids_are_unique_and_references_lead_somewhere(any_page):
    """Labels, descriptions and fragments find their element."""
    ids = [node.id for node in any_page.all("[id]")]
    wanted = {
        target
        for name in ("for", "aria-labelledby", "aria-describedby")
        for node in any_page.all(f"[{name}]")
        for target in node.attributes[name].split()
    }
    wanted |= {link.attributes["href"][1:] for link in any_page.all('a[href^="#"]')}

    assert len(ids) == len(set(ids))
    assert wanted <= set(ids)


def test_page_has_landmarks_one_heading_and_a_language(any_page):
    """What a screen reader steers by."""
    assert any_page.one("html").attributes["lang"] == "en"
    assert len(any_page.all("h1")) == 1
    assert len(any_page.all("main")) == 1
    assert any_page.one("nav[aria-label=Main]")
    assert any_page.one("a.skip").attributes["href"] == "#main"
    assert any_page.one("head > title").text().endswith("Drawbridge")


def test_tables_have_captions_and_scoped_headers(any_page):
    """Each cell can be read out with its headers."""
    for table in any_page.all("table"):
        assert table.css_first("caption").text(strip=True)
        assert {cell.attributes["scope"] for cell in table.css("thead th")} == {"col"}
        assert {cell.attributes["scope"] for cell in table.css("tbody th")} <= {"row"}


def test_fields_have_labels_and_buttons_a_text(any_page):
    """Nothing to type or press without a name."""
    for field in any_page.all("textarea, input:not([type=hidden]), select, progress"):
        assert any_page.one(f'label[for="{field.id}"]').text(strip=True)
    for button in any_page.all("button, a"):
        assert button.text(strip=True)


def test_hostile_text_is_shown_and_not_obeyed(page):
    """Titles, branches, authors, comments: data, wherever they come from."""
    hostile = page("release.html", release_page(data.hostile(), data.NOW))

    assert "<script>alert(1)</script>" in hostile.text()
    assert "{{ 7*7 }}" in hostile.text()
    assert not hostile.all("script, img, [onerror]")
    assert "javascript:" not in hostile.html
    assert "data:text" not in hostile.html


def test_hostile_message_is_escaped(page):
    """Errors repeat what somebody sent."""
    message = page("message.html", message_page(data.HOSTILE, data.HOSTILE, status=400))

    assert message.text("h1") == data.HOSTILE
    assert not message.all("img")


def test_policy_allows_exactly_our_style(page):
    """The hash in the header is that of the style on the page."""
    html = page(*PAGES["releases"]).html
    style = re.search("<style>(.*?)</style>", html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    assert f"style-src 'sha256-{digest}'" in render.CSP
    assert "unsafe" not in render.CSP
    assert "default-src 'none'" in render.HEADERS["Content-Security-Policy"]
    assert "script-src" not in render.CSP


def test_sign_in_leads_back_to_the_same_page(page):
    """The person comes back to what they wanted to see."""
    link = page("sign_in_needed.html", sign_in_page("/api/approvals/a~b?x=1&y=2")).one("a.button")

    assert link.attributes["href"] == (
        "/.auth/login/aad?post_login_redirect_uri=%2Fapi%2Fapprovals%2Fa~b%3Fx%3D1%26y%3D2"
    )


@pytest.mark.parametrize("path", ["https://evil.example/", "//evil.example", "/\\evil.example", "evil"])
def test_sign_in_never_leads_to_another_site(path):
    """An open redirect would lend our name to a stranger."""
    assert sign_in_page(path).sign_in_url.endswith("=%2Fapi%2Freleases")


def test_message_drops_unsafe_links(page):
    """Only addresses a browser may follow."""
    message = page("message.html", message_page("Done", links=(Link("a", "javascript:x"), Link("b", "/api/releases"))))

    assert [link.text() for link in message.all("main a")] == ["b"]


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://github.example/x", True),
        ("http://127.0.0.1:7071/x", True),
        ("/api/releases", True),
        ("javascript:alert(1)", False),
        ("JaVaScRiPt:alert(1)", False),
        (" javascript:alert(1)", False),
        ("java\nscript:alert(1)", False),
        ("data:text/html,x", False),
        ("//evil.example", False),
        ("/\\evil.example", False),
        ("/\t/evil.example", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_addresses_from_outside_are_checked(url, safe):
    """Browsers ignore tabs and newlines in addresses, so these are looked through too."""
    assert safe_url(url) == (url if safe else "")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min"), (200, "3 min 20 s"), (3599, "59 min"), (18720, "5 h 12 min")],
)
def test_durations_read_as_people_say_them(seconds, words):
    """Coarser as they grow."""
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.45, "0.450"), (-0.05, "\N{MINUS SIGN}0.050"), (12.345, "12.35"), (1234567.0, "1,234,567")],
)
def test_numbers_have_the_digits_that_matter(value, words):
    """Three decimals for scores, none for thousands."""
    assert number(value) == words


def test_colours_have_enough_contrast():
    """AA: 4.5 to 1 for text on every ground it stands on, in light and in dark."""
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#\w+)", block))
        for block in re.findall(r":root \{(.*?)\}", render.STYLE, re.DOTALL)[:2]
    )
    for scheme in (light, dark):
        pairs = [(text, ground) for text in ("ink", "soft", "link", "idle") for ground in ("ground", "paper")]
        pairs += [(tone, f"{tone}-bg") for tone in ("good", "bad", "warn", "live", "idle")]
        pairs += [("ink", f"{tone}-bg") for tone in ("good", "bad", "warn", "live")]
        pairs += [("link", f"{tone}-bg") for tone in ("good", "bad", "warn", "live")]
        pairs += [("on-good", "good"), ("on-bad", "bad"), ("paper", "live"), ("bad", "paper")]
        weak = {pair: round(contrast(*(scheme[name] for name in pair)), 2) for pair in pairs}

        assert {pair: ratio for pair, ratio in weak.items() if ratio < 4.5} == {}


def contrast(one, other):
    """Return the WCAG 2 contrast ratio of two colours."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = (int(digits[index : index + 2], 16) / 255 for index in (0, 2, 4))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_preview_writes_every_page_and_an_index(tmp_path):
    """`make preview` gives people all pages to look at."""
    written = main(tmp_path)

    assert written == len(PAGES)
    assert {file.stem for file in tmp_path.glob("*.html")} == {*PAGES, "index"}
