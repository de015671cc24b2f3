"""`make onboard` as a person runs it, against the GitHub double: every step once, and again without a change."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import replace
from types import SimpleNamespace

import pytest
from github import Auth, Github
from github.Requester import Requester

from devhost.github.apps import PERMISSIONS
from devhost.github.background import running
from devhost.github.client import Client
from devhost.github.rest import Access
from devhost.github.server import Options
from domain.config import read_config
from domain.onboarding_rights import EVENTS
from domain.opt_out import MARKER
from scripts import onboard
from tests.adapters.apps import APP, key_pair

TOKEN = "token-of-the-setup"
SITE = "https://drawbridge.contoso.example"
HOOK = f"{SITE}/api/github/webhook"
FLOW = """
inputs: {question: {type: string}}
outputs: {answer: {type: string, reference: "${answer.output}"}}
nodes: [{name: answer, type: llm, provider: OpenAI, connection: model}]
"""
ROWS = '{"question": "a", "answer": "b"}\n'
REPOSITORY = {"flows/chat/flow.dag.yaml": FLOW, "data/full.jsonl": ROWS * 30, "data/sample.jsonl": ROWS}
FILES = {"drawbridge.yaml", ".github/pull_request_template.md", "docs/drawbridge.md"}

_numbers = itertools.count()


@pytest.fixture(scope="module")
def double(tmp_path_factory):
    options = Options(tmp_path_factory.mktemp("github"), access=Access(token=TOKEN, login="drawbridge-ci"))
    with running(options) as origin:
        yield Client(origin)


@pytest.fixture
def world(double, monkeypatch, tmp_path, capsys):
    """A repository with a flow, the settings of a person, and what they see of it through the API."""
    monkeypatch.chdir(tmp_path)
    name = f"contoso/app{next(_numbers)}"
    double.create_repository(name, branches=("main", "develop"))
    double.push(name, "main", REPOSITORY)
    double.set_permission(name, "drawbridge-ci", "admin")
    settings = {
        "AzureWebJobsStorage": "UseDevelopmentStorage=true",
        "DRAWBRIDGE_REPOSITORIES": name,
        "DRAWBRIDGE_RELEASE_BRANCH": "main",
        "DRAWBRIDGE_PUBLIC_URL": SITE,
        "DRAWBRIDGE_WEBHOOK_SECRET": "s" * 40,
        "DRAWBRIDGE_LINK_SECRET": "l" * 40,
        "DRAWBRIDGE_GITHUB_URL": double.origin,
        "DRAWBRIDGE_GITHUB_TOKEN": TOKEN,
    }
    for variable, value in settings.items():
        monkeypatch.setenv(variable, value)
    place = Github(auth=Auth.Token(TOKEN), base_url=double.origin, retry=0).get_repo(name)

    def run(*arguments, repository=name):
        capsys.readouterr()
        status = onboard.main([repository, *arguments])
        said = capsys.readouterr()
        return SimpleNamespace(status=status, out=said.out, err=said.err)

    yield SimpleNamespace(double=double, name=name, place=place, run=run, setenv=monkeypatch.setenv)
    double.clear_faults()


def content(world, path, ref="drawbridge/onboarding"):
    return world.place.get_contents(path, ref).decoded_content.decode()


def changes(world):
    """What onboarding can leave behind, to compare before and after."""
    return (
        [(label.name, label.color) for label in world.place.get_labels()],
        [(pull.number, pull.state, pull.head.sha, pull.body) for pull in world.place.get_pulls(state="all")],
        [(hook.id, hook.config, hook.events, hook.updated_at) for hook in world.place.get_hooks()],
        world.double.repository(world.name)["heads"],
    )


def test_a_fresh_repository_gets_everything(world):
    """Labels, one pull request with three files, the webhook; and is told what is left."""
    told = world.run()

    assert told.status == 0, told.err
    assert {"skip-e2e-evaluation", "needs-a-person"} <= {label.name for label in world.place.get_labels()}
    (pull,) = world.place.get_pulls(state="open")
    assert (pull.head.ref, pull.base.ref) == ("drawbridge/onboarding", "main")
    assert {file.filename for file in pull.get_files()} == FILES
    assert read_config(content(world, "drawbridge.yaml")).target.promptflow == "flows/chat"
    assert read_config(content(world, "drawbridge.yaml")).environments[2].approvers == ["drawbridge-ci"]
    assert MARKER in content(world, ".github/pull_request_template.md")
    (hook,) = world.place.get_hooks()
    assert hook.config["url"] == HOOK
    assert set(hook.events) == {"push", "pull_request", "merge_group", "issue_comment", "check_run", "check_suite"}
    assert f"Look at every CHECK in {pull.html_url}, then merge it." in told.out
    assert "/settings/branches → require a pull request, require the status check drawbridge/change" in told.out
    assert "A merge queue may require it as well: docs/operations.md says what it needs." in told.out
    assert f"{world.name} is set up, 4 things changed." in told.out


def test_running_it_again_changes_nothing_and_says_so(world):
    """While the pull request is open, and after it was merged."""
    world.run()
    before = changes(world)
    again = world.run()
    open_state = changes(world)
    (pull,) = world.place.get_pulls(state="open")
    world.double.merge(world.name, pull.number, by="maria")
    merged = changes(world)
    after = world.run()

    assert before == open_state
    assert (again.status, f"{world.name} is set up, nothing changed." in again.out) == (0, True)
    assert merged == changes(world)
    assert (after.status, f"{world.name} is set up, nothing changed." in after.out) == (0, True)
    assert "drawbridge.yaml, the checklist and the guide are on main" in after.out


def test_a_pull_request_that_people_closed_is_not_opened_again(world):
    """What they want instead is up to them: to reopen it, or a new one once its branch is gone."""
    world.run()
    world.double.close(world.name, 1, by="maria")
    before = changes(world)
    closed = world.run()
    left = changes(world)
    world.double.reopen(world.name, 1, by="maria")
    reopened = world.run()
    world.double.close(world.name, 1, by="maria")
    world.double.delete_branch(world.name, "drawbridge/onboarding")
    anew = world.run()

    url = f"{world.double.origin}/{world.name}/pull"
    assert before == left
    assert (
        f"{url}/1 was closed without being merged, and no other is opened: reopen it, or delete the branch"
        in closed.out
    )
    assert (closed.status, "nothing changed" in closed.out) == (0, True)
    assert f"✓ pull request {url}/1 with" in reopened.out
    assert f"+ pull request {url}/2 with" in anew.out


@pytest.mark.parametrize("calls", range(8))
def test_a_run_that_was_cut_off_is_completed(world, monkeypatch, calls):
    """After any number of writes it is stopped; the next run does the rest, and nothing twice."""
    real, left = Requester.requestJson, {"writes": calls}

    def failing(self, verb, *arguments, **options):
        if verb != "GET":
            if left["writes"] == 0:
                raise KeyboardInterrupt
            left["writes"] -= 1
        return real(self, verb, *arguments, **options)

    monkeypatch.setattr(Requester, "requestJson", failing)
    with contextlib.suppress(KeyboardInterrupt):
        world.run()
    monkeypatch.setattr(Requester, "requestJson", real)
    told = world.run()
    (pull,) = world.place.get_pulls(state="open")

    assert told.status == 0, told.err
    assert {file.filename for file in pull.get_files()} == FILES
    assert pull.commits == 3
    assert [hook.config["url"] for hook in world.place.get_hooks()] == [HOOK]


def test_what_people_changed_on_the_branch_stays(world):
    """Their config and guide are not written over; a template that lost its checklist gets it back."""
    world.run()
    own = {
        "drawbridge.yaml": "version: 1 # ours",
        "docs/drawbridge.md": "ours",
        ".github/pull_request_template.md": "x",
    }
    world.double.push(world.name, "drawbridge/onboarding", own)
    world.run()

    assert content(world, "drawbridge.yaml") == "version: 1 # ours"
    assert content(world, "docs/drawbridge.md") == "ours"
    assert MARKER in content(world, ".github/pull_request_template.md")


def test_a_config_and_a_template_that_exist_are_kept(world):
    """The config decides the labels; the checklist is added behind the template's own words."""
    world.run()
    config = content(world, "drawbridge.yaml").replace("skip-e2e-evaluation", "skip-it")
    world.double.delete_branch(world.name, "drawbridge/onboarding")
    world.double.push(
        world.name, "main", {"drawbridge.yaml": config, "docs/Pull_Request_Template.md": "## Ours\r\n\r\nwords\r\n"}
    )
    told = world.run()
    (pull,) = world.place.get_pulls(state="open")

    assert told.status == 0, told.err
    assert {file.filename for file in pull.get_files()} == {"docs/Pull_Request_Template.md", "docs/drawbridge.md"}
    assert content(world, "docs/Pull_Request_Template.md").startswith("## Ours\r\n\r\nwords\n\n<!-- drawbridge:opt-out")
    assert "skip-it" in {label.name for label in world.place.get_labels()}


def test_a_config_with_problems_is_left_alone_and_named(world):
    """Its first problem stands in what is left to do."""
    world.double.push(world.name, "main", {"drawbridge.yaml": "version: 2\n"})
    told = world.run()

    assert told.status == 0, told.err
    assert "Mend drawbridge.yaml, which was left as it is: drawbridge.yaml:1: " in told.out


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"flows/chat/flow.dag.yaml": None}, "✗ no flow found: expected a directory with flow.dag.yaml"),
        ({"flows/chat/flow.dag.yaml": "inputs: ["}, "✗ flows/chat/flow.dag.yaml:1: this is not YAML"),
        ({"flows/b/flow.dag.yaml": FLOW}, "✗ several flows could be meant: flows/b, flows/chat; name one with FLOW="),
    ],
)
def test_what_cannot_be_guessed_stops_before_anything_is_changed(world, files, message):
    """No flow, a broken one, several."""
    world.double.push(world.name, "main", files)
    before = changes(world)
    told = world.run()

    assert told.status == 1
    assert message in told.err
    assert "Stopped there, nothing changed. Run it again when that is mended" in told.out
    assert changes(world) == before


def test_of_several_flows_one_can_be_named(world):
    """`make onboard FLOW=flows/b`."""
    world.double.push(world.name, "main", {"flows/b/flow.dag.yaml": FLOW})

    assert world.run("--flow", "flows/b").status == 0
    assert read_config(content(world, "drawbridge.yaml")).target.promptflow == "flows/b"


def test_a_branch_with_other_work_is_left_alone(world):
    """A branch of that name which somebody uses for something else is not built upon."""
    world.double.push(world.name, "drawbridge/onboarding", {"src/app.py": "pass"}, base="main")
    told = world.run()

    assert told.status == 1
    assert (
        f"✗ The branch drawbridge/onboarding of {world.name} has other work in it (src/app.py), and no open" in told.err
    )
    assert list(world.place.get_pulls(state="all")) == []


def test_a_branch_left_over_from_a_merge_is_moved_on(world):
    """Somebody deleted the guide after the merge and left the branch: a new pull request brings it back alone."""
    world.run()
    (first,) = world.place.get_pulls(state="open")
    world.double.merge(world.name, first.number, by="maria")
    world.double.push(world.name, "main", {"docs/drawbridge.md": None})
    told = world.run()
    (pull,) = world.place.get_pulls(state="open")

    assert told.status == 0, told.err
    assert [file.filename for file in pull.get_files()] == ["docs/drawbridge.md"]


def test_a_repository_that_is_not_there_is_named(world):
    """Also one of the same name in another organization, which is left alone."""
    told = world.run(repository=world.name.replace("contoso", "fabrikam"))
    odd = world.run(repository="helpdesk")

    assert told.status == 1
    assert (
        f"✗ There is no repository {world.name.replace('contoso', 'fabrikam')}, or our token may not see it" in told.err
    )
    assert "✗ 'helpdesk' is not a repository: write it as owner/name." in odd.err


def test_of_two_repositories_of_one_name_only_the_named_one_is_touched(world):
    """The same name in another organization, with a branch of the same name."""
    other = world.name.replace("contoso", "fabrikam")
    world.double.create_repository(other, branches=("main", "develop"))
    world.double.push(other, "drawbridge/onboarding", {"docs/drawbridge.md": "x"})
    world.double.open_pull_request(other, "drawbridge/onboarding", "theirs")
    heads = world.double.repository(other)["heads"]

    assert world.run().status == 0
    assert world.double.repository(other)["heads"] == heads
    assert len(list(world.place.get_pulls(state="open"))) == 1


def test_a_renamed_repository_is_told_its_new_name(world):
    """Deliveries will bear the new name, so the settings have to."""
    world.double.rename_repository(world.name, f"{world.name}-new")
    told = world.run()

    assert told.status == 1
    assert f"✗ {world.name} is called {world.name}-new now" in told.err


def test_a_missing_release_branch_is_told(world):
    """The default branch is named, since that is probably the one; what other repositories have stays as it is."""
    world.setenv("DRAWBRIDGE_RELEASE_BRANCH", "production")
    told = world.run()

    assert told.status == 1
    assert (
        f"✗ {world.name} has no branch production to release (its default is main): push it, or put "
        f"{world.name}=<branch> into DRAWBRIDGE_RELEASE_BRANCH." in told.err
    )


def test_a_role_that_is_too_low_is_named_before_anything_is_changed(world):
    """Write is enough without a webhook, with one it takes an administrator."""
    world.double.set_permission(world.name, "drawbridge-ci", "write")
    told = world.run()
    world.setenv("DRAWBRIDGE_GITHUB_EVENTS", "poll")
    polled = world.run()

    assert told.status == 1
    assert '✗ the token\'s owner lacks the role "Admin" in the repository, for registering the webhook' in told.err
    assert (polled.status, polled.err) == (0, "")
    assert "no webhook: the app asks GitHub by itself" in polled.out
    assert "(its protection cannot be read with these permissions)" in polled.out


def test_settings_that_do_not_know_the_repository_are_told(world):
    """The app would ignore every delivery."""
    world.setenv("DRAWBRIDGE_REPOSITORIES", "contoso/other")

    assert f"Add {world.name} to DRAWBRIDGE_REPOSITORIES: the app ignores everything else." in world.run().out


def test_missing_settings_are_told_as_the_app_tells_them(world, monkeypatch):
    """Nothing is asked of GitHub without them."""
    monkeypatch.delenv("DRAWBRIDGE_WEBHOOK_SECRET")
    told = world.run()

    assert told.status == 1
    assert "✗ DRAWBRIDGE_WEBHOOK_SECRET is not set: see local.settings.example.json" in told.err


@pytest.mark.parametrize(
    "other",
    [
        {"events": ["push"]},
        {"active": False},
        {"config": {"url": HOOK, "content_type": "form", "secret": "x"}},
        {"config": {"url": HOOK, "content_type": "json"}},
    ],
)
def test_a_webhook_that_differs_is_mended(world, other):
    """Other events, switched off, another content type, no secret: one webhook, as it should be."""
    config = {"url": HOOK, "content_type": "json", "secret": "x"}
    fields = {"config": config, "events": list(EVENTS), "active": True, **other}
    world.place.create_hook("web", **fields)
    world.place.create_hook("web", {"url": "https://other.example/hook", "content_type": "json"}, ["push"])
    told = world.run()
    again = world.run()

    assert f"+ webhook to {HOOK} updated" in told.out
    assert "nothing changed" in again.out
    ours, theirs = sorted(world.place.get_hooks(), key=lambda hook: SITE not in hook.config["url"])
    assert (ours.active, set(ours.events), ours.config["content_type"]) == (True, set(EVENTS), "json")
    assert theirs.events == ["push"]


def test_protection_that_is_there_is_acknowledged(world):
    """Both branches require the check: nothing is left to do about them."""
    for branch in ("main", "develop"):
        world.double.protect(world.name, branch, checks=["drawbridge/change"])
    told = world.run()

    assert "✓ branch main requires drawbridge/change" in told.out
    assert "Protect" not in told.out


def test_a_secret_that_our_app_refused_is_sent_again(world):
    """GitHub hides secrets; that it has an old one shows in the 401 of the last delivery."""
    world.double.lose_webhooks(100, status=401)
    world.run()
    refused = world.run()
    world.double.lose_webhooks(100, status=202)
    world.double.push(world.name, "main", {"a.txt": "a"})
    accepted = world.run()
    world.double.lose_webhooks(0)

    assert f"+ webhook to {HOOK} updated" in refused.out
    assert f"✓ webhook to {HOOK}\n" in accepted.out


def test_a_rule_protects_as_well(world):
    """Rulesets require checks without any branch protection."""
    world.double.protect(world.name, "main", checks=["drawbridge/change"], reviews=1, by_rules=True)
    world.double.protect(world.name, "develop", reviews=1, by_rules=True)
    told = world.run()

    assert "✓ branch main requires drawbridge/change" in told.out
    assert "Protect develop: " in told.out


def test_a_token_without_the_scope_is_told(world, tmp_path):
    """A classic token tells its scopes; what is missing is named with where to grant it."""
    options = Options(tmp_path / "other", access=Access(token=TOKEN, scopes=("read:org",)))
    with running(options) as origin:
        Client(origin).create_repository(world.name, branches=("main", "develop"))
        world.setenv("DRAWBRIDGE_GITHUB_URL", origin)
        told = world.run()

    assert told.status == 1
    assert '✗ the token lacks the scope "repo", for everything in the repository: grant it at http' in told.err
    assert "/settings/tokens" in told.err


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """A GitHub where the App is known, and its key."""
    key, public = key_pair()
    options = Options(tmp_path_factory.mktemp("github"), access=Access(app_id=APP, app_public_key=public))
    with running(options) as origin:
        yield SimpleNamespace(double=Client(origin), key=key, options=options)


@pytest.fixture
def app_world(app, world, monkeypatch):
    """The same repository there, with the App's settings."""
    app.double.create_repository(world.name, branches=("main", "develop"))
    app.double.push(world.name, "main", REPOSITORY)
    app.double.set_app_permissions(**PERMISSIONS)
    monkeypatch.delenv("DRAWBRIDGE_GITHUB_TOKEN")
    monkeypatch.setenv("DRAWBRIDGE_GITHUB_URL", app.double.origin)
    monkeypatch.setenv("DRAWBRIDGE_GITHUB_APP_ID", APP)
    monkeypatch.setenv("DRAWBRIDGE_GITHUB_APP_KEY", app.key)
    return SimpleNamespace(double=app.double, name=world.name, run=world.run)


def test_the_app_sets_a_repository_up(app_world):
    """With all it may do; again, nothing changes."""
    told = app_world.run()
    again = app_world.run()

    assert told.status == 0, told.err
    assert "4 things changed" in told.out
    assert "nothing changed" in again.out
    assert app_world.double.pull(app_world.name, 1)["user"]["login"] == "drawbridge[bot]"


def test_each_permission_the_app_lacks_is_named_with_where_to_grant_it(app_world):
    """Two at once, before anything is changed."""
    few = {name: level for name, level in PERMISSIONS.items() if name not in ("deployments", "repository_hooks")}
    app_world.double.set_app_permissions(**few)
    told = app_world.run()

    assert told.status == 1
    assert [line.partition(":")[0] for line in told.err.splitlines()] == [
        '✗ the App lacks the permission "Deployments',
        '✗ the App lacks the permission "Webhooks',
    ]
    assert "/settings/apps/drawbridge/permissions" in told.err
    assert set(app_world.double.repository(app_world.name)["heads"]) == {"main", "develop"}


def test_an_app_that_is_not_installed_is_told_where_to_install_it(app_world):
    """A repository that GitHub does not show to the App."""
    told = app_world.run(repository="contoso/elsewhere")
    odd = app_world.run(repository="helpdesk")

    assert told.status == 1
    assert "✗ 'helpdesk' is not a repository: write it as owner/name." in odd.err
    assert "contoso/elsewhere" in told.err
    assert "/apps/drawbridge/installations/new" in told.err


def test_no_webhook_is_registered_where_the_apps_own_leads_here(app, app_world, tmp_path, monkeypatch):
    """It needs no permission for webhooks then; events it does not subscribe to are left to do."""
    with running(replace(app.options, root=tmp_path / "leads-here", webhook=HOOK)) as origin:
        double = Client(origin)
        double.create_repository(app_world.name, branches=("main", "develop"))
        double.push(app_world.name, "main", REPOSITORY)
        double.set_app_permissions(**{**PERMISSIONS, "repository_hooks": "read"})
        monkeypatch.setenv("DRAWBRIDGE_GITHUB_URL", origin)
        told = app_world.run()

    assert told.status == 0, told.err
    assert "✓ no webhook: the App's own leads to the app" in told.out
    assert "3 things changed" in told.out
