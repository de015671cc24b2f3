"""A GitHub double: the REST calls, webhooks and pages Drawbridge needs, over real local git repositories.

Git does what git does (commits, merges, archives, pushes from any clone); what GitHub adds is kept in one SQLite file
beside the repositories. A commit by `<login>@users.noreply.example` is that login's. What it leaves out, on purpose:
milestones, reactions, GraphQL, and everything private: whoever is signed in may read.
"""
