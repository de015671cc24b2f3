"""A GitHub double: the REST calls, webhooks and pages Drawbridge needs, over real local git repositories."""
