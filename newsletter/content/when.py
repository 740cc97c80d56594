"""Reads a time that a person wrote, such as `tomorrow 8:00`, in the site's time zone; says what is wrong with it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from newsletter.problems import Problem

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TIME = r"(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?::(?P<second>\d{2}))?"
_ABSOLUTE = re.compile(rf"(?P<day>\d{{4}}-\d{{2}}-\d{{2}})[T ]+{_TIME}\s*(?P<offset>Z|[+-]\d{{2}}:?\d{{2}})?", re.I)
_RELATIVE = re.compile(rf"(?:(?P<word>today|tomorrow|{'|'.join(WEEKDAYS)})\s+(?:at\s+)?)?{_TIME}", re.I)
HOW = "Write 2026-11-25 08:00, tomorrow 8:00, friday 8:00 or 08:00."


def read(text: str, zone: str, now: datetime | None = None) -> datetime | Problem:
    """The moment that `text` means in `zone` (IANA name), or the Problem with it.

    With `now` (aware) words such as tomorrow are understood, and a moment that has passed is a Problem; without it,
    as in front matter, only a whole date is. A local time that the clocks skip or show twice (daylight saving) is
    a Problem that names the two ways to say it; an offset (ISO 8601) is always clear.
    """
    place = ZoneInfo(zone)
    found = _parts(text.strip(), now.astimezone(place) if now else None)
    if found is None:
        hint = HOW if now else "Write the day and the time: 2026-11-25 08:00."
        return Problem("bad-time", f"‘{text}’ is not a time that can be understood", hint=hint)
    moment = found if found.tzinfo else found.replace(tzinfo=place)
    if not found.tzinfo:
        unclear = _unclear(text, found, place)
        if unclear:
            return unclear
    if now and moment <= now:
        hint = "Name a later time, or leave it away to send at once."
        return Problem("time-past", f"{said(moment, zone)} has passed: it is {said(now, zone)}", hint=hint)
    return moment.astimezone(place)


def said(moment: datetime, zone: str) -> str:
    """`Wed 25 Nov 2026 08:00 (Europe/London)`; with seconds where it has any."""
    local = moment.astimezone(ZoneInfo(zone))
    seconds = f":{local:%S}" if local.second else ""
    return f"{local:%a} {local.day} {local:%b %Y %H:%M}{seconds} ({zone})"


def _parts(text: str, now: datetime | None) -> datetime | None:
    """Naive (local) or aware (with an offset); None when it is no time."""
    try:
        if match := _ABSOLUTE.fullmatch(text):
            local = datetime.combine(date.fromisoformat(match["day"]), _time(match))
            if not match["offset"]:
                return local
            offset = match["offset"].upper().replace("Z", "+00:00")
            return datetime.fromisoformat(f"{local.isoformat()}{offset}").astimezone(UTC)
        if now and (match := _RELATIVE.fullmatch(text)):
            return datetime.combine(_day((match["word"] or "today").lower(), now.date()), _time(match))
    except (ValueError, OverflowError):
        return None
    return None


def _time(match: re.Match[str]) -> time:
    return time(int(match["hour"]), int(match["minute"]), int(match["second"] or 0))


def _day(word: str, today: date) -> date:
    if word in WEEKDAYS:
        ahead = (WEEKDAYS.index(word) - today.weekday() - 1) % 7 + 1  # on a Friday, `friday` is in a week
        return today + timedelta(days=ahead)
    return today + timedelta(days=word == "tomorrow")


def _unclear(text: str, local: datetime, place: ZoneInfo) -> Problem | None:
    """The Problem of a local time that does not exist or exists twice; None for every other one."""
    first, second = (local.replace(tzinfo=place, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return None
    ways = [moment.astimezone(UTC).astimezone(place).isoformat(timespec="minutes") for moment in (second, first)]
    if first.astimezone(UTC).astimezone(place).replace(tzinfo=None) != local:
        message = f"‘{text}’ does not exist: the clocks are put forward over it ({place.key})"
        return Problem("time-not-clear", message, hint=f"Write {ways[0]} or {ways[1]}.")
    message = f"‘{text}’ comes twice: the clocks are put back over it ({place.key})"
    return Problem("time-not-clear", message, hint=f"Write {ways[1]} for the first, {ways[0]} for the second time.")
