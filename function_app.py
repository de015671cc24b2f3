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
    end_release,
    enter_lane,
    fetch_snapshot,
    find_origin,
    hold_lane,
    keep_baseline,
    leave_lane,
    look_around,
    look_at_approval,
    look_at_checks,
    look_at_label,
    look_at_merge,
    merge_change,
    note_rollback,
    open_approval,
    plan_evaluation,
    plan_validation,
    preview_release,
    probe_deployment,
    read_config,
    record_debt,
    remind_approvers,
    roll_back,
    save_record,
    settle_debt,
    take_debt,
    take_up_change,
    tell_change,
    tell_github,
    weigh_toggle,
)
from orchestrators import (
    approval,
    build,
    deployment,
    evaluation,
    jobs,
    lane,
    mergeability,
    opt_out_preview,
    pull_request,
    release,
    required_checks,
    rollback,
    toggle,
)
from triggers import approval_links, github_webhook, health, outbox, pages, reconcile

app = df.DFApp()

# Who calls in.
app.register_functions(github_webhook.bp)
app.register_functions(reconcile.bp)
app.register_functions(approval_links.bp)
app.register_functions(pages.bp)
app.register_functions(health.bp)
app.register_functions(outbox.bp)

# The stories.
app.register_functions(release.bp)
app.register_functions(pull_request.bp)
app.register_functions(required_checks.bp)
app.register_functions(mergeability.bp)
app.register_functions(opt_out_preview.bp)
app.register_functions(evaluation.bp)
app.register_functions(jobs.bp)
app.register_functions(build.bp)
app.register_functions(deployment.bp)
app.register_functions(approval.bp)
app.register_functions(lane.bp)
app.register_functions(rollback.bp)
app.register_functions(toggle.bp)

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
app.register_functions(record_debt.bp)
app.register_functions(take_debt.bp)
app.register_functions(settle_debt.bp)
app.register_functions(weigh_toggle.bp)
app.register_functions(look_around.bp)
app.register_functions(build_image.bp)
app.register_functions(announce_deployment.bp)
app.register_functions(enter_lane.bp)
app.register_functions(deploy_image.bp)
app.register_functions(probe_deployment.bp)
app.register_functions(roll_back.bp)
app.register_functions(leave_lane.bp)
app.register_functions(open_approval.bp)
app.register_functions(look_at_approval.bp)
app.register_functions(remind_approvers.bp)
app.register_functions(close_approval.bp)
app.register_functions(keep_baseline.bp)
app.register_functions(end_release.bp)
app.register_functions(hold_lane.bp)
app.register_functions(note_rollback.bp)

# And those that only a change meets.
app.register_functions(take_up_change.bp)
app.register_functions(tell_change.bp)
app.register_functions(preview_release.bp)
app.register_functions(look_at_label.bp)
app.register_functions(look_at_checks.bp)
app.register_functions(look_at_merge.bp)
app.register_functions(merge_change.bp)
