"""What each page shows, built from the domain's models without any I/O. `triggers.render` turns a view into HTML."""

from triggers.views.approval import ApprovalView, Viewer, approval_page, replaced_page
from triggers.views.changes import ChangeView, change_page
from triggers.views.common import Link, MessageView, SignInView, message_page, release_url, sign_in_page
from triggers.views.debts import DebtsView, debts_page, people_of
from triggers.views.environments import EnvironmentsView, environments_page
from triggers.views.evaluation import EvaluationView, evaluation_page
from triggers.views.evaluation_running import EvaluationRunningView, evaluation_running_page
from triggers.views.logs import ValidationView, validation_page
from triggers.views.release import Ask, FormLink, ReleaseView, Round, Surroundings, release_page
from triggers.views.release_list import ReleaseListView, release_list_page

__all__ = [
    "ApprovalView",
    "Ask",
    "ChangeView",
    "DebtsView",
    "EnvironmentsView",
    "EvaluationRunningView",
    "EvaluationView",
    "FormLink",
    "Link",
    "MessageView",
    "ReleaseListView",
    "ReleaseView",
    "Round",
    "SignInView",
    "Surroundings",
    "ValidationView",
    "Viewer",
    "approval_page",
    "change_page",
    "debts_page",
    "environments_page",
    "evaluation_page",
    "evaluation_running_page",
    "message_page",
    "people_of",
    "release_list_page",
    "release_page",
    "release_url",
    "replaced_page",
    "sign_in_page",
    "validation_page",
]
