"""Knows the export files of other services: which columns they have, and what became of each person there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from newsletter.audience.headings import plain
from newsletter.problems import Exit, NewsletterError, Problem, Where, did_you_mean

JOINED, LEFT, BLOCKED, GONE = "", "left", "blocked", "gone"
RANK = {JOINED: 0, LEFT: 1, BLOCKED: 2, GONE: 3}  # several rows of one person: the worst counts
# 2026-05-01 10:00:00, with T, Z, parts of a second, an offset, and as Go writes it (… +0000 UTC).
_WHEN = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.\d+)?\s*(Z|[+-]\d\d:?\d\d)?(?: [A-Z]{2,5})?")
State = tuple[str, datetime | None]
Cells = Mapping[str, str]  # by the heading, as `plain` gives it


@dataclass(frozen=True)
class Service:
    """One service: what its columns are here ("" = left out), which mark a file as its own, how it says states."""

    title: str
    columns: Mapping[str, str]
    marks: tuple[str, ...]
    state: Callable[[Cells], State]

    def renamed(self, header: Sequence[str], name: str) -> dict[str, str]:
        """What the columns of this file are. Raises NewsletterError(not-an-export)."""
        found = {plain(title) for title in header}
        if not found & {plain(mark) for mark in self.marks}:
            message = f"{name} does not look like an export of {self.title}: it has none of {', '.join(self.marks)}"
            hint = "Name the file that the service itself wrote, unchanged; or leave --from out."
            raise NewsletterError(Problem("not-an-export", message, hint, Where(name, 1)))
        return {title: key for title, key in self.columns.items() if plain(title) in found}


class Reader:
    """Reads the states of the rows of one file."""

    def __init__(self, service: Service, header: Sequence[str]) -> None:
        self._service, self._headings = service, [plain(title) for title in header]

    def state(self, cells: Sequence[str]) -> State:
        return self._service.state(dict(zip(self._headings, map(str.strip, cells), strict=False)))


def known(key: str) -> Service:
    """The service of that name. Raises NewsletterError(unknown-service, exit 2)."""
    if key.lower() not in SERVICES:
        hint = (
            did_you_mean(key, SERVICES) or f"Known are: {', '.join(SERVICES)}. Other files are imported without --from."
        )
        problem = Problem("unknown-service", f"The exports of ‘{key[:40]}’ are not known here", hint)
        raise NewsletterError(problem, exit=Exit.USAGE)
    return SERVICES[key.lower()]


def when(text: str) -> datetime | None:
    """A time as services write it, UTC where they do not say; None for what is none, or lies ahead."""
    if not (found := _WHEN.fullmatch(text.strip())):
        return None
    try:
        moment = datetime.fromisoformat(f"{found[1]}T{found[2]}{found[3] or '+00:00'}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year > 1990 and moment <= datetime.now(UTC) + timedelta(days=1) else None


def _mailchimp(cells: Cells) -> State:
    """Three files: subscribed_…, unsubscribed_… (with UNSUB_TIME) and cleaned_… (with CLEAN_TIME: bounced)."""
    status = cells.get("status", "").casefold()
    if "clean time" in cells or status == "cleaned":
        return GONE, when(cells.get("clean time", ""))
    if "unsub time" in cells or status not in ("", "subscribed"):  # nonsubscribed and transactional: never agreed
        return LEFT, when(cells.get("unsub time", ""))
    return JOINED, when(cells.get("confirm time", "")) or when(cells.get("optin time", ""))


def _govdelivery(cells: Cells) -> State:
    """A topic's subscribers, or the report of deleted ones with the reason: their own wish, or mail that came back."""
    if "deletion reason" in cells or "date deleted" in cells:
        bounced = re.search(r"fail|undeliver|bounce|invalid", cells.get("deletion reason", ""), re.IGNORECASE)
        return (GONE if bounced else LEFT), when(cells.get("date deleted", ""))
    return JOINED, when(cells.get("subscription created", "")) or when(cells.get("date created", ""))


def _listmonk(cells: Cells) -> State:
    """One file with a status for the person as a whole; a blocklisted person gets nothing from any list."""
    status = cells.get("status", "").casefold()
    if status == "enabled":
        return JOINED, when(cells.get("created at", ""))
    return (BLOCKED if status == "blocklisted" else LEFT), when(cells.get("updated at", ""))


_MAILCHIMP_ONLY = (
    *("MEMBER_RATING", "OPTIN_TIME", "OPTIN_IP", "CONFIRM_TIME", "CONFIRM_IP", "LATITUDE", "LONGITUDE", "GMTOFF"),
    *("DSTOFF", "TIMEZONE", "CC", "REGION", "LAST_CHANGED", "LEID", "EUID", "NOTES", "Status", "UNSUB_TIME"),
    *("UNSUB_CAMPAIGN_TITLE", "UNSUB_CAMPAIGN_ID", "UNSUB_REASON", "UNSUB_REASON_OTHER"),
    *("CLEAN_TIME", "CLEAN_CAMPAIGN_TITLE", "CLEAN_CAMPAIGN_ID"),
)
_GOVDELIVERY_ONLY = (
    *("Origin", "Location", "Location Type", "Subscription Created", "Date Created", "Date Deleted", "Days Subscribed"),
    *("Country Code", "Deletion Reason", "Deleted By", "Subscriptions Count"),
)
SERVICES: Mapping[str, Service] = {
    "mailchimp": Service(
        "Mailchimp",
        {"Email Address": "email", **dict.fromkeys(_MAILCHIMP_ONLY, "")},
        ("OPTIN_TIME", "CONFIRM_TIME", "UNSUB_TIME", "CLEAN_TIME", "LEID"),
        _mailchimp,
    ),
    "govdelivery": Service(
        "GovDelivery",
        {"Destination": "email", "Contacts": "email", **dict.fromkeys(_GOVDELIVERY_ONLY, "")},
        ("Destination", "Contacts"),
        _govdelivery,
    ),
    "listmonk": Service(
        "listmonk",
        {"email": "email", **dict.fromkeys(("uuid", "attributes", "status", "created_at", "updated_at"), "")},
        ("status",),
        _listmonk,
    ),
}
