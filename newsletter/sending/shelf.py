"""What stands in the archive's list and in the feed, read for the pages that everybody may ask for.

The same as archiving.published(), which takes 2 ms to put together and as long again to run: SQLite steps over 65 KB of
frozen mail in each row before it comes to when it was sent. What approval froze is therefore remembered for a minute.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone

from newsletter.sending import archiving
from newsletter.sending.models import Mailing

_PAGES = """SELECT mailing_id, archive_at, titles, note, withdrawn_at, changed_at, corrects_id FROM sending_archivepage
    WHERE listed AND mailing_id IN (SELECT mailing_id FROM sending_tally
    WHERE state IN ('inflight', 'accepted', 'uncertain') GROUP BY mailing_id HAVING SUM(people) > 0)"""  # REACHED


class Facts(NamedTuple):
    """What approval froze, and when it was sent."""

    slug: str
    name: str  # of its entry in the feed
    sender: str
    approved: datetime
    started: datetime | None


@dataclass(frozen=True)
class Entry:
    """One message of the list. Everything in it may be seen by everybody, and equal entries look the same."""

    mailing: int
    facts: Facts
    published: datetime
    held: str  # JSON: language ("" = the default) → {"language", "title", "summary"}
    note: str
    changed_at: datetime | None
    corrects: int | None

    @property
    def slug(self) -> str:
        return self.facts.slug

    @property
    def titles(self) -> Mapping[str, Mapping[str, str]]:
        return _titles(self.held)


@dataclass(frozen=True)
class Shelf:
    """All of them, the newest first; and when one of them, or one that was withdrawn, was changed last."""

    entries: tuple[Entry, ...]
    changed_at: datetime | None


def read(now: datetime | None = None) -> Shelf:
    """As it is now."""
    now = now or timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(_PAGES)
        rows = cursor.fetchall()
    known = _known([row[0] for row in rows])
    found = []
    for mailing, archive_at, titles, note, withdrawn_at, changed_at, corrects in rows:
        facts, later = known[mailing], _moment(archive_at)
        if withdrawn_at or (later and later > now):
            continue
        published = later if later and later > facts.approved else facts.started or facts.approved
        found.append(Entry(mailing, facts, published, titles, note, _moment(changed_at), corrects))
    found.sort(key=lambda one: (one.published, one.mailing), reverse=True)
    return Shelf(tuple(found), max((moment for row in rows if (moment := _moment(row[5]))), default=None))


def _known(wanted: list[int]) -> dict[int, Facts]:
    """The facts of these mailings."""
    kept = _kept(str(connection.settings_dict["NAME"]), int(time.monotonic() // 60))
    found = {number: kept[number] for number in wanted if number in kept}
    if missing := [number for number in wanted if number not in found]:
        rows = Mailing.objects.filter(pk__in=missing) if len(missing) < 500 else Mailing.objects.all()
        for one in rows.defer("rendered", "public"):
            sender = str(one.settings.get("sender_name") or one.slug)
            found[one.pk] = Facts(one.slug, archiving.name_of(one), sender, one.approved_at, one.started_at)
            if one.started_at:
                kept[one.pk] = found[one.pk]
    return found


@lru_cache(maxsize=2)
def _kept(database: str, minute: int) -> dict[int, Facts]:
    """For a minute only, and for this database: a backup may be put back under a process that runs, and then mailing 1
    is another one."""
    return {}


@lru_cache(maxsize=1024)
def _titles(held: str) -> Mapping[str, Mapping[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(held)
    return found


def _moment(value: Any) -> datetime | None:
    """SQLite gives times as text, in UTC."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found.replace(tzinfo=UTC) if isinstance(found, datetime) and found.tzinfo is None else found
