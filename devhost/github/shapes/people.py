"""Accounts in full, organizations, teams."""

from __future__ import annotations

from devhost.github import people
from devhost.github.shapes.base import EPOCH, Base, Json, number_of
from devhost.github.store import Record

_UNSAID = ("name", "company", "blog", "location", "email", "hireable", "bio")
_NO = ("public_repos", "public_gists", "followers", "following")


class People(Base):
    """Shapes of accounts."""

    def account(self, login: str) -> Json:
        """A person in full."""
        times = {"created_at": EPOCH, "updated_at": EPOCH}
        return {**self.user(login), **dict.fromkeys(_UNSAID), **dict.fromkeys(_NO, 0), **times}

    def organization(self, login: str) -> Json:
        """An organization in full."""
        number, api = number_of(login), f"{self.origin}/orgs/{login}"
        return {
            "login": login,
            "id": number,
            "node_id": f"O_{number}",
            "url": api,
            "html_url": f"{self.origin}/{login}",
            "repos_url": f"{api}/repos",
            "events_url": f"{api}/events",
            "hooks_url": f"{api}/hooks",
            "issues_url": f"{api}/issues",
            "members_url": f"{api}/members{{/member}}",
            "public_members_url": f"{api}/public_members{{/member}}",
            "avatar_url": f"{self.origin}/avatars/{number}",
            "description": None,
            "has_organization_projects": False,
            "has_repository_projects": False,
            **dict.fromkeys(_NO, 0),
            "type": "Organization",
            "created_at": EPOCH,
            "updated_at": EPOCH,
            "archived_at": None,
        }

    def team(self, team: Record) -> Json:
        """A team."""
        organization = self.organization(team["organization"])
        url = f"{organization['url']}/teams/{team['slug']}"
        return {
            "id": team["id"],
            "node_id": f"T_{team['id']}",
            "url": url,
            "html_url": f"{self.origin}/orgs/{team['organization']}/teams/{team['slug']}",
            "name": team["slug"],
            "slug": team["slug"],
            "description": None,
            "privacy": "closed",
            "permission": "pull",
            "members_url": f"{url}/members{{/member}}",
            "repositories_url": f"{url}/repos",
            "parent": None,
            "members_count": len(team["members"]),
            "repos_count": 0,
            "created_at": EPOCH,
            "updated_at": EPOCH,
            "organization": organization,
            "type": "organization",
        }

    def permissions(self, role: str) -> Json:
        """A role, as the list of what it includes."""
        words = {"admin": "admin", "maintain": "maintain", "write": "push", "triage": "triage", "read": "pull"}
        return {word: people.at_least(role, needed) for needed, word in words.items()}

    def full_repository(self, repository: Record, role: str) -> Json:
        """One repository, with what its reader may do."""
        shape = self.repository(repository)
        parent = self.double.repository_with(repository.get("parent"))
        of = {"parent": self.repository(parent), "source": self.repository(parent)} if parent else {}
        return {
            **shape,
            **of,
            "permissions": self.permissions(role),
            **dict.fromkeys(("allow_merge_commit", "allow_squash_merge", "allow_rebase_merge"), True),
            **dict.fromkeys(("allow_auto_merge", "delete_branch_on_merge", "allow_update_branch"), False),
            "subscribers_count": 0,
            "network_count": 0,
        }
