"""Pull requests, issues, their labels, comments and history."""

from __future__ import annotations

from urllib.parse import quote

from devhost.github import labels, people, pulls, threads
from devhost.github.shapes.base import Base, Json
from devhost.github.store import Record


class Threads(Base):
    """Shapes of pull requests and issues."""

    def label(self, repository: Record, label: Record) -> Json:
        """A label."""
        return {
            "id": label["id"],
            "node_id": f"LA_{label['id']}",
            "url": self.api(repository, f"/labels/{quote(label['name'], safe='')}"),
            "name": label["name"],
            "color": label["color"],
            "default": False,
            "description": label["description"],
        }

    def named_label(self, repository: Record, name: str) -> Json:
        """A label, by name; one that is gone as it was."""
        known = (one for one in labels.everything(self.double, repository) if one["name"] == name)
        gone = {"id": 0, "name": name, "color": labels.COLOUR, "description": None}
        return self.label(repository, next(known, gone))

    def association(self, repository: Record, login: str) -> str:
        """How somebody belongs to a repository."""
        role = people.role(self.double, repository, login)
        return "COLLABORATOR" if people.at_least(role, "triage") else "NONE"

    def pull(self, repository: Record, pull: Record, told: bool = False) -> Json:
        """A pull request in full; told by a webhook it does not say yet whether it can be merged."""
        difference = pulls.difference(self.double, repository, pull)
        unknown = (None, "unknown")
        mergeable, state = unknown if told else pulls.mergeable(self.double, repository, pull)
        return {
            **self.listed_pull(repository, pull),
            "merged": pull["merged_at"] is not None,
            "merged_by": self.maybe_user(pull["merged_by"]),
            "mergeable": mergeable,
            "mergeable_state": state,
            "rebaseable": mergeable,
            "comments": self._comments(pull),
            "review_comments": 0,
            "maintainer_can_modify": False,
            "commits": difference.commits,
            "additions": sum(file.additions for file in difference.files),
            "deletions": sum(file.deletions for file in difference.files),
            "changed_files": len(difference.files),
        }

    def listed_pull(self, repository: Record, pull: Record) -> Json:
        """A pull request as lists have it: without what only one request of its own tells."""
        page = self.page(repository, f"/pull/{pull['number']}")
        return {
            **self._thread(repository, pull),
            "id": pull["id"],
            "node_id": f"PR_{pull['id']}",
            "url": self.api(repository, f"/pulls/{pull['number']}"),
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "issue_url": self.api(repository, f"/issues/{pull['number']}"),
            **self._urls(repository, pull),
            "_links": self._links(repository, pull),
            "merged_at": pull["merged_at"],
            "merge_commit_sha": pull["merge_commit_sha"],
            "requested_reviewers": [self.user(login) for login in pull["reviewers"]],
            "requested_teams": [],
            "auto_merge": None,
            "draft": pull["draft"],
            "head": self._end(self.double.repository_with(pull["head_repository"]), pull["head"], pull["head_sha"]),
            "base": self._end(repository, pull["base"], pull["base_sha"]),
        }

    def _urls(self, repository: Record, pull: Record) -> Json:
        api = self.api(repository, f"/pulls/{pull['number']}")
        return {
            "commits_url": f"{api}/commits",
            "review_comments_url": f"{api}/comments",
            "review_comment_url": self.api(repository, "/pulls/comments{/number}"),
            "comments_url": self.api(repository, f"/issues/{pull['number']}/comments"),
            "statuses_url": self.api(repository, f"/statuses/{pull['head_sha']}"),
        }

    def _links(self, repository: Record, pull: Record) -> Json:
        links = {name.removesuffix("_url"): url for name, url in self._urls(repository, pull).items()}
        links["self"] = self.api(repository, f"/pulls/{pull['number']}")
        links["html"] = self.page(repository, f"/pull/{pull['number']}")
        links["issue"] = self.api(repository, f"/issues/{pull['number']}")
        return {name: {"href": url} for name, url in links.items()}

    def _end(self, repository: Record | None, branch: str, sha: str) -> Json:
        owner = repository["repository"].split("/")[0] if repository else "unknown"
        return {
            "label": f"{owner}:{branch}",
            "ref": branch,
            "sha": sha,
            "user": self.user(owner),
            "repo": self.repository(repository) if repository else None,
        }

    def review(self, repository: Record, review: Record) -> Json:
        """A review of a pull request."""
        pull = self.api(repository, f"/pulls/{review['number']}")
        page = self.page(repository, f"/pull/{review['number']}#pullrequestreview-{review['id']}")
        return {
            "id": review["id"],
            "node_id": f"PRR_{review['id']}",
            "user": self.user(review["author"]),
            "body": review["body"],
            "state": review["state"],
            "html_url": page,
            "pull_request_url": pull,
            "_links": {"html": {"href": page}, "pull_request": {"href": pull}},
            "submitted_at": review["submitted_at"],
            "commit_id": review["sha"],
            "author_association": self.association(repository, review["author"]),
        }

    def issue(self, repository: Record, thread: Record) -> Json:
        """An issue, or a pull request seen as one."""
        api = self.api(repository, f"/issues/{thread['number']}")
        shape = {
            **self._thread(repository, thread),
            "id": thread["id"],
            "node_id": f"I_{thread['id']}",
            "url": api,
            "repository_url": self.api(repository),
            "labels_url": f"{api}/labels{{/name}}",
            "comments_url": f"{api}/comments",
            "events_url": f"{api}/events",
            "timeline_url": f"{api}/timeline",
            "state_reason": thread.get("state_reason"),
            "comments": self._comments(thread),
            "reactions": self.reactions(api),
            "performed_via_github_app": None,
        }
        if not threads.is_pull(thread):
            return shape
        pull, page = self.api(repository, f"/pulls/{thread['number']}"), shape["html_url"]
        links = {"url": pull, "html_url": page, "diff_url": f"{page}.diff", "patch_url": f"{page}.patch"}
        return {**shape, "draft": thread["draft"], "pull_request": {**links, "merged_at": thread["merged_at"]}}

    def full_issue(self, repository: Record, thread: Record) -> Json:
        """One issue, with who closed it."""
        return {**self.issue(repository, thread), "closed_by": self.maybe_user(thread.get("closed_by"))}

    def _thread(self, repository: Record, thread: Record) -> Json:
        return {
            "number": thread["number"],
            "html_url": self.page(repository, _page_of(thread)),
            "state": thread["state"],
            "locked": False,
            "active_lock_reason": None,
            "title": thread["title"],
            "body": thread["body"],
            "user": self.user(thread["author"]),
            "author_association": self.association(repository, thread["author"]),
            "labels": [self.named_label(repository, name) for name in thread["labels"]],
            "milestone": None,
            "assignee": None,
            "assignees": [],
            "created_at": thread["created_at"],
            "updated_at": thread["updated_at"],
            "closed_at": thread["closed_at"],
        }

    def _comments(self, thread: Record) -> int:
        return len(self.double.store.all("comment", thread["repository"], number=thread["number"]))

    def event(self, repository: Record, event: Record) -> Json:
        """A line of a thread's history."""
        shape = {
            "id": event["id"],
            "node_id": f"E_{event['id']}",
            "url": self.api(repository, f"/issues/events/{event['id']}"),
            "actor": self.user(event["actor"]),
            "event": event["event"],
            "commit_id": event.get("commit_id"),
            "commit_url": None,
            "created_at": event["created_at"],
            "performed_via_github_app": None,
        }
        if "label" in event:
            shape["label"] = {"name": event["label"], "color": labels.COLOUR}
        return {**shape, "rename": event["rename"]} if "rename" in event else shape

    def comment(self, repository: Record, comment: Record) -> Json:
        """A comment on a pull request, issue or commit."""
        if "sha" in comment:
            path, place = f"/comments/{comment['id']}", f"/commit/{comment['sha']}#commitcomment-{comment['id']}"
            more: Json = {"commit_id": comment["sha"], "path": None, "position": None, "line": None}
        else:
            thread = threads.find(self.double, repository, comment["number"])
            path, place = f"/issues/comments/{comment['id']}", f"{_page_of(thread)}#issuecomment-{comment['id']}"
            issue = self.api(repository, f"/issues/{comment['number']}")
            more = {"issue_url": issue, "performed_via_github_app": None}
        url = self.api(repository, path)
        return {
            "id": comment["id"],
            "node_id": f"IC_{comment['id']}",
            "url": url,
            "html_url": self.page(repository, place),
            "body": comment["body"],
            "user": self.user(comment["author"]),
            "author_association": self.association(repository, comment["author"]),
            "created_at": comment["created_at"],
            "updated_at": comment["updated_at"],
            "reactions": self.reactions(url),
            **more,
        }

    def commented(self, repository: Record, comment: Record) -> Json:
        """A comment as a line of a timeline."""
        shape = self.comment(repository, comment)
        return {**shape, "event": "commented", "actor": shape["user"]}


def _page_of(thread: Record) -> str:
    return f"/{'pull' if threads.is_pull(thread) else 'issues'}/{thread['number']}"
