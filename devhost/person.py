"""A person with a browser: signs in, opens pages, reads forms and sends them. For the demo and the tests."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import requests
from selectolax.lexbor import LexborHTMLParser as HTMLParser

SECONDS = 60.0


class PageProblem(Exception):
    """A page did not have what a person needed; the message says which page and what it showed."""


@dataclass(frozen=True)
class Form:
    """A form as a browser would send it, without its buttons."""

    action: str
    fields: dict[str, str]


class Person:
    """One person's browser, with its own cookies. `origin` is the app's address."""

    def __init__(self, login: str, origin: str) -> None:
        self.login = login
        self.origin = origin.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy of the network does not know our loopback

    def sign_in(self) -> None:
        """Sign in at the development sign-in. Raises PageProblem when the person is not known there."""
        page = self._session.post(
            f"{self.origin}/.auth/login",
            data={"login": self.login},
            headers={"Origin": self.origin},
            timeout=SECONDS,
            allow_redirects=False,
        )
        if page.status_code != 303:
            raise PageProblem(f"{self.login} could not sign in: {page.status_code} {page.text[:200]}")

    def open(self, url: str) -> requests.Response:
        """Open a page, given whole or from the app's root."""
        return self._session.get(urljoin(f"{self.origin}/", url), timeout=SECONDS)

    def read_form(self, url: str) -> Form:
        """Open a page and read its form. Raises PageProblem, with the page's heading, when there is none."""
        page = self.open(url)
        tree = HTMLParser(page.text)
        form = tree.css_first("main form") or tree.css_first("form")
        if form is None:
            raise PageProblem(
                f"no form for {self.login} at {urlsplit(url).path}: {page.status_code} {heading(page.text)}"
            )
        fields = {
            str(field.attributes["name"]): str(field.attributes.get("value") or "")
            for field in form.css("input[name], textarea[name]")
            if field.attributes.get("type") != "checkbox" or "checked" in field.attributes
        }
        return Form(urljoin(page.url, str(form.attributes.get("action") or page.url)), fields)

    def send(self, form: Form, **fields: str) -> requests.Response:
        """Send a form with a button pressed and fields filled in, from the page it stands on."""
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(form.action))
        headers = {"Origin": origin, "Sec-Fetch-Site": "same-origin", "Referer": form.action}
        return self._session.post(form.action, data={**form.fields, **fields}, headers=headers, timeout=SECONDS)

    def call(self, path: str, fields: dict[str, str]) -> requests.Response:
        """Send JSON, as a script with the person's sign-in does."""
        return self._session.post(urljoin(f"{self.origin}/", path), json=fields, timeout=SECONDS)

    def vote(self, link: str, decision: str, comment: str = "") -> str:
        """Open an approval link, decide, and return what the page then says. Raises PageProblem when it is refused."""
        answer = self.send(self.read_form(link), decision=decision, comment=comment)
        if not answer.ok:
            raise PageProblem(f"the vote of {self.login} was refused: {answer.status_code} {heading(answer.text)}")
        return heading(answer.text)


def approval_link(comment: str, person: str, environment: str) -> str | None:
    """Find a person's approval link in a pull request's comment, as its reader would."""
    pattern = rf"@{re.escape(person)}: \[[^\]]*\]\((\S+~{re.escape(environment)}~\S+)\)"
    found = re.search(pattern, comment)
    return found[1] if found else None


def heading(html: str) -> str:
    """Return a page's main heading, or the beginning of its text."""
    tree = HTMLParser(html)
    node = tree.css_first("h1") or tree.body
    return " ".join(node.text().split())[:200] if node else html[:200]
