"""The function app's table of contents: wiring only."""

import azure.durable_functions as df

from activities import (
    advance_jobs,
    announce_deployment,
    answer_ask,
    build_image,
    cancel_evaluation,
    claim_run,
    close_approval,
    compare_evaluations,
    conclude_evaluation,
    deploy_image,
    end_release,
    enter_lane,
    fetch_snapshot,
    find_deployed,
    find_head,
    find_origin,
    hold_lane,
    keep_baseline,
    keep_night,
    leave_lane,
    list_debts,
    look_around,
    look_at_approval,
    look_at_ask,
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
    read_last_night,
    record_debt,
    remind_approvers,
    roll_back,
    save_record,
    settle_debt,
    take_debt,
    take_fingerprint,
    take_up_change,
    take_up_group,
    tell_change,
    tell_evaluation,
    tell_github,
    tell_payment,
    weigh_toggle,
)
from orchestrators import (
    approval,
    asked,
    build,
    deployment,
    evaluation,
    jobs,
    lane,
    merge_group,
    mergeability,
    nightly,
    opt_out_preview,
    pull_request,
    release,
    required_checks,
    rollback,
    scheduled_evaluation,
    toggle,
)
from settings import look
from triggers import (
    approval_links,
    change_pages,
    debts,
    environments,
    evaluations,
    github_webhook,
    health,
    outbox,
    overrides,
    pages,
    reconcile,
    release_pages,
    releases_api,
    timers,
)

look()
app = df.DFApp()

# Who calls in.
app.register_functions(github_webhook.bp)
app.register_functions(reconcile.bp)
app.register_functions(approval_links.bp)
app.register_functions(overrides.bp)
app.register_functions(releases_api.bp)
app.register_functions(pages.bp)
app.register_functions(release_pages.bp)
app.register_functions(change_pages.bp)
app.register_functions(environments.bp)
app.register_functions(debts.bp)
app.register_functions(evaluations.bp)
app.register_functions(health.bp)
app.register_functions(outbox.bp)
app.register_functions(timers.bp)

# The stories.
app.register_functions(release.bp)
app.register_functions(pull_request.bp)
app.register_functions(merge_group.bp)
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
app.register_functions(scheduled_evaluation.bp)
app.register_functions(asked.bp)
app.register_functions(nightly.bp)

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
app.register_functions(take_up_group.bp)
app.register_functions(tell_change.bp)
app.register_functions(preview_release.bp)
app.register_functions(look_at_label.bp)
app.register_functions(look_at_checks.bp)
app.register_functions(look_at_merge.bp)
app.register_functions(merge_change.bp)

# And those of evaluations outside of releases, and of nights.
app.register_functions(look_at_ask.bp)
app.register_functions(answer_ask.bp)
app.register_functions(claim_run.bp)
app.register_functions(tell_evaluation.bp)
app.register_functions(read_last_night.bp)
app.register_functions(list_debts.bp)
app.register_functions(tell_payment.bp)
app.register_functions(find_head.bp)
app.register_functions(find_deployed.bp)
app.register_functions(take_fingerprint.bp)
app.register_functions(compare_evaluations.bp)
app.register_functions(keep_night.bp)
