"""Where everything lies in the container. Other people read these blobs, so the names are a contract."""

from __future__ import annotations

import hashlib
import re
from datetime import date
from urllib.parse import quote

RELEASES = "index/releases.json"  # the head of the list of releases
AUDIT = "audit/"
AUDIT_HEAD = "audit/head.json"  # where the newest record of the audit log stands; the log itself decides
AUDIT_KEYS = "audit/keys/"


def is_id(text: str) -> bool:
    """Say whether a text from outside can be the id of a release or an evaluation; nothing else may become a name."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,250}", text) is not None


def snapshot(sha256: str) -> str:
    """Name a snapshot's archive."""
    return f"snapshots/{sha256}.tar.gz"


def claim(instance: str) -> str:
    """Name the blob whose creation lets exactly one caller start an instance."""
    return f"claims/{instance}"


def starting(instance: str) -> str:
    """Name the note that an instance may be claimed and not started yet."""
    return f"starting/{instance}"


def untold(release: str = "") -> str:
    """Name the note that a release may be over without anybody having been told."""
    return f"untold/{release}"


def record(release: str) -> str:
    """Name a release's record."""
    return f"releases/{release}/record.json"


def releases_part(generation: str, number: int) -> str:
    """Name a sealed part of the list of releases."""
    return f"{releases_parts(generation)}{number}.json"


def releases_parts(generation: str = "") -> str:
    """Name the prefix of the sealed parts that belong to one head of the list, or of all there are."""
    return f"index/releases/{generation}/" if generation else "index/releases/"


def validation_plan(release: str) -> str:
    """Name the plan of a release's validation."""
    return f"releases/{release}/validation.json"


def validation_results(release: str) -> str:
    """Name what each step of a release's validation printed."""
    return f"releases/{release}/validation.jsonl"


def evidence(release: str, environment: str, number: int = 1) -> str:
    """Name the evidence that approvers of an environment see in a round; earlier rounds stay readable."""
    return f"releases/{release}/evidence/{environment}{_round(number)}.json"


def questions(release: str) -> str:
    """Name the prefix of all questions about a release, and of the votes on them."""
    return f"releases/{release}/approvals/"


def approval_request(release: str, environment: str) -> str:
    """Name the question to the approvers of an environment, as its newest round asks it."""
    return f"releases/{release}/approvals/{environment}/request.json"


def votes(release: str, environment: str, number: int) -> str:
    """Name the prefix of the votes of a round."""
    return f"releases/{release}/approvals/{environment}/{number}/"


def vote(release: str, environment: str, number: int, principal: str) -> str:
    """Name the one vote that a person has in a round. `principal` is the name the person signs in with."""
    who = hashlib.sha256(principal.casefold().encode()).hexdigest()[:16]
    return f"{votes(release, environment, number)}{who}.json"


def approval_outcome(release: str, environment: str, number: int = 1) -> str:
    """Name what the votes of a round came to: once it is there, nobody can vote any more."""
    return f"releases/{release}/approvals/{environment}/outcome{_round(number)}.json"


def debt(repository: str, sha: str) -> str:
    """Name the evaluation debt of a commit."""
    return f"{debts(repository)}{sha}.json"


def debts(repository: str = "") -> str:
    """Name the prefix of all debts of a repository, or of all repositories."""
    return f"debts/{_flat(repository)}/" if repository else "debts/"


def unpaid(debt: str) -> str:
    """Name the note that a debt, named by its blob, is owed still; or the prefix of many notes."""
    return f"unpaid/{debt}"


def on_branch(repository: str) -> str:
    """Name the prefix of the notes on released commits: where they are on the branch, and which were evaluated."""
    return f"branch/{_flat(repository)}/"


def released(repository: str, position: int, sha: str) -> str:
    """Name the note that a commit has a release, and its position on the branch; 0 before that is known."""
    return f"{on_branch(repository)}{position:020}.{sha}.released"


def evaluated(repository: str, position: int, sha: str) -> str:
    """Name the note that the full evaluation of a released commit passed."""
    return f"{on_branch(repository)}{position:020}.{sha}.evaluated"


def waived(repository: str, position: int, sha: str) -> str:
    """Name the note that approvers waived the full evaluation of a released commit."""
    return f"{on_branch(repository)}{position:020}.{sha}.waived"


def lane(repository: str, environment: str) -> str:
    """Name who deploys to an environment, who waits, what runs there, and whether promotion is held."""
    return f"{lanes(repository)}{environment}.json"


def lanes(repository: str = "") -> str:
    """Name the prefix of all lanes of a repository, or of all repositories."""
    return f"lanes/{_flat(repository)}/" if repository else "lanes/"


def red(repository: str, sha: str = "", number: int | str = "") -> str:
    """Name the note that a change may have failed at a head for required checks alone, or the prefix of many."""
    return "/".join(str(part) for part in ("red", _flat(repository), sha, number) if part) + ("" if number else "/")


def change(repository: str, key: int | str) -> str:
    """Name what is known about a pull request, by its number, or about a merge queue's group, by its head."""
    return f"changes/{_flat(repository)}/{key}.json"


def deployed(release: str, environment: str) -> str:
    """Name how a release was deployed to an environment: what a rollback to it does again."""
    return f"releases/{release}/deployed/{environment}.json"


def looks_for_change(release: str) -> str:
    """Name how often GitHub was asked for the change that a release's commit seems to come with."""
    return f"releases/{release}/looks-for-change.json"


def barred(release: str) -> str:
    """Name the mark that a release gets into no lane any more."""
    return f"releases/{release}/barred.json"


def beginning(release: str) -> str:
    """Name where the changes of a release begin."""
    return f"releases/{release}/beginning.json"


def carrier(repository: str, number: int) -> str:
    """Name which release carries a merged change."""
    return f"changes/{_flat(repository)}/{number}.release.json"


def opt_outs(release: str) -> str:
    """Name how the opt-out label stands on each change of a release, and what the policy says to it."""
    return f"releases/{release}/opt_outs.json"


def line(repository: str) -> str:
    """Name the newest commit of a release branch that has a position."""
    return f"lines/{_flat(repository)}.json"


def audit_file(day: date, part: int = 1) -> str:
    """Name the file of the audit log that a day's records go to; a long day has further parts."""
    return f"{AUDIT}{day:%Y/%m/%d}{f'.{part}' if part > 1 else ''}.jsonl"


def audit_key(key: str) -> str:
    """Name where the log ended before a key was recorded."""
    return f"{AUDIT_KEYS}{hashlib.sha256(key.encode('utf-8', 'backslashreplace')).hexdigest()}.json"


def _round(number: int) -> str:
    return f".{number}" if number > 1 else ""


# What the reconciler remembers beside the repositories; their names have a dot, these have none.
SEEN_PASS = "seen/pass.json"  # noqa: S105 - nothing secret
SEEN_DELIVERIES = "seen/deliveries.json"


def seen(repository: str) -> str:
    """Name what a repository looked like when the reconciler last looked."""
    return f"seen/{_flat(repository)}.json"


def plan(evaluation: str) -> str:
    """Name everything an evaluation's result depends on."""
    return f"evaluations/{evaluation}/plan.json"


def cancelled(plan_blob: str) -> str:
    """Name the mark that stops a plan's jobs."""
    return f"{plan_blob}.cancelled"


def evaluations_of(source: str, repository: str, sha: str) -> str:
    """Name the prefix of the evaluations of a commit that are no part of a release, see git_flow.evaluation_id."""
    return f"evaluations/{source}-{_flat(repository)}-{sha}-"


def evaluation_record(evaluation: str) -> str:
    """Name how an evaluation that is no part of a release stands, also while it runs."""
    return f"evaluations/{evaluation}/record.json"


def shard(evaluation: str, number: int) -> str:
    """Name the result rows of one shard."""
    return f"evaluations/{evaluation}/shards/{number}.jsonl"


def shards(evaluation: str) -> str:
    """Name the prefix of all result rows of an evaluation."""
    return f"evaluations/{evaluation}/shards/"


def summary(evaluation: str) -> str:
    """Name what an evaluation came to."""
    return f"evaluations/{evaluation}/summary.json"


def asked(repository: str, sha: str, kind: str) -> str:
    """Name how often an evaluation of a commit was asked for, and so which one is the newest."""
    return f"schedules/{_flat(repository)}/asked/{sha}.{kind}.json"


def night_started(repository: str) -> str:
    """Name which date's nightly run was started last."""
    return f"schedules/{_flat(repository)}/started.json"


def nightly(repository: str) -> str:
    """Name the newest finished night: what the next one compares with."""
    return f"schedules/{_flat(repository)}/nightly.json"


def night(repository: str, date: str) -> str:
    """Name the nightly run of a date."""
    return f"{nights(repository)}{date}.json"


def nights(repository: str) -> str:
    """Name the prefix of all nightly runs of a repository."""
    return f"schedules/{_flat(repository)}/nights/"


def baseline(repository: str, dataset: str) -> str:
    """Name the evaluation that production last passed on a dataset."""
    return f"baselines/{_flat(repository)}/{quote(dataset, safe='')}.json"


def _flat(repository: str) -> str:
    return repository.lower().replace("/", ".")
