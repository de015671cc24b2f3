"""Links, people, apps, repositories: what every other shape is made with."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import quote

from devhost.github.double import Double
from devhost.github.store import Record

Json = dict[str, Any]

INSTALLATION = 1
EPOCH = "2024-01-01T00:00:00Z"  # since when accounts and apps exist here
NONE: Json = {"+1": 0, "-1": 0, "laugh": 0, "hooray": 0, "confused": 0, "heart": 0, "rocket": 0, "eyes": 0}

_USER = {
    "followers": "followers",
    "following": "following{/other_user}",
    "gists": "gists{/gist_id}",
    "starred": "starred{/owner}{/repo}",
    "subscriptions": "subscriptions",
    "organizations": "orgs",
    "repos": "repos",
    "events": "events{/privacy}",
    "received_events": "received_events",
}
_REPOSITORY = {
    "archive": "{archive_format}{/ref}",
    "assignees": "assignees{/user}",
    "blobs": "git/blobs{/sha}",
    "branches": "branches{/branch}",
    "collaborators": "collaborators{/collaborator}",
    "comments": "comments{/number}",
    "commits": "commits{/sha}",
    "compare": "compare/{base}...{head}",
    "contents": "contents/{+path}",
    "contributors": "contributors",
    "deployments": "deployments",
    "downloads": "downloads",
    "events": "events",
    "forks": "forks",
    "git_commits": "git/commits{/sha}",
    "git_refs": "git/refs{/sha}",
    "git_tags": "git/tags{/sha}",
    "hooks": "hooks",
    "issue_comment": "issues/comments{/number}",
    "issue_events": "issues/events{/number}",
    "issues": "issues{/number}",
    "keys": "keys{/key_id}",
    "labels": "labels{/name}",
    "languages": "languages",
    "merges": "merges",
    "milestones": "milestones{/number}",
    "notifications": "notifications{?since,all,participating}",
    "pulls": "pulls{/number}",
    "releases": "releases{/id}",
    "stargazers": "stargazers",
    "statuses": "statuses/{sha}",
    "subscribers": "subscribers",
    "subscription": "subscription",
    "tags": "tags",
    "teams": "teams",
    "trees": "git/trees{/sha}",
}
_COUNTS = ("forks_count", "forks", "stargazers_count", "watchers_count", "watchers", "open_issues_count", "open_issues")


def number_of(text: str) -> int:
    """A lasting number for something that only has a name here."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:4], "big")


class Base:
    """Shapes of what `double` keeps, with links below `origin`, where it listens."""

    def __init__(self, double: Double, our_app: tuple[str, int] = ("", 0)) -> None:
        self.double = double
        self.our_app = our_app  # slug and id
        self.origin = ""

    def api(self, repository: Record, path: str = "") -> str:
        """Where the API has a repository's thing."""
        return f"{self.origin}/repos/{repository['repository']}{path}"

    def page(self, repository: Record, path: str = "") -> str:
        """Where people see a repository's thing."""
        return f"{self.origin}/{repository['repository']}{path}"

    def user(self, login: str) -> Json:
        """A person or an app, by login."""
        number, name = number_of(login), quote(login, safe="[]")
        api = f"{self.origin}/users/{name}"
        return {
            "login": login,
            "id": number,
            "node_id": f"U_{number}",
            "avatar_url": f"{self.origin}/avatars/{number}",
            "gravatar_id": "",
            "url": api,
            "html_url": f"{self.origin}/{name}",
            **{f"{what}_url": f"{api}/{path}" for what, path in _USER.items()},
            "type": "Bot" if login.endswith("[bot]") else "User",
            "site_admin": False,
        }

    def maybe_user(self, login: str | None) -> Json | None:
        """A person, or nobody."""
        return None if login is None else self.user(login)

    def app(self, slug: str, number: int, permissions: Json) -> Json:
        """A GitHub App."""
        return {
            "id": number,
            "slug": slug,
            "node_id": f"A_{number}",
            "owner": self.user("octo-org"),
            "name": slug,
            "description": None,
            "external_url": f"{self.origin}/apps/{slug}",
            "html_url": f"{self.origin}/apps/{slug}",
            "created_at": EPOCH,
            "updated_at": EPOCH,
            "permissions": permissions,
            "events": [],
        }

    def bare_repository(self, repository: Record) -> Json:
        """A repository, as far as workflow runs tell."""
        owner, name = repository["repository"].split("/")
        api = self.api(repository)
        return {
            "id": repository["id"],
            "node_id": f"R_{repository['id']}",
            "name": name,
            "full_name": repository["repository"],
            "private": True,
            "owner": self.user(owner),
            "html_url": self.page(repository),
            "description": None,
            "fork": bool(repository.get("parent")),
            "url": api,
            **{f"{what}_url": f"{api}/{path}" for what, path in _REPOSITORY.items()},
        }

    def repository(self, repository: Record) -> Json:
        """A repository, as most answers and all webhooks have it."""
        place = self.page(repository)
        return {
            **self.bare_repository(repository),
            "git_url": f"git:{place.partition(':')[2]}.git",
            "ssh_url": f"git@github.double:{repository['repository']}.git",
            "clone_url": f"{place}.git",
            "svn_url": place,
            "homepage": None,
            "mirror_url": None,
            "language": None,
            "license": None,
            **dict.fromkeys(_COUNTS, 0),
            "size": 0,
            "default_branch": repository["default_branch"],
            "is_template": False,
            "topics": [],
            "has_issues": True,
            **dict.fromkeys(("has_projects", "has_wiki", "has_pages", "has_downloads", "has_discussions"), False),
            "archived": False,
            "disabled": False,
            "visibility": "private",
            "allow_forking": True,
            "web_commit_signoff_required": False,
            "custom_properties": {},
            "pushed_at": repository.get("pushed_at") or repository["created_at"],
            "created_at": repository["created_at"],
            "updated_at": repository["created_at"],
        }

    def named(self, repository: Record) -> Json:
        """A repository, as check runs name it beside a pull request."""
        return {"id": repository["id"], "url": self.api(repository), "name": repository["repository"].split("/")[1]}

    def reactions(self, url: str) -> Json:
        """The thumbs that nobody gives here."""
        return {"url": f"{url}/reactions", "total_count": 0, **NONE}
