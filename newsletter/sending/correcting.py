"""A correction goes to exactly those who got the first message, as far as they may still be mailed.

Got it: accepted, or uncertain, for who may have read what was wrong must hear what is right; a correction that
corrects nothing a person has seen is the smaller harm. Who left or may not be mailed since then is left out, as always.
"""

# ruff: noqa: S608 - the SQL is put together from constants of ours; every value is a parameter

from __future__ import annotations

from typing import Any

from django.db import connection

from newsletter.audience import selecting
from newsletter.audience.selecting import Explanation
from newsletter.content.model import Issue
from newsletter.problems import Exit, NewsletterError, Problem
from newsletter.sending import tally
from newsletter.sending.models import Mailing

GOT = "had.mailing_id = %s AND had.state IN ('accepted', 'uncertain')"
# With the address that they have now: who has moved since hears it there.
_GOT = f"""
    FROM (SELECT had.subscriber_id, had.lists, person.canonical, person.address, person.name, person.first_name,
            person.last_name, person.language, person.attributes
        FROM sending_delivery AS had JOIN audience_subscriber AS person ON person.id = had.subscriber_id
        WHERE {GOT}) AS got
"""


def first(issue: Issue, *, now: bool = False) -> Mailing | None:
    """The mailing that this issue corrects; None when it corrects none. `now`: it is about to be sent.

    Raises NewsletterError(cannot-correct): nobody got that one, or the audience is another; or, `now`, somebody may
    still be sent the first: they would get what is wrong after everybody else was told, and never the correction.
    """
    if not issue.front.corrects:
        return None
    mailing = Mailing.objects.filter(slug=issue.front.corrects).first()
    if mailing is None or mailing.slug == issue.slug:
        raise _cannot(f"{issue.front.corrects} was never sent, so nobody needs a correction of it", "newsletter list")
    if not set(mailing.audience) <= set(issue.front.audience):
        message = f"A correction of {mailing.slug} goes to its readers, but `audience` does not name their lists"
        raise _cannot(message, f"Write audience: [{', '.join(mailing.audience)}] as there.")
    counts = tally.counts(mailing.pk) if now else {}
    waiting = sum(counts.get(state, 0) for state in ("pending", "leased", "inflight", "deferred"))
    if waiting and mailing.state != Mailing.State.STOPPED:
        message = f"{mailing.slug} still goes out: {waiting:,} people who have not got it yet would not be corrected"
        hint = f"newsletter stop {mailing.slug} ends it: they never get what is wrong. Or wait until it has ended."
        raise _cannot(message, hint)
    return mailing


def people(mailing: Mailing) -> tuple[str, list[Any]]:
    """Those who got it and may be mailed, with the columns of selecting.sql; `lists` are those of the first copy, so
    that List-Id and the sentence why they get it stay the same."""
    sql = (
        "SELECT got.subscriber_id, got.canonical, got.address, got.name, got.first_name, got.last_name, got.language,"
        f" got.attributes, got.lists {_GOT} WHERE NOT {selecting.gone_since('got')}"
    )
    return sql, [mailing.pk]


def explain(mailing: Mailing) -> Explanation:
    """How many got it, and why some of them do not get the correction."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM sending_delivery AS had WHERE {GOT}", [mailing.pk])
        got = int(cursor.fetchone()[0])
        cursor.execute(f"SELECT count(*) {_GOT}", [mailing.pk])
        known = int(cursor.fetchone()[0])
        sql, params = people(mailing)
        cursor.execute(f"SELECT count(*) FROM ({sql}) AS person", params)
        will_get = int(cursor.fetchone()[0])
    left_out = {"left or suppressed since": known - will_get, "erased": got - known}
    title = f"Got {mailing.slug}"
    return Explanation(((mailing.slug, title, got),), {why: n for why, n in left_out.items() if n}, will_get)


def _cannot(message: str, hint: str) -> NewsletterError:
    return NewsletterError(Problem("cannot-correct", message, hint=hint), exit=Exit.REFUSED)
