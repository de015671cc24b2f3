"""The function app's table of contents: wiring only."""

import azure.durable_functions as df

from activities import (
    advance_jobs,
    announce_deployment,
    build_image,
    cancel_evaluation,
    close_approval,
    conclude_evaluation,
    deploy_image,
    fetch_snapshot,
    find_origin,
    keep_baseline,
    open_approval,
    plan_evaluation,
    plan_validation,
    probe_deployment,
    read_config,
    read_votes,
    remind_approvers,
    roll_back,
    save_record,
    tell_github,
)
from orchestrators import approval, build, deployment, evaluation, jobs, release
from triggers import approval_links, github_webhook, health, pages

app = df.DFApp()

# Who calls in.
app.register_functions(github_webhook.bp)
app.register_functions(approval_links.bp)
app.register_functions(pages.bp)
app.register_functions(health.bp)

# The stories.
app.register_functions(release.bp)
app.register_functions(evaluation.bp)
app.register_functions(jobs.bp)
app.register_functions(build.bp)
app.register_functions(deployment.bp)
app.register_functions(approval.bp)

# The effects, in the order a release meets them.
app.register_functions(fetch_snapshot.bp)
app.register_functions(read_config.bp)
app.register_functions(find_origin.bp)
app.register_functions(save_record.bp)
app.register_functions(tell_github.bp)
app.register_functions(plan_validation.bp)
app.register_functions(plan_evaluation.bp)
app.register_functions(advance_jobs.bp)
app.register_functions(conclude_evaluation.bp)
app.register_functions(cancel_evaluation.bp)
app.register_functions(build_image.bp)
app.register_functions(announce_deployment.bp)
app.register_functions(deploy_image.bp)
app.register_functions(probe_deployment.bp)
app.register_functions(roll_back.bp)
app.register_functions(open_approval.bp)
app.register_functions(read_votes.bp)
app.register_functions(remind_approvers.bp)
app.register_functions(close_approval.bp)
app.register_functions(keep_baseline.bp)
