"""What each page shows, built from the domain's models without any I/O. `triggers.render` turns a view into HTML."""

from triggers.views.approval import ApprovalView, Viewer, approval_page, replaced_page
from triggers.views.common import MessageView, SignInView, message_page, sign_in_page
from triggers.views.evaluation import EvaluationView, evaluation_page
from triggers.views.release import ReleaseView, release_page
from triggers.views.release_list import ReleaseListView, release_list_page

__all__ = [
    "ApprovalView",
    "EvaluationView",
    "MessageView",
    "ReleaseListView",
    "ReleaseView",
    "SignInView",
    "Viewer",
    "approval_page",
    "evaluation_page",
    "message_page",
    "release_list_page",
    "release_page",
    "replaced_page",
    "sign_in_page",
]
