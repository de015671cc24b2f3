"""Who calls in: webhooks, approvers, people reading pages, monitoring."""
