"""What is left on commits: statuses, deployments, check runs, workflow runs."""

from __future__ import annotations

from devhost.github import apps, checks, pulls
from devhost.github.shapes.base import EPOCH, Base, Json, number_of
from devhost.github.store import Record

_WORST = ("failure", "timed_out", "cancelled", "action_required", "stale", "success", "neutral")


class Marks(Base):
    """Shapes of what apps say about commits."""

    def status(self, repository: Record, status: Record) -> Json:
        """A commit status."""
        return {**self.simple_status(repository, status), "creator": self.user(status["creator"])}

    def simple_status(self, repository: Record, status: Record) -> Json:
        """A commit status without who set it."""
        return {
            "id": status["id"],
            "node_id": f"SC_{status['id']}",
            "url": self.api(repository, f"/statuses/{status['sha']}"),
            "avatar_url": self.user(status["creator"])["avatar_url"],
            "state": status["state"],
            "context": status["context"],
            "description": status["description"],
            "target_url": status["target_url"],
            "created_at": status["created_at"],
            "updated_at": status["created_at"],
        }

    def deployment(self, repository: Record, deployment: Record) -> Json:
        """A deployment."""
        url = self.api(repository, f"/deployments/{deployment['id']}")
        return {
            "id": deployment["id"],
            "node_id": f"DE_{deployment['id']}",
            "url": url,
            "statuses_url": f"{url}/statuses",
            "repository_url": self.api(repository),
            "sha": deployment["sha"],
            "ref": deployment["ref"],
            "task": deployment["task"],
            "payload": deployment["payload"],
            "original_environment": deployment["environment"],
            "environment": deployment["environment"],
            "description": deployment["description"],
            "creator": self.user(deployment["creator"]),
            "created_at": deployment["created_at"],
            "updated_at": deployment["updated_at"],
            "transient_environment": False,
            "production_environment": deployment["environment"] == "production",
        }

    def deployment_status(self, repository: Record, status: Record) -> Json:
        """How a deployment goes."""
        deployment = self.api(repository, f"/deployments/{status['deployment']}")
        return {
            "id": status["id"],
            "node_id": f"DES_{status['id']}",
            "url": f"{deployment}/statuses/{status['id']}",
            "deployment_url": deployment,
            "repository_url": self.api(repository),
            "state": status["state"],
            "description": status["description"],
            "environment": status["environment"],
            "environment_url": status["environment_url"],
            "log_url": status["log_url"],
            "target_url": status["log_url"],
            "creator": self.user(status["creator"]),
            "created_at": status["created_at"],
            "updated_at": status["created_at"],
        }

    def app_named(self, slug: str) -> Json:
        """A GitHub App, ours or another's, by its slug."""
        ours = slug == self.our_app[0]
        return self.app(slug, self.our_app[1] if ours else number_of(slug), apps.permissions(self.double))

    def check_run(self, repository: Record, run: Record) -> Json:
        """A check run."""
        url = self.api(repository, f"/check-runs/{run['id']}")
        output = {name: run["output"].get(name) for name in ("title", "summary", "text")}
        page = self.page(repository, f"/runs/{run['id']}")
        return {
            "id": run["id"],
            "node_id": f"CR_{run['id']}",
            "head_sha": run["sha"],
            "external_id": run["external_id"],
            "url": url,
            "html_url": page,
            "details_url": run["details_url"] or page,
            "status": run["status"],
            "conclusion": run["conclusion"],
            "started_at": run["started_at"],
            "completed_at": run["completed_at"],
            "output": {
                **output,
                "annotations_count": len(run["annotations"]),
                "annotations_url": f"{url}/annotations",
            },
            "name": run["name"],
            "check_suite": self._suite(repository, checks.suite_of(self.double, run)),
            "app": self.app_named(run["app"]),
            "pull_requests": self._pulls_at(repository, run["sha"]),
        }

    def annotation(self, repository: Record, run: Record, annotation: Json) -> Json:
        """A line a check run says something about."""
        names = ("start_column", "end_column", "title", "raw_details")
        blob = self.page(repository, f"/blob/{run['sha']}/{annotation['path']}")
        return {**dict.fromkeys(names), **annotation, "blob_href": blob}

    def check_suite(self, repository: Record, suite: Record) -> Json:
        """All runs of an App on a commit."""
        commit = self.double.git(repository).commit(suite["sha"])
        runs = self._runs(suite)
        shape = self._suite(repository, suite)
        people = {"author": commit.author, "committer": commit.committer}
        return {
            **shape,
            "node_id": f"CS_{suite['id']}",
            "repository": self.bare_repository(repository),
            "head_commit": {
                "id": commit.sha,
                "tree_id": commit.tree,
                "message": commit.message,
                "timestamp": commit.committer.date,
                **{name: {"name": one.name, "email": one.email} for name, one in people.items()},
            },
            "latest_check_runs_count": len(runs),
            "check_runs_url": f"{shape['url']}/check-runs",
        }

    def _suite(self, repository: Record, suite: Record) -> Json:
        runs = self._runs(suite)
        done = all(run["status"] == "completed" for run in runs)
        # A suite of skipped runs is neutral; a suite has no conclusion `skipped` in what GitHub publishes.
        conclusions = {"neutral" if run["conclusion"] == "skipped" else run["conclusion"] for run in runs}
        waiting = all(run["status"] == "queued" for run in runs)
        return {
            "id": suite["id"],
            "node_id": f"CS_{suite['id']}",
            "head_branch": suite["branch"],
            "head_sha": suite["sha"],
            "status": "completed" if done else "queued" if waiting else "in_progress",
            "conclusion": next((one for one in _WORST if one in conclusions), None) if done else None,
            "url": self.api(repository, f"/check-suites/{suite['id']}"),
            "before": None,
            "after": suite["sha"],
            "pull_requests": self._pulls_at(repository, suite["sha"]),
            "app": self.app_named(suite["app"]),
            "created_at": suite["created_at"],
            "updated_at": max((run["completed_at"] or run["started_at"] for run in runs), default=suite["created_at"]),
        }

    def _runs(self, suite: Record) -> list[Record]:
        return [
            run
            for run in checks.of_commit(self.double, suite["repository"], suite["sha"])
            if run["suite"] == suite["id"]
        ]

    def _pulls_at(self, repository: Record, sha: str) -> list[Json]:
        """Name the open pull requests of a commit; GitHub leaves out those from forks."""
        here = [pull for pull in pulls.everything(self.double, repository) if pull["state"] == "open"]
        ours = [pull for pull in here if (pull["head_sha"], pull["head_repository"]) == (sha, repository["id"])]
        named = self.named(repository)
        return [
            {
                "id": pull["id"],
                "number": pull["number"],
                "url": self.api(repository, f"/pulls/{pull['number']}"),
                "head": {"ref": pull["head"], "sha": pull["head_sha"], "repo": named},
                "base": {"ref": pull["base"], "sha": pull["base_sha"], "repo": named},
            }
            for pull in ours
        ]

    def workflow(self, repository: Record, run: Record) -> Json:
        """The workflow behind a run."""
        number, path = number_of(run["name"]), f".github/workflows/{run['name']}.yml"
        return {
            "id": number,
            "node_id": f"W_{number}",
            "name": run["name"],
            "path": path,
            "state": "active",
            "created_at": EPOCH,
            "updated_at": EPOCH,
            "url": self.api(repository, f"/actions/workflows/{number}"),
            "html_url": self.page(repository, f"/blob/{repository['default_branch']}/{path}"),
            "badge_url": self.page(repository, f"/workflows/{run['name']}/badge.svg"),
        }

    def workflow_run(self, repository: Record, run: Record) -> Json:
        """A run of GitHub Actions."""
        url = self.api(repository, f"/actions/runs/{run['id']}")
        commit = self.double.git(repository).commit(run["sha"])
        signed = {"author": commit.author, "committer": commit.committer}
        workflow = self.workflow(repository, run)
        return {
            "id": run["id"],
            "node_id": f"WFR_{run['id']}",
            "name": run["name"],
            "path": workflow["path"],
            "display_title": commit.message.partition("\n")[0],
            "run_number": 1,
            "run_attempt": 1,
            "event": "push",
            "status": "completed" if run["conclusion"] else "in_progress",
            "conclusion": run["conclusion"],
            "workflow_id": workflow["id"],
            "workflow_url": workflow["url"],
            "head_branch": run["branch"],
            "head_sha": run["sha"],
            "head_commit": {
                "id": commit.sha,
                "tree_id": commit.tree,
                "message": commit.message,
                "timestamp": commit.committer.date,
                **{name: {"name": one.name, "email": one.email} for name, one in signed.items()},
            },
            "head_repository": self.bare_repository(repository),
            "repository": self.bare_repository(repository),
            "pull_requests": self._pulls_at(repository, run["sha"]),
            "check_suite_id": run["suite"],
            "check_suite_node_id": f"CS_{run['suite']}",
            "check_suite_url": self.api(repository, f"/check-suites/{run['suite']}"),
            "actor": self.user(run["actor"]),
            "triggering_actor": self.user(run["actor"]),
            "created_at": run["created_at"],
            "updated_at": run["updated_at"],
            "run_started_at": run["created_at"],
            "previous_attempt_url": None,
            "url": url,
            "html_url": self.page(repository, f"/actions/runs/{run['id']}"),
            **{f"{what}_url": f"{url}/{what}" for what in ("artifacts", "jobs", "logs", "cancel", "rerun")},
        }
