"""Image, deployment, probe and the way back: each repository's own web app, each release its own deployment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pytest

from activities.build_image import build_image
from activities.deploy_image import deploy_image
from activities.probe_deployment import probe
from activities.roll_back import roll_back
from adapters import connect
from domain.errors import Invalid, Unavailable
from domain.models import Deployment, Image, Probe
from tests import samples
from tests.activities.conftest import AT, World, run
from tests.fakes import audited

OLDER = Image("sha256:" + "cd" * 32, "images/cdcd")
APP = "acme.helpdesk-dev"
GROUNDS = {"instance": f"{samples.RELEASE}.deploy-dev", "by": "maria", "evidence": "e" * 64}


@dataclass
class FakeWebApp:
    """Web apps by name, that remember what ran where and what they were asked."""

    running: dict[str, Deployment] = field(default_factory=dict)
    asked: list[tuple[str, Sequence[dict[str, Any]], int]] = field(default_factory=list)
    trouble: Exception | None = None

    def deploy(self, app: str, image: Image, release: str) -> Deployment:
        if self.trouble:
            raise self.trouble
        before = self.running.get(app)
        self.running[app] = Deployment(
            app, release, image, "http://127.0.0.1:8081", AT, before.image if before else None
        )
        return self.running[app]

    def current(self, app: str) -> Deployment | None:
        return self.running.get(app)

    def roll_back(self, app: str, to: Image | None, release: str) -> Deployment | None:
        now = self.running[app]
        if now.release == release:
            del self.running[app]
            if to:
                self.running[app] = Deployment(app, release, to, now.url, AT, None)
        return self.running.get(app)

    def probe(self, app: str, rows: Sequence[dict[str, Any]], requests: int) -> Probe:
        self.asked.append((app, rows, requests))
        return Probe(True, requests, 0, (0.1,) * requests, "")


@pytest.fixture
def web_app(world: World, monkeypatch: pytest.MonkeyPatch) -> FakeWebApp:
    """A platform on which the release before runs in dev."""
    fake = FakeWebApp()
    fake.deploy(APP, OLDER, "release-before")
    monkeypatch.setattr(connect, "web_app", lambda _: fake)
    return fake


def deploy() -> dict[str, Any]:
    """Deploy the release's image to dev."""
    order = {"repository": "Acme/Helpdesk", "environment": "dev", "image": asdict(samples.IMAGE)}
    about = {"release": samples.RELEASE, "commit": samples.SHA, **GROUNDS}
    placed: dict[str, Any] = run(deploy_image, {**order, **about})
    return placed


def back(placed: dict[str, Any]) -> dict[str, Any]:
    """Undo a deployment."""
    order = {"repository": "acme/helpdesk", "release": samples.RELEASE, "deployment": placed["deployment"]}
    undone: dict[str, Any] = run(roll_back, {**order, "why": "2 of 3 requests failed", **GROUNDS})
    return undone


def test_deployment_goes_to_the_repositorys_own_web_app(web_app: FakeWebApp) -> None:
    """Its record speaks of the environment, not of the platform's name for it."""
    placed = deploy()["deployment"]

    assert web_app.running[APP].image == samples.IMAGE
    assert (placed["environment"], placed["previous"]) == ("dev", asdict(OLDER))


def test_word_and_evidence_that_a_release_goes_on_are_audited_before_it_does(world: World, web_app: FakeWebApp) -> None:
    """Once, however often the platform has to be asked, and also when nothing comes of it."""
    web_app.trouble = Invalid("the flow did not become healthy within 60 s")
    for _ in range(2):
        deploy()

    (trace,) = audited(world.blobs)
    assert (trace["what"], trace["who"], trace["subject"]) == ("promoted", "maria", samples.RELEASE)
    assert trace["evidence"] == "e" * 64
    assert trace["details"] == {"environment": "dev", "image": samples.IMAGE.digest, "commit": samples.SHA}


def test_image_that_does_not_run_is_an_answer(web_app: FakeWebApp) -> None:
    """The release ends with what to mend; a platform that is away is for the retry policy."""
    web_app.trouble = Invalid("the flow did not become healthy within 60 s")

    assert deploy() == {"error": "the flow did not become healthy within 60 s"}

    web_app.trouble = Unavailable("the platform is away")
    with pytest.raises(Unavailable):
        deploy()


def test_way_back_leads_to_the_image_before(web_app: FakeWebApp) -> None:
    """And says what runs now."""
    undone = back(deploy())

    assert web_app.running[APP].image == OLDER
    assert undone == {"image": asdict(OLDER), "replaced": False}


def test_way_back_that_the_app_takes_by_itself_is_audited_with_its_reason(world: World, web_app: FakeWebApp) -> None:
    """Once; asked again it leaves alone what runs now."""
    placed = deploy()
    for _ in range(2):
        back(placed)

    (trace,) = audited(world.blobs, "rolled-back")
    assert (trace["who"], trace["subject"], trace["evidence"]) == ("drawbridge", samples.RELEASE, "e" * 64)
    assert trace["details"]["why"] == "dev: 2 of 3 requests failed; rolled back to sha256:cdcdcdcdcdcd"


def test_first_deployment_is_taken_down(web_app: FakeWebApp) -> None:
    """There is nothing to go back to."""
    web_app.running.clear()

    assert back(deploy()) == {"image": None, "replaced": False}
    assert web_app.running == {}


def test_way_back_leaves_another_release_alone(web_app: FakeWebApp) -> None:
    """It was deployed meanwhile, and holds."""
    placed = deploy()
    web_app.deploy(APP, OLDER, "release-after")

    assert back(placed) == {"image": asdict(OLDER), "replaced": True}
    assert web_app.running[APP].release == "release-after"


def test_probe_asks_the_releases_own_deployment(web_app: FakeWebApp) -> None:
    """What another release answers shows nothing about this one."""
    deploy()

    own = probe(web_app, APP, samples.RELEASE, [{"question": "q"}], 5)
    other = probe(web_app, APP, "release-before", [{"question": "q"}], 5)

    assert (own.healthy, own.requests) == (True, 5)
    assert (other.healthy, other.requests) == (False, 0)
    assert "another release has been deployed there meanwhile" in other.detail
    assert len(web_app.asked) == 1


def test_image_that_cannot_be_built_is_an_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to mend; the commit, the target and the files decide what is built."""

    class Registry:
        def build(self, snapshot: str, target: dict[str, Any], commit: str) -> Image:
            if target["promptflow"] != "flows/chat":
                raise Invalid(f"{target['promptflow']} is not a flow")
            return samples.IMAGE

    monkeypatch.setattr(connect, "registry", lambda _: Registry())
    order = {"snapshot": "5" * 64, "commit": samples.SHA}

    assert run(build_image, {**order, "target": {"promptflow": "flows/chat"}}) == {"image": asdict(samples.IMAGE)}
    assert run(build_image, {**order, "target": {"promptflow": "x"}}) == {"error": "x is not a flow"}
