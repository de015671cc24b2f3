"""Makes a GitHub repository ready for Drawbridge: `make onboard REPO=owner/name`. Running it again changes nothing."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field

from adapters.github_onboarding import Onboarding, Place, Wanted
from domain import messages_onboarding as words
from domain import onboarding
from domain.changes import CONTEXT
from domain.config import Config, Merge, OptOutRule, read_config
from domain.errors import DrawbridgeError, Invalid
from domain.flow_files import Files
from domain.onboarding import BRANCH, CONFIG
from domain.onboarding_rights import EVENTS, missing, wishes
from domain.opt_out import MARKER
from scripts.local_settings import environment
from settings import Settings

OPT_OUT_COLOR, PERSON_COLOR = "fbca04", "d93f0b"


@dataclass
class Told:
    """What was said so far: one line a step, and what is left for a person."""

    changed: int = 0
    left: list[str] = field(default_factory=list)

    def step(self, text: str, changed: bool = False) -> None:
        self.changed += changed
        print(f"{'+' if changed else '✓'} {text}", flush=True)

    def leave(self, text: str) -> None:
        self.left.append(text)


def main(arguments: list[str] | None = None) -> int:
    """Do every step that is not done yet. Returns the exit status: 1 when it had to stop."""
    parser = argparse.ArgumentParser(prog="make onboard", description=__doc__)
    parser.add_argument("repository", metavar="owner/name")
    parser.add_argument("--flow", default="", help="directory of the flow to release, when there are several")
    options = parser.parse_args(arguments)
    told = Told()
    try:
        settings = Settings.from_env(environment())
        sign_in = (settings.github_token, settings.github_app_id, settings.github_app_key)
        onboard(Onboarding(settings.github_url, *sign_in), settings, options.repository, options.flow, told)
    except DrawbridgeError as error:
        for line in str(error).splitlines():
            print(f"✗ {line}", file=sys.stderr)
        print(f"Stopped there, {_count(told)}. Run it again when that is mended: it goes on where it stopped.")
        return 1
    print(f"{options.repository} is set up, {_count(told)}.")
    for number, text in enumerate(told.left, 1):
        print(f"{'Left for you:' if number == 1 else '             '} {number}. {text}")
    return 0


def onboard(github: Onboarding, settings: Settings, repository: str, flow: str, told: Told) -> None:
    """Take every step, in an order in which each can rely on the ones before. Raises DrawbridgeError."""
    place = github.place(repository, settings.branches(repository))
    told.step(f"repository {place.url}")
    _check_settings(settings, place, told)
    hook = _hook_url(github, settings)
    _check_rights(github, place, hook is not None, told)
    files = github.files(place.name, place.heads[settings.release_branch.of(repository)])
    config = _config(files, told)
    pull = _plan(github, settings, place, files, config, flow)
    _labels(github, place, config, told)
    _pull(github, settings, place, *pull, told)
    _hook(github, settings, place, hook, told)
    _protection(github, settings, place, told)


def _check_settings(settings: Settings, place: Place, told: Told) -> None:
    main, develop = settings.branches(place.name)
    if main not in place.heads:
        raise Invalid(
            f"{place.name} has no branch {main} to release (its default is {place.default_branch}): "
            f"push it, or put {place.name}=<branch> into DRAWBRIDGE_RELEASE_BRANCH."
        )
    if develop not in place.heads:
        told.leave(f"Push a branch {develop}, where changes are integrated, or set another name.")
    if place.name.lower() not in {name.lower() for name in settings.repositories}:
        told.leave(f"Add {place.name} to DRAWBRIDGE_REPOSITORIES: the app ignores everything else.")


def _hook_url(github: Onboarding, settings: Settings) -> str | None:
    """Return where a webhook has to lead, None when none is needed."""
    url = f"{settings.public_url}/api/github/webhook"
    return None if settings.github_events == "poll" or github.app_delivers(url) else url


def _check_rights(github: Onboarding, place: Place, hooks: bool, told: Told) -> None:
    rights = github.rights(place.name)
    lacking = missing(rights, hooks)
    if lacking:
        raise Invalid("\n".join(lacking))
    told.step("permissions" + ("" if rights.kind != "fine-grained" else ", as far as GitHub tells them"))
    for wish in wishes(rights):
        told.leave(f"If you like: {wish}.")
    if rights.kind == "app" and not hooks:
        lost = sorted(set(EVENTS) - set(rights.events))
        if lost:
            told.leave(f"Subscribe the App to the events {', '.join(lost)} ({rights.grant_at}).")


def _config(files: Files, told: Told) -> Config | None:
    """Read the config that the repository has; None when it has none, or one with problems."""
    text = files.texts.get(CONFIG)
    if text is None:
        return None
    try:
        return read_config(text)
    except Invalid as error:
        told.leave(f"Mend {CONFIG}, which was left as it is: {str(error).splitlines()[0]}")
        return None


def _plan(
    github: Onboarding, settings: Settings, place: Place, files: Files, config: Config | None, flow: str
) -> tuple[list[Wanted], str]:
    """Word the files that are missing on the release branch, and the pull request that brings them."""
    main, develop = settings.branches(place.name)
    rule = config.opt_out if config else OptOutRule()
    wanted, guess = [], None
    if CONFIG not in files.paths:
        text = github.text(place.name, CONFIG, BRANCH)
        if text is None:
            guess = onboarding.guess(files, flow)
            rule = OptOutRule(forbidden_paths=[words.forbidden(guess)])
            text = words.config_text(guess, onboarding.approvers(files, place.person), develop, main, rule.label)
        wanted.append(Wanted(CONFIG, text))
    path = onboarding.template_path(files.paths)
    existing = github.text(place.name, path, main) if path in files.paths else None
    template = words.template_text(existing, words.opt_out_section(rule.label, main, rule.forbidden_paths))
    if template is not None:
        wanted.append(Wanted(path, template, MARKER))
    if words.GUIDE not in files.paths:
        wanted.append(Wanted(words.GUIDE, words.guide_text(settings.public_url, rule.label, develop, main)))
    return wanted, words.pull_body(guess, settings.public_url)


def _labels(github: Onboarding, place: Place, config: Config | None, told: Told) -> None:
    rule, merge = (config.opt_out, config.merge) if config else (OptOutRule(), Merge())
    for label, color, meaning in (
        (rule.label, OPT_OUT_COLOR, "Skip the full evaluation; it is owed before production"),
        (merge.needs_person, PERSON_COLOR, "Drawbridge stopped here: somebody has to look"),
    ):
        created = github.ensure_label(place.name, label, color, meaning)
        told.step(f"label {label}", created)


def _pull(github: Onboarding, settings: Settings, place: Place, wanted: list[Wanted], body: str, told: Told) -> None:
    main = settings.release_branch.of(place.name)
    if not wanted:
        told.step(f"{CONFIG}, the checklist and the guide are on {main}")
        return
    closed = github.turned_down(place.name, main)
    if closed:
        told.leave(
            f"{closed} was closed without being merged, and no other is opened: reopen it, or delete the branch "
            f"{BRANCH} and run this again for a new one."
        )
        return
    url, changed = github.ensure_pull(place.name, main, wanted, words.TITLE, body)
    told.step(f"pull request {url} with {', '.join(file.path for file in wanted)}", changed)
    told.leave(f"Look at every CHECK in {url}, then merge it.")


def _hook(github: Onboarding, settings: Settings, place: Place, url: str | None, told: Told) -> None:
    if url is None:
        polled = settings.github_events == "poll"
        told.step("no webhook: " + ("the app asks GitHub by itself" if polled else "the App's own leads to the app"))
        return
    done = github.ensure_hook(place.name, url, settings.webhook_secret, EVENTS)
    told.step(f"webhook to {url}{f' {done}' if done else ''}", bool(done))


def _protection(github: Onboarding, settings: Settings, place: Place, told: Told) -> None:
    for branch in dict.fromkeys(reversed(settings.branches(place.name))):
        if branch not in place.heads:
            continue
        required = github.required_checks(place.name, branch)
        if required is not None and CONTEXT in required:
            told.step(f"branch {branch} requires {CONTEXT}")
        else:
            unseen = " (its protection cannot be read with these permissions)" if required is None else ""
            told.leave(
                f"Protect {branch}{unseen}: {place.url}/settings/branches → require a pull request, require the status "
                f"check {CONTEXT}, and let nobody bypass it. A merge queue may require it as well: docs/operations.md "
                "says what it needs."
            )


def _count(told: Told) -> str:
    return f"{told.changed} things changed" if told.changed else "nothing changed"


if __name__ == "__main__":
    sys.exit(main())
