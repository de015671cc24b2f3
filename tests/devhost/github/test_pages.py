"""What people see of the double, and do with its forms."""

from __future__ import annotations

import pytest
import requests
from selectolax.lexbor import LexborHTMLParser as HTMLParser

from tests.devhost.github.world import payloads


@pytest.fixture
def browser(double):
    """A browser with cookies, on the double's pages."""

    class Browser(requests.Session):
        def see(self, path):
            reply = self.get(double.origin + path, timeout=10)
            return HTMLParser(reply.text)

        def submit(self, path, **fields):
            return self.post(double.origin + path, data=fields, timeout=10)

    with Browser() as session:
        yield session


@pytest.fixture
def pull(double, repository):
    """An open pull request's path."""
    double.push(repository, "alex/1-answer", {"a.txt": "a"}, "Answer better", author="alex")
    double.open_pull_request(repository, "alex/1-answer", "Answer <b>better</b>", "It *is* better", "alex", ["docs"])
    return f"/{repository}/pull/1"


def text(page):
    return " ".join(page.body.text().split())


def test_every_page_says_what_it_is(double, repository, pull, browser):
    """Nobody takes the double for GitHub."""
    sha = double.repository(repository)["heads"]["main"]
    for path in ("/", "/deliveries", f"/{repository}", pull, f"/{repository}/commit/{sha}", "/no/such"):
        page = browser.see(path)

        assert page.css_first("header strong").text() == "GitHub double"
        assert page.css_first("title").text().endswith("GitHub double")
        assert page.css("script, img, link") == []


def test_home_lists_repositories(repository, browser):
    """The first page leads to each repository."""
    assert f"/{repository}" in [link.attributes["href"] for link in browser.see("/").css("main a")]


def test_repository_page_has_branches_pulls_and_commits(double, repository, pull, browser):
    """One page shows what is there and how to clone it."""
    page = browser.see(f"/{repository}")

    assert double.repository(repository)["clone_path"] in text(page)
    assert "#1 Answer <b>better</b>" in text(page)
    assert "Start the repository" in text(page)
    assert [option.text() for option in page.css("select[name=head] option")] == ["alex/1-answer", "develop"]


def test_pull_request_is_opened_from_the_form(double, repository, browser):
    """The form opens a pull request as whoever one says to be, and remembers that."""
    double.push(repository, "sam/2-tone", {"a.txt": "a"})
    form = {"head": "sam/2-tone", "base": "main", "title": "Softer", "body": "one\r\ntwo", "as": "sam"}
    reply = browser.submit(f"/{repository}/pulls", **form)

    assert reply.url.endswith("/pull/1")
    opened = double.pull(repository, 1)
    assert (opened["title"], opened["body"], opened["user"]["login"]) == ("Softer", "one\ntwo", "sam")
    assert next(field.attributes["value"] for field in HTMLParser(reply.text).css("input[name=as]")) == "sam"


def test_pull_page_escapes_title_and_renders_comments_safely(double, repository, pull, browser):
    """Markdown is rendered as on GitHub; markup that could act, load or hide is not."""
    double.comment(
        repository,
        1,
        "<!-- drawbridge:release -->\n**bold** <script>alert(1)</script> <img src=http://x/y onerror=alert(1)>\n\n"
        "| f1 | f2 |\n|---|---|\n| 0.5 | 0.6 |\n\n[bad](javascript:alert(1)) [good](https://example.com)\n\n"
        "<details><summary>rows</summary>seven</details>",
        by="eve",
    )
    page = browser.see(pull)

    article = page.css("article")[-1]
    assert page.css_first("h1").text().startswith("Answer <b>better</b>")
    assert article.css_first("strong:not(header strong)").text() == "bold"
    assert article.css_first("td").text() == "0.5"
    assert article.css_first("details summary").text() == "rows"
    assert page.css("script, img") == []
    assert [link.attributes.get("href") for link in article.css("a")] == ["https://example.com"]
    assert "drawbridge:release" not in page.html


def test_labels_are_put_on_and_taken_off(double, repository, pull, browser):
    """The buttons change labels, and the history says who did."""
    browser.submit(f"{pull}/label", label="skip-e2e-evaluation", **{"as": "alex"})
    page = HTMLParser(browser.submit(f"{pull}/unlabel", label="docs", **{"as": "sam"}).text)

    assert [label.text() for label in page.css(".label")] == ["skip-e2e-evaluation"]
    assert "alex labeled skip-e2e-evaluation" in text(page)
    assert "sam unlabeled docs" in text(page)


def test_merge_button_merges(double, repository, pull, browser):
    """The button makes a real merge on the base branch."""
    page = HTMLParser(browser.submit(f"{pull}/merge", method="merge", **{"as": "maria"}).text)

    merged = double.pull(repository, 1)
    assert merged["merge_commit_sha"] == double.repository(repository)["heads"]["main"]
    assert "Merged by maria" in text(page)
    assert page.css('form[action$="/merge"]') == []


def test_merge_conflict_is_told(double, repository, pull, browser):
    """A pull request git cannot merge stays open, and the page says why."""
    double.push(repository, "main", {"a.txt": "something else"})
    reply = browser.submit(f"{pull}/merge", **{"as": "maria"})

    assert reply.status_code == 405
    assert "Pull Request is not mergeable" in reply.text
    assert double.pull(repository, 1)["state"] == "open"


def test_statuses_and_deployments_are_shown(double, repository, pull, browser):
    """What apps leave on a commit is on its pull request's page, with links."""
    sha = double.pull(repository, 1)["head"]["sha"]
    api = f"{double.origin}/repos/{repository}"
    status = {"state": "success", "context": "drawbridge/validate", "description": "3 of 3", "target_url": "http://x/r"}
    browser.post(f"{api}/statuses/{sha}", json={**status, "state": "pending"}, timeout=10)
    browser.post(f"{api}/statuses/{sha}", json=status, timeout=10)
    made = browser.post(f"{api}/deployments", json={"ref": sha, "environment": "dev"}, timeout=10).json()
    going = {"state": "in_progress", "environment_url": "javascript:alert(1)", "log_url": "http://x/log"}
    browser.post(f"{api}/deployments/{made['id']}/statuses", json=going, timeout=10)
    page = browser.see(pull)

    assert "success drawbridge/validate 3 of 3" in text(page)
    assert "pending drawbridge/validate" not in text(page)
    assert "in progress dev" in text(page)
    links = [link.attributes["href"] for link in page.css("main a")]
    assert "http://x/r" in links
    assert "http://x/log" in links
    assert "javascript:alert(1)" not in links


def test_nobody_acts_without_saying_who(repository, pull, browser):
    """A form without a name is refused with what to do."""
    reply = browser.submit(f"{pull}/label", label="x")

    assert reply.status_code == 422
    assert "Say who you are" in reply.text


def test_forms_of_other_sites_are_refused(double, repository, pull, browser):
    """A page elsewhere cannot make a browser merge here."""
    reply = browser.post(
        f"{double.origin}{pull}/merge", data={"as": "eve"}, headers={"Origin": "https://evil.example"}, timeout=10
    )

    assert reply.status_code == 403
    assert double.pull(repository, 1)["state"] == "open"


def test_deliveries_page_shows_answers_and_sends_again(double, repository, inbox, browser):
    """The log says what came back, and a button delivers again."""
    newest = double.deliveries()[-1]
    page = browser.see("/deliveries")
    browser.submit(f"/deliveries/{newest['id']}")

    assert "202 OK" in text(page)
    assert double.deliveries()[-1]["redelivery"] is True
    assert double.deliveries()[-1]["guid"] == newest["guid"]


def test_checks_are_shown_with_their_buttons(app, inbox):
    """Summary, annotations and an App's buttons stand on the change and the commit; pressing one is told."""
    button = {"label": "Evaluate in full", "description": "all rows", "identifier": "evaluate-full"}
    line = {"path": "a.py", "start_line": 3, "end_line": 3, "annotation_level": "warning", "message": "too long"}
    output = {"title": "7 rows worse", "summary": "**f1** fell", "annotations": [line]}
    tip = app.double.push(app.repository, "alex/1-x", {"a.py": "a"})
    app.double.open_pull_request(app.repository, "alex/1-x", "X")
    fields = {"name": "evaluate", "head_sha": tip, "conclusion": "failure", "output": output, "actions": [button]}
    run = app.api("POST", "/check-runs", json=fields).json()
    here = f"{app.double.origin}/{app.repository}"
    page = HTMLParser(requests.get(f"{here}/pull/1", timeout=10).text)
    form = {"identifier": "evaluate-full", "as": "maria"}
    pressed = requests.post(f"{here}/checks/{run['id']}/press", data=form, timeout=10)

    check = page.css_first("details")
    assert "failure evaluate 7 rows worse drawbridge" in " ".join(check.css_first("summary").text().split())
    assert check.css_first("strong:not(summary strong)").text() == "f1"
    assert "a.py:3 warning: too long" in check.text()
    assert [one.text() for one in check.css("button")] == ["Re-run", "Evaluate in full"]
    assert pressed.url == f"{here}/commit/{tip}"
    assert payloads(inbox, "check_run", "requested_action")[0]["sender"]["login"] == "maria"


def test_draft_is_shown_and_made_ready(double, repository, browser):
    """A draft says so until somebody marks it ready."""
    double.push(repository, "alex/1-x", {"a": "a"})
    double.open_pull_request(repository, "alex/1-x", "X", draft=True)
    before = browser.see(f"/{repository}/pull/1").css_first(".state").text()
    page = HTMLParser(browser.submit(f"/{repository}/pull/1/ready", **{"as": "alex"}).text)

    assert (before, page.css_first(".state").text()) == ("draft", "open")
    assert page.css('form[action$="/ready"]') == []


def test_issues_have_a_page(double, repository, browser):
    """The repository's page leads to them; a change's number leads to the change."""
    double.open_issue(repository, "Worse <b>again</b>", "f1 *fell*", author="drawbridge-ci", labels=["nightly"])
    double.comment(repository, 1, "still", by="sam")
    path = next(
        link.attributes["href"] for link in browser.see(f"/{repository}").css("main a") if "Worse" in link.text()
    )
    page = browser.see(path)

    assert path == f"/{repository}/issues/1"
    assert page.css_first("h1").text().startswith("Worse <b>again</b>")
    assert [one.css_first("header strong").text() for one in page.css("article")] == ["drawbridge-ci", "sam"]
    double.push(repository, "alex/2-x", {"a": "a"})
    double.open_pull_request(repository, "alex/2-x", "X")
    assert browser.get(f"{double.origin}/{repository}/issues/2", timeout=10).url.endswith("/pull/2")
