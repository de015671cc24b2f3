"""The parts every page is made of: links, moments, chips, numbers as people read them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from domain.messages_promotion import skipped_because
from domain.models import Change, Commit, Image, OptOut, Outcome, StageState, Verdict

NONE = "\N{EN DASH}"  # where a table has no value
ROOT = "/api"  # the route prefix Azure Functions gives every HTTP trigger


@dataclass(frozen=True)
class Link:
    """Text that leads somewhere; without a `url` it is only text."""

    text: str
    url: str = ""


@dataclass(frozen=True)
class Moment:
    """A point in time, for machines and for people."""

    iso: str
    text: str  # 22 Nov 2026, 15:33 UTC
    relative: str  # "4 min ago", "in 2 days"


@dataclass(frozen=True)
class Chip:
    """A state as icon, colour and word together, so that no one has to see the colour."""

    kind: str  # names the icon and the colour
    word: str


@dataclass(frozen=True)
class Deck:
    """All stages of a release at a glance: one plank each, and in words for those who do not see them."""

    planks: tuple[Chip, ...]
    summary: str


@dataclass(frozen=True)
class CommitView:
    sha: str
    short: str
    url: str
    author: str
    message: str


@dataclass(frozen=True)
class DigestView:
    short: str
    full: str


@dataclass(frozen=True)
class MessageView:
    """A page that says one thing: an error, or that something was recorded."""

    title: str
    tone: str  # "good" | "bad" | "plain"
    sentences: tuple[str, ...]
    links: tuple[Link, ...]
    status: int


@dataclass(frozen=True)
class SignInView:
    """Asks to sign in before anything else is shown."""

    title: str
    sign_in_url: str
    purpose: str


def message_page(
    title: str, *sentences: str, status: int = 200, links: tuple[Link, ...] = (), tone: str = ""
) -> MessageView:
    """Say one thing. The tone follows the status unless given; unsafe link addresses are dropped."""
    if not tone:
        tone = "bad" if status >= 400 else "good"
    checked = tuple(Link(link.text, safe_url(link.url)) for link in links)
    return MessageView(title, tone, sentences, checked or (Link("All releases", f"{ROOT}/releases"),), status)


def sign_in_page(path: str, purpose: str = "see this page", provider: str = "aad") -> SignInView:
    """Send the person to the platform's sign-in and back to `path`, a path on this site."""
    back = path if path.startswith("/") and not path.startswith(("//", "/\\")) else f"{ROOT}/releases"
    url = f"/.auth/login/{quote(provider, safe='')}?post_login_redirect_uri={quote(back, safe='')}"
    return SignInView("Sign in to continue", url, purpose)


def safe_url(url: str) -> str:
    """The address if a browser may follow it: http, https or a path on this site; else an empty string."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme in ("http", "https") and parts.netloc:
        return url
    return url if not parts.scheme and not parts.netloc and url.startswith("/") and "\\" not in url else ""


def release_url(release: str) -> str:
    return f"{ROOT}/releases/{quote(release, safe='')}"


def evaluation_url(evaluation: str) -> str:
    return f"{ROOT}/evaluations/{quote(evaluation, safe='')}"


def parse_time(iso: str | None) -> datetime | None:
    """Read ISO 8601; None when there is none or it cannot be read, since a page must not fail over a date."""
    try:
        moment = datetime.fromisoformat(iso or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def moment(iso: str | None, now: datetime) -> Moment | None:
    """A time as people read it, and how far from `now`."""
    time = parse_time(iso)
    if time is None:
        return None
    time = time.astimezone(UTC)
    seconds = (now - time).total_seconds()
    span = duration(abs(seconds))
    relative = f"{span} ago" if seconds >= 0 else f"in {span}"
    return Moment(time.strftime("%Y-%m-%dT%H:%M:%SZ"), f"{time:%d %b %Y, %H:%M} UTC".lstrip("0"), relative)


def duration(seconds: float) -> str:
    """Seconds as a person would say them: `42 s`, `3 min 20 s`, `5 h 12 min`, `3 days`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _two(whole // 60, "min", whole % 60, "s") if whole < 600 else f"{whole // 60} min"
    if whole < 2 * 86400:
        return _two(whole // 3600, "h", whole % 3600 // 60, "min")
    return f"{whole // 86400} days"


def between(start: str | None, end: str | None, now: datetime) -> str:
    """How long something took, or has been running until `now`; empty when it has not begun."""
    started = parse_time(start)
    if started is None:
        return ""
    return duration(((parse_time(end) or now) - started).total_seconds())


def number(value: float | None) -> str:
    """A score or a latency: three decimals for small values, fewer as they grow."""
    if value is None:
        return NONE
    for limit, digits in ((10, 3), (100, 2), (1000, 1)):
        if abs(value) < limit:
            return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")
    return f"{value:,.0f}".replace("-", "\N{MINUS SIGN}")


def signed(value: float | None) -> str:
    """A difference with its sign, also when it is positive."""
    if value is None:
        return NONE
    return f"+{number(value)}" if value > 0 else number(value)


def interval(low: float | None, high: float | None, show: Callable[[float | None], str] = number) -> str:
    """A 95 % interval, or that there is none."""
    if low is None or high is None:
        return "too few rows"
    return f"{show(low)} to {show(high)}"


def count(many: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{many:,} {noun}" if many == 1 else f"{many:,} {noun}s"


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `11th`."""
    ending = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def commit_view(commit: Commit) -> CommitView:
    return CommitView(commit.sha, commit.sha[:8], safe_url(commit.url), commit.author, commit.message)


def change_links(changes: tuple[Change, ...]) -> tuple[Link, ...]:
    return tuple(Link(f"#{change.number} {change.title}", safe_url(change.url)) for change in changes)


def digest_view(digest: str) -> DigestView:
    """A digest short enough to read aloud, with the full one beside it."""
    return DigestView(digest.removeprefix("sha256:")[:12], digest)


def image_view(image: Image | None) -> DigestView | None:
    return digest_view(image.digest) if image else None


def opt_out_sentence(opt_out: OptOut) -> str:
    return f"Full evaluation {skipped_because([opt_out])}"


def outcome_chip(outcome: Outcome) -> Chip:
    return Chip("passed" if outcome is Outcome.RELEASED else outcome.value, outcome.value)


def stage_chip(state: StageState, opt_outs: tuple[OptOut, ...] = ()) -> Chip:
    """The state of a stage; a skip names who is behind it."""
    skipped = state is StageState.SKIPPED and opt_outs
    return Chip(state.value, skipped_because(opt_outs) if skipped else state.value)


def verdict_chip(verdict: Verdict) -> Chip:
    return Chip(verdict.value, verdict.value)


def _two(big: int, big_unit: str, small: int, small_unit: str) -> str:
    return f"{big} {big_unit} {small} {small_unit}" if small else f"{big} {big_unit}"
