"""What somebody was at the service they come from, since when, and what that means here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from typing import NamedTuple

from newsletter.audience.headings import plain


class Was(IntEnum):
    """From the mildest to the strictest: where a file says several things of one address, the strictest counts."""

    SUBSCRIBED = 0
    PENDING = 1  # asked, never confirmed: gets nothing before they confirm
    OUT = 2  # never agreed to anything: not taken
    LEFT = 3  # left this list
    EVERYTHING = 4  # left all there is
    STAFF = 5  # blocked there by the body, or by a rule of the service
    COMPLAINT = 6  # called our mail spam
    GONE = 7  # the address does not take mail


WORDS = {
    Was.SUBSCRIBED: "subscribed",
    Was.PENDING: "not confirmed",
    Was.OUT: "never asked",
    Was.LEFT: "unsubscribed",
    Was.EVERYTHING: "unsubscribed from everything",
    Was.STAFF: "blocked",
    Was.COMPLAINT: "complained",
    Was.GONE: "bounced",
}
# What `--state` may say of a whole file.
STATES = {
    "subscribed": Was.SUBSCRIBED,
    "unconfirmed": Was.PENDING,
    "unsubscribed": Was.LEFT,
    "blocked": Was.STAFF,
    "bounced": Was.GONE,
}


class Past(NamedTuple):
    """`at`: since when; None where the file does not say. `why`: in the service's words, for the proof."""

    was: Was
    at: datetime | None
    why: str = ""


def _same(cells: list[str]) -> list[str]:
    return cells


@dataclass(frozen=True)
class Guide:
    """How one export is read. `names`: its headings (as `headings.plain` writes them) and the column of ours each
    means; an empty one is known and of no use here."""

    title: str
    names: Mapping[str, str]
    past: Callable[[list[str]], Past]  # of one row's cells
    extra: tuple[str, ...] = ()  # headings of cells that `cells` adds behind the row's own
    cells: Callable[[list[str]], list[str]] = field(default=_same)
    on_lists: bool = True  # false: nobody in this file is on a list, so that none need be named


class Cells:
    """The cells of a row by any of their headings."""

    def __init__(self, header: Sequence[str]) -> None:
        self._places = {plain(title): place for place, title in reversed(list(enumerate(header)))}

    def __contains__(self, heading: str) -> bool:
        return heading in self._places

    def place(self, *headings: str) -> int | None:
        """Where the first of these headings that the file has stands."""
        return next((self._places[one] for one in headings if one in self._places), None)

    def getter(self, *headings: str) -> Callable[[list[str]], str]:
        """Reads the first of these columns that is not empty in the row; "" where there is none."""
        places = [self._places[one] for one in headings if one in self._places]

        def read(cells: list[str]) -> str:
            return next((text for place in places if place < len(cells) and (text := cells[place].strip())), "")

        return read


_ISO = re.compile(r"(\d{4})-(\d\d?)-(\d\d?)(?:[T ]+(\d\d?):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?)?(.*)")
_LOCAL = re.compile(r"(\d\d?)[/.](\d\d?)[/.](\d{4})(?:,? +(\d\d?):(\d\d)(?::(\d\d))?)?(.*)")
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)\b")


def moment(text: str, *, american: bool = False) -> datetime | None:
    """A moment as exports write it, in UTC: `2026-05-01 10:22:33`, `2024-03-05 10:22:33.12 +0100 CET` (Go),
    `2026-05-01T10:22:33Z`, `05/01/2026 10:22 AM`. Without a zone it is taken as UTC; None where it is no moment.
    """
    text = text.strip().strip('"')
    if found := _ISO.fullmatch(text):
        year, month, day = found[1], found[2], found[3]
    elif found := _LOCAL.fullmatch(text):
        day, month, year = (found[2], found[1], found[3]) if american else (found[1], found[2], found[3])
    else:
        return None
    hour, rest = int(found[4] or 0), found[7].strip().lower()
    if rest.startswith(("am", "pm")):
        hour = hour % 12 + (12 if rest.startswith("pm") else 0)
    try:
        at = datetime(int(year), int(month), int(day), hour, int(found[5] or 0), int(found[6] or 0), tzinfo=UTC)
        if (zone := _OFFSET.search(rest)) and (int(zone[2]) or int(zone[3])):
            at = datetime.fromisoformat(f"{at:%Y-%m-%dT%H:%M:%S}{zone[1]}{zone[2]}:{zone[3]}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if at.year >= 1990 else None  # 0001-01-01 and 1970-01-01 are how programs write ‘never’
