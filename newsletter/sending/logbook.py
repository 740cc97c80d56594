"""The log of a mailing: what was done with it, by whom and when; lines are only ever added.

Each line is sealed with the SHA-256 of the line before it, so that one that is changed, removed or slipped in later
is noticed by `newsletter status --verify` (threat T23). Lines cut off at the very end are noticed by whoever wrote
down the last seal; a person who may write to the database can seal a whole new log, and only that seal tells.
"""

from __future__ import annotations

import getpass
import hashlib
import json
from datetime import UTC

from django.db import connection
from django.utils import timezone

from newsletter.sending.models import LogEntry, Mailing
from newsletter.sending.progress import Ended, How
from newsletter.sending.store import whole

LOCK = 0x6C6F67  # "log": PostgreSQL's advisory lock, so that two lines never follow the same one
OURSELVES = "newsletter"  # `by` of what nobody asked for: a pause by itself, the worker that begins


def note(mailing: Mailing | int, what: str, words: str = "", people: int = 0, by: str = "") -> None:
    """Add a line, in the transaction that does what it tells of. `by`: a colleague; "" = who runs this command."""
    key = mailing if isinstance(mailing, int) else mailing.pk
    entry = LogEntry(mailing_id=key, what=what, words=words, people=people, by=(by or user())[:100])
    with whole():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        entry.at = timezone.now()  # under the lock: the lines' times follow each other, too
        entry.seal = sealed(entry, last_seal())
        entry.save()


def sealed(entry: LogEntry, before: str) -> str:
    """The seal of a line that follows the one with the seal `before`; not of its number, which a restored copy of
    the database may give anew."""
    at = entry.at.astimezone(UTC).isoformat(timespec="microseconds")
    said = [before, entry.mailing_id, at, entry.what, entry.words, entry.people, entry.by]
    return hashlib.sha256(json.dumps(said, ensure_ascii=True).encode()).hexdigest()


def last_seal() -> str:
    """The seal of the last line, "" where there is none: the one word that vouches for all lines."""
    return LogEntry.objects.order_by("-pk").values_list("seal", flat=True).first() or ""


def broken() -> LogEntry | None:
    """The first line that does not follow from the one before it: it was changed, or one before it was removed."""
    before = ""
    for entry in LogEntry.objects.order_by("pk").iterator(2000):
        if entry.seal != sealed(entry, before):
            return entry
        before = entry.seal
    return None


def ended(mailing: Mailing, end: Ended) -> None:
    """A line where carrying came to an end by itself: everybody handed over, or the mailing paused itself."""
    if end.how in (How.DONE, How.PAUSED) and (end.sent or end.how is How.PAUSED):
        what = "sent" if end.how is How.DONE else "paused"
        with whole():
            note(mailing, what, end.words, end.counts["accepted"], by=OURSELVES)


def user() -> str:
    """The name of the account that runs us; its number where it has none, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        import os

        return f"user {os.getuid()}"


def last(mailing: Mailing, lines: int) -> list[LogEntry]:
    """The last lines, the oldest of them first; that of the approval is always among them, and whose yes it was."""
    rows = LogEntry.objects.filter(mailing=mailing)
    newest = list(rows.order_by("-pk")[:lines])
    agreed = rows.filter(what__in=("approved", "seconded")).exclude(pk__in=[entry.pk for entry in newest])
    return sorted([*agreed, *newest], key=lambda entry: entry.pk)
