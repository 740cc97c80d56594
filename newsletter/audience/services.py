"""Knows the export files of other services: which columns they have, and what became of each person there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from newsletter.audience.headings import HEADINGS, plain
from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem, Where, did_you_mean

JOINED, PENDING, LEFT, EVERYTHING, BLOCKED, COMPLAINT, GONE = (
    *("", "pending", "left", "everything", "blocked", "complaint", "gone"),
)
# Several rows of one person: the worst counts. Up to PENDING somebody is taken, above it they are kept out.
RANK = {state: rank for rank, state in enumerate((JOINED, PENDING, LEFT, EVERYTHING, BLOCKED, COMPLAINT, GONE))}
# What --state may say of all people of a file.
TOLD = {"subscribed": JOINED, "unconfirmed": PENDING, "unsubscribed": LEFT, "blocked": BLOCKED, "bounced": GONE}
# 2026-05-01 10:00:00, with T, Z, parts of a second, an offset, and as Go writes it (… +0000 UTC).
_WHEN = re.compile(r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d)(?:\.\d+)?\s*(Z|[+-]\d\d:?\d\d)?(?: [+A-Z0-9]{2,5})?)?")
# 01/05/2026 10:22 AM: the month first in America, else the day.
_LOCAL = re.compile(r"(\d\d?)/(\d\d?)/(\d{4})(?: (\d\d?):(\d\d)(?::(\d\d))? ?([AP]M)?)?", re.IGNORECASE)
State = tuple[str, datetime | None]
Cells = Mapping[str, str]  # by the heading, as `plain` gives it
When = Callable[[str], datetime | None]


@dataclass(frozen=True)
class Service:
    """One service: what its columns are here ("" = left out), which mark a file as its own, how it says states.

    `listless`: headings of files whose people are on no list any more, so that none need be named. `attributes`: the
    column that holds further facts as a JSON object.
    """

    title: str
    columns: Mapping[str, str]
    marks: tuple[str, ...]
    state: Callable[[Cells, When], State]
    listless: tuple[str, ...] = ()
    attributes: str = ""

    def renamed(self, header: Sequence[str], name: str) -> dict[str, str]:
        """What the columns of this file are. Raises NewsletterError(not-an-export)."""
        found = {plain(title) for title in header}
        if not found & {plain(mark) for mark in self.marks}:
            message = f"{name} does not look like an export of {self.title}: it has none of {', '.join(self.marks)}"
            hint = "Name the file that the service itself wrote, unchanged; or leave --from out."
            raise NewsletterError(Problem("not-an-export", message, hint, Where(name, 1)))
        return {title: key for title, key in self.columns.items() if plain(title) in found}

    def on_lists(self, header: Sequence[str]) -> bool:
        """Whether the people of a file with this header are on lists."""
        return not {plain(title) for title in header} & {plain(title) for title in self.listless}


class Reader:
    """Reads the states of the rows of one file; `told` is the least that all of them have."""

    def __init__(self, service: Service, header: Sequence[str], config: Config, told: str = JOINED) -> None:
        self._service, self._headings, self._told = service, [plain(title) for title in header], told
        american = config.site.language.lower() == "en-us"
        self._when: When = lambda text: when(text, american=american)
        self._wanted = self._wanted_of(config) if plain(service.attributes) in self._headings else {}

    @property
    def extra(self) -> list[str]:
        """Headings of the cells that `unfolded` adds to each row."""
        return list(self._wanted)

    def state(self, cells: Sequence[str]) -> State:
        said = dict(zip(self._headings, map(str.strip, cells), strict=False))
        state, at = self._service.state(said, self._when)
        return (self._told, at) if RANK[self._told] > RANK[state] else (state, at)

    def unfolded(self, cells: list[str]) -> list[str]:
        """The row with what its attributes say of the fields that are declared here, and of tags and the like."""
        width = len(self._headings)
        if len(cells) > width:  # refused for its length, however long it is
            return [*cells, *("" for _ in self._wanted), "…"]
        cells = [*cells, *("" for _ in range(width - len(cells)))]
        known = {plain(key): v for key, v in _object(cells[self._headings.index(plain(self._service.attributes))])}
        return [*cells, *(_text(known, words) for words in self._wanted.values())]

    def _wanted_of(self, config: Config) -> dict[str, set[str]]:
        own = ("first_name", "last_name", "language", "area", "tags", "postcode")
        wanted = {key: {plain(word) for word in (key, *HEADINGS[key])} for key in own}
        wanted |= {key: {plain(key), plain(one.title)} for key, one in config.fields.items()}
        return {key: words for key, words in wanted.items() if not words & set(self._headings)}


def known(key: str) -> Service:
    """The service of that name. Raises NewsletterError(unknown-service, exit 2)."""
    if key.lower() not in SERVICES:
        hint = (
            did_you_mean(key, SERVICES) or f"Known are: {', '.join(SERVICES)}. Other files are imported without --from."
        )
        problem = Problem("unknown-service", f"The exports of ‘{key[:40]}’ are not known here", hint)
        raise NewsletterError(problem, exit=Exit.USAGE)
    return SERVICES[key.lower()]


def when(text: str, *, american: bool = False) -> datetime | None:
    """A time as services write it, UTC where they do not say; None for what is none, or lies ahead."""
    try:
        if found := _WHEN.fullmatch(text.strip()):
            moment = datetime.fromisoformat(f"{found[1]}T{found[2] or '00:00:00'}{found[3] or '+00:00'}")
        elif found := _LOCAL.fullmatch(text.strip()):
            day, month = (found[2], found[1]) if american else (found[1], found[2])
            hour = int(found[4] or 0) % 12 + 12 * (found[7].upper() == "PM") if found[7] else int(found[4] or 0)
            clock = (hour, int(found[5] or 0), int(found[6] or 0))
            moment = datetime(int(found[3]), int(month), int(day), *clock, tzinfo=UTC)
        else:
            return None
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year > 1990 and moment <= datetime.now(UTC) + timedelta(days=1) else None


def _object(text: str) -> list[tuple[str, Any]]:
    """The entries of a JSON object; what is none holds nothing worth keeping, and is no reason to lose the person."""
    try:
        found = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        return []
    return list(found.items()) if isinstance(found, dict) else []


def _text(known: Mapping[str, Any], words: set[str]) -> str:
    value = next((known[word] for word in words if known.get(word) not in (None, "")), "")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "; ".join(str(one).replace(";", " ") for one in value if isinstance(one, str | int | float))
    return str(value) if isinstance(value, str | int | float) else ""


def _mailchimp(cells: Cells, when: When) -> State:
    """Three files: subscribed_…, unsubscribed_… (with UNSUB_TIME) and cleaned_… (with CLEAN_TIME: bounced)."""
    status = cells.get("status", "").casefold()
    if "clean time" in cells or status == "cleaned":
        return GONE, when(cells.get("clean time", ""))
    if status == "pending":
        return PENDING, when(cells.get("optin time", ""))
    if "unsub time" in cells or status not in ("", "subscribed"):  # nonsubscribed and transactional: never agreed
        reason = f"{cells.get('unsub reason', '')} {cells.get('unsub reason other', '')}"
        complained = re.search(r"spam|abuse|complain", reason, re.IGNORECASE)
        return (COMPLAINT if complained else LEFT), when(cells.get("unsub time", ""))
    return JOINED, when(cells.get("confirm time", "")) or when(cells.get("optin time", ""))


# Part of the reason why a profile was deleted at GovDelivery; all its topics went with it.
_DELETED = (("spam|complain", COMPLAINT), ("fail|undeliver|bounce|invalid", GONE), ("black|block", BLOCKED))


def _govdelivery(cells: Cells, when: When) -> State:
    """A topic's subscribers, or the report of deleted profiles: by their own wish, or because mail came back."""
    if "deletion reason" in cells or "date deleted" in cells:
        reason = cells.get("deletion reason", "")
        state = next((state for words, state in _DELETED if re.search(words, reason, re.IGNORECASE)), EVERYTHING)
        return state, when(cells.get("date deleted", ""))
    return JOINED, when(cells.get("subscription created", "")) or when(cells.get("date created", ""))


def _listmonk(cells: Cells, when: When) -> State:
    """One file with a status for the person as a whole; a blocklisted person gets nothing from any list.

    Whether somebody confirmed a list, or left it, is not in the file: it is exported list by list and state by state.
    """
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
        ("CLEAN_TIME",),
    ),
    "govdelivery": Service(
        "GovDelivery",
        {
            **dict.fromkeys(("Destination", "Contacts", "Contact"), "email"),
            **dict.fromkeys(("Topic Name", "Topic", "Topics"), "tags"),
            **dict.fromkeys(_GOVDELIVERY_ONLY, ""),
        },
        ("Destination", "Contacts", "Contact"),
        _govdelivery,
        ("Deletion Reason", "Date Deleted"),
    ),
    "listmonk": Service(
        "listmonk",
        {"email": "email", **dict.fromkeys(("uuid", "attributes", "status", "created_at", "updated_at"), "")},
        ("status",),
        _listmonk,
        attributes="attributes",
    ),
}
