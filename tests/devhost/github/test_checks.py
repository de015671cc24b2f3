"""Check runs, statuses and workflow runs, and what GitHub tells about them."""

from __future__ import annotations

import pytest

from devhost.github.client import DoubleError
from tests.devhost.github.world import payloads, said

OUTPUT = {"title": "Evaluated", "summary": "all **good**"}
BUTTON = {"label": "Evaluate in full", "description": "run the full evaluation", "identifier": "evaluate-full"}


def line(number):
    return {"path": "a.py", "start_line": number, "end_line": number, "annotation_level": "notice", "message": "m"}


def create(app, **fields):
    return app.api("POST", "/check-runs", json={"name": "evaluate", "head_sha": app.head, **fields}).json()


def test_app_makes_and_ends_a_check_run(app, inbox):
    """A run goes from queued to its conclusion; creation and end are told, with the App and the suite."""
    run = create(app, external_id="release-1", details_url="https://d.example/1")
    ended = app.api("PATCH", f"/check-runs/{run['id']}", json={"conclusion": "success", "output": OUTPUT}).json()

    assert (run["status"], run["conclusion"], run["app"]["slug"]) == ("queued", None, "drawbridge")
    assert (ended["status"], ended["conclusion"], ended["output"]["summary"]) == (
        "completed",
        "success",
        "all **good**",
    )
    assert (ended["external_id"], ended["details_url"]) == ("release-1", "https://d.example/1")
    assert payloads(inbox, "check_run", "created")[0]["check_run"]["id"] == run["id"]
    told = payloads(inbox, "check_run", "completed")[0]
    assert told["check_run"]["check_suite"]["conclusion"] == "success"
    assert (told["sender"]["login"], told["installation"]["id"]) == ("drawbridge[bot]", 1)


def test_end_of_a_run_is_told_once(app, inbox):
    """What is added to a run that is over is no second end; starting it again is."""
    run = create(app, conclusion="failure")
    app.api("PATCH", f"/check-runs/{run['id']}", json={"output": OUTPUT})
    app.api("PATCH", f"/check-runs/{run['id']}", json={"status": "in_progress"})
    again = app.api("GET", f"/check-runs/{run['id']}").json()
    app.api("PATCH", f"/check-runs/{run['id']}", json={"conclusion": "success"})
    app.double.report_status(app.repository, app.head, "last", "success")
    payloads(inbox, "status")

    assert (again["status"], again["conclusion"], again["completed_at"]) == ("in_progress", None, None)
    ends = payloads(inbox, "check_run", "completed")
    assert [one["check_run"]["conclusion"] for one in ends] == ["failure", "success"]


def test_tokens_of_people_may_read_but_not_write_checks(app):
    """Checks are for Apps."""
    run = create(app)
    refused = app.person("POST", "/check-runs", json={"name": "x", "head_sha": app.head})

    assert said(refused) == (403, "Resource not accessible by personal access token")
    assert said(app.person("PATCH", f"/check-runs/{run['id']}", json={"status": "in_progress"}))[0] == 403
    assert app.person("GET", f"/check-runs/{run['id']}").json()["name"] == "evaluate"


def test_app_without_the_permission_is_refused(app):
    """What the installation was not granted is refused in GitHub's words, with what it would take."""
    app.double.set_app_permissions(checks="read", metadata="read")
    refused = app.api("POST", "/check-runs", json={"name": "x", "head_sha": app.head})

    assert said(refused) == (403, "Resource not accessible by integration")
    assert refused.headers["X-Accepted-GitHub-Permissions"] == "checks=write"


def test_runs_of_another_app_are_left_alone(app):
    """Only the App that made a run changes it."""
    theirs = app.double.report_check(app.repository, app.head, "unit tests", None)

    assert said(app.api("PATCH", f"/check-runs/{theirs['id']}", json={"conclusion": "success"}))[0] == 403


def test_runs_are_listed_latest_of_each_name_or_all(app):
    """A second run of a name hides the first, unless all are asked for; name, App and status narrow the list."""
    first, second = create(app), create(app)
    other = app.double.report_check(app.repository, app.head, "unit tests", "failure")

    def listed(**query):
        answer = app.api("GET", f"/commits/{app.head}/check-runs", params=query).json()
        assert answer["total_count"] == len(answer["check_runs"])
        return [run["id"] for run in answer["check_runs"]]

    assert listed() == [other["id"], second["id"]]
    assert listed(filter="all", check_name="evaluate") == [second["id"], first["id"]]
    assert listed(status="completed") == [other["id"]]
    assert listed(app_id=other["app"]["id"]) == [other["id"]]


def test_annotations_add_up(app):
    """Each update adds to what is there; a page of them is read like any list."""
    run = create(app, output={**OUTPUT, "annotations": [line(1)]})
    more = {**OUTPUT, "annotations": [line(number) for number in range(2, 40)]}
    grown = app.api("PATCH", f"/check-runs/{run['id']}", json={"output": more}).json()

    assert grown["output"]["annotations_count"] == 39
    listed = app.api("GET", f"/check-runs/{run['id']}/annotations", params={"page": 2})
    assert [one["start_line"] for one in listed.json()] == list(range(31, 40))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"output": {**OUTPUT, "summary": "x" * 65_536}}, "Only 65535 characters are allowed; 65536 were supplied."),
        ({"output": {**OUTPUT, "text": "x" * 65_536}}, "Only 65535 characters are allowed; 65536 were supplied."),
        ({"output": {**OUTPUT, "annotations": [line(1)] * 51}}, "No more than 50 items are allowed; 51 were supplied."),
        (
            {"output": {**OUTPUT, "annotations": [{**line(1), "message": "é" * 32_769}]}},
            "Only 65536 bytes are allowed; 65538 were supplied.",
        ),
        ({"output": {"summary": "x"}}, '"title" wasn\'t supplied.'),
        ({"actions": [BUTTON] * 4}, "No more than 3 items are allowed; 4 were supplied."),
        ({"actions": [{**BUTTON, "label": "x" * 21}]}, "Only 20 characters are allowed; 21 were supplied."),
        ({"status": "completed"}, '"conclusion" wasn\'t supplied.'),
        ({"conclusion": "splendid"}, "splendid is not a possible value"),
    ],
)
def test_what_goes_over_githubs_limits_is_refused(app, fields, words):
    """Summary, text, annotations and buttons have limits; a conclusion is one of GitHub's."""
    status, message = said(app.api("POST", "/check-runs", json={"name": "x", "head_sha": app.head, **fields}))

    assert status == 422
    assert words in message


def test_everything_at_its_limit_is_taken(app):
    """One character and one annotation less than refused."""
    most = {"title": "t", "summary": "x" * 65_535, "text": "y" * 65_535, "annotations": [line(1)] * 50}

    assert create(app, output=most, actions=[BUTTON] * 3)["output"]["annotations_count"] == 50


def test_buttons_are_told_to_the_app(app, inbox):
    """Re-run and an App's own button arrive with the run and who pressed."""
    run = create(app, conclusion="failure", actions=[BUTTON])
    app.double.rerequest(app.repository, run["id"], by="maria")
    app.double.press(app.repository, run["id"], "evaluate-full", by="sam")

    again = payloads(inbox, "check_run", "rerequested")[0]
    assert (again["check_run"]["id"], again["sender"]["login"]) == (run["id"], "maria")
    pressed = payloads(inbox, "check_run", "requested_action")[0]
    assert (pressed["requested_action"]["identifier"], pressed["sender"]["login"]) == ("evaluate-full", "sam")


def test_running_all_checks_again_is_told_of_their_suite(app, inbox):
    """Once for all runs of the App on the commit, and only when all are over."""
    create(app, conclusion="failure")
    going = create(app, name="deploy")
    (suite,) = app.api("GET", f"/commits/{app.head}/check-suites").json()["check_suites"]
    with pytest.raises(DoubleError, match="not complete"):
        app.double.rerequest_all(app.repository, suite["id"], by="maria")
    app.api("PATCH", f"/check-runs/{going['id']}", json={"conclusion": "success"})
    app.double.rerequest_all(app.repository, suite["id"], by="maria")

    again = payloads(inbox, "check_suite", "rerequested")[0]
    assert (again["check_suite"]["id"], again["sender"]["login"]) == (suite["id"], "maria")
    assert (again["check_suite"]["head_sha"], again["check_suite"]["latest_check_runs_count"]) == (app.head, 2)


def test_only_buttons_that_are_there_can_be_pressed(app):
    """A run that goes on has no Re-run, and no run a button its App did not make."""
    run = create(app)

    with pytest.raises(DoubleError, match="not complete"):
        app.double.rerequest(app.repository, run["id"], by="maria")
    with pytest.raises(DoubleError, match="has no button 'evaluate-full'"):
        app.double.press(app.repository, run["id"], "evaluate-full", by="maria")


def test_other_apps_and_workflows_are_told(double, repository, inbox, head):
    """The repository's own checks start and end, statuses are set, workflows end: each is a webhook."""
    double.report_check(repository, head, "unit tests", None)
    double.report_check(repository, head, "unit tests", "success")
    double.report_status(repository, head, "jenkins", "failure", "3 failed")
    double.report_workflow(repository, head, "ci", "success")

    ended = payloads(inbox, "check_run", "completed")[0]["check_run"]
    assert (ended["name"], ended["conclusion"], ended["app"]["slug"]) == ("unit tests", "success", "ci")
    status = payloads(inbox, "status")[0]
    assert (status["context"], status["state"], status["commit"]["sha"]) == ("jenkins", "failure", head)
    assert [branch["name"] for branch in status["branches"]] == ["develop", "main"]
    run = payloads(inbox, "workflow_run", "completed")[0]["workflow_run"]
    assert (run["name"], run["conclusion"], run["head_sha"]) == ("ci", "success", head)


def test_suites_and_workflow_runs_can_be_read(double, repository, api, head):
    """A suite sums up its App's runs; workflow runs are listed by commit."""
    double.report_check(repository, head, "one", "success")
    double.report_check(repository, head, "two", "failure")
    double.report_workflow(repository, head, "ci", "success")

    (suite, _) = api("GET", f"/commits/{head}/check-suites").json()["check_suites"]
    assert (suite["conclusion"], suite["latest_check_runs_count"], suite["head_branch"]) == ("failure", 2, "develop")
    assert api("GET", f"/check-suites/{suite['id']}").json()["app"]["slug"] == "ci"
    (run,) = api("GET", "/actions/runs", params={"head_sha": head}).json()["workflow_runs"]
    assert run["conclusion"] == "success"


def test_check_names_the_change_it_is_about(app):
    """A run on the head of an open pull request knows its number."""
    tip = app.double.push(app.repository, "alex/1-x", {"a": "a"})
    app.double.open_pull_request(app.repository, "alex/1-x", "X")

    assert [pull["number"] for pull in create(app, head_sha=tip)["pull_requests"]] == [1]
