"""The hours in which a public body is at work, as it writes them: `Mon-Thu 09:00-17:00, Fri 09:00-16:30`."""

from __future__ import annotations

import itertools
import re

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
Window = tuple[int, int]  # minutes after midnight: from, to
_PART = re.compile(r"([A-Za-z]{3})(?:\s*-\s*([A-Za-z]{3}))?\s+(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")


def parse(text: str) -> tuple[tuple[Window, ...], ...]:
    """The windows of each day, Monday first, sorted. Raises ValueError in words for the person who wrote it."""
    week: list[list[Window]] = [[] for _ in DAYS]
    for part in text.split(","):
        found = _PART.fullmatch(part.strip())
        if not found:
            raise ValueError(f"{part.strip()!r} is not like Mon-Fri 09:00-17:00")
        first, last = _day(found[1]), _day(found[2] or found[1])
        start, end = _minutes(found[3], found[4]), _minutes(found[5], found[6])
        if start >= end:
            raise ValueError(f"{part.strip()!r} ends before it begins")
        for number in range(7):
            day = (first + number) % 7
            week[day].append((start, end))
            if day == last:
                break
    for day, windows in enumerate(week):
        windows.sort()
        for one, other in itertools.pairwise(windows):
            if one[1] > other[0]:
                raise ValueError(f"{DAYS[day]} is there twice, with hours that overlap")
    return tuple(map(tuple, week))


def _day(word: str) -> int:
    if word.title() not in DAYS:
        raise ValueError(f"{word!r} is no day: {' '.join(DAYS)}")
    return DAYS.index(word.title())


def _minutes(hours: str, minutes: str) -> int:
    total = int(hours) * 60 + int(minutes)
    if total > 24 * 60 or int(minutes) > 59:
        raise ValueError(f"{hours}:{minutes} is no time of day")
    return total
