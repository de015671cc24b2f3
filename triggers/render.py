"""Views to HTML. Everything in a view is text from somewhere, so everything is escaped."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).with_name("templates")
STYLE = (TEMPLATES / "style.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

# No scripts, and no style but ours: an injected one would not match the hash. Images: only the icon, a data: address.
CSP = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": CSP,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    # Approval links are secret, so other sites never see them; "no-referrer" would also blank a form's Origin.
    "Referrer-Policy": "same-origin",
}


def render(template: str, view: Any) -> str:
    """Render `triggers/templates/<template>` with one view dataclass."""
    return _environment().get_template(template).render(view=view)


@cache
def _environment() -> Environment:
    # Imported at the first page, so that an app that only takes webhooks starts sooner.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415
    from markupsafe import Markup  # noqa: PLC0415

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["style"] = Markup(STYLE)  # noqa: S704 - our own file
    return environment
