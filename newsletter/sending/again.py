"""`send --missing`: whoever did not get a mailing that has ended waits once more; nobody else does."""

# ruff: noqa: S608 - the SQL is put together from constants of ours; every value is a parameter

from __future__ import annotations

from django.db import connection
from django.db.models import Count, Exists, OuterRef

from newsletter import settings
from newsletter.audience.models import Suppression
from newsletter.problems import Exit, NewsletterError, Problem, Severity
from newsletter.sending import epoch, logbook, mailings, tally
from newsletter.sending.models import OF_MAILING, Delivery, Mailing
from newsletter.sending.settling import adapted
from newsletter.sending.store import whole

MISSING = (Delivery.State.FAILED, Delivery.State.EXPIRED, Delivery.State.CANCELLED)
ENDED = (Mailing.State.FINISHED, Mailing.State.STOPPED)


def explain_missing(mailing: Mailing) -> dict[str, int]:
    """Why people did not get it → how many, the commonest first. Accepted, uncertain and people who left are not in
    it, nor is anybody who joined after approval or is never mailed, such as an address that turned out to be dead."""
    never = Suppression.objects.filter(canonical=OuterRef("canonical"))
    rows = (
        mailing.rows()
        .filter(~Exists(never), state__in=MISSING)
        .order_by()
        .values_list("state", "reason")
        .annotate(people=Count("pk"))
        .order_by("-people", "state", "reason")
    )
    return {(f"{state}: {reason}" if reason else state): people for state, reason, people in rows}


def missing(mailing: Mailing, expect: range | None = None, by: str = "") -> int:
    """Let them wait again and the mailing go on, in one transaction; returns how many people.

    Raises NewsletterError: wrong-state (it has not ended), nobody-to-send-to, count-changed, ledger-restored.
    """
    from django.utils import timezone

    config = settings.current()
    epoch.guard(config)
    # Before it is done: a copy from before calls them failed though they may have it then (recovering.plan).
    epoch.mark(config, mailing, epoch.accepted(mailing), again=True)
    people = 0
    with whole(), connection.cursor() as cursor:
        moved = Mailing.objects.filter(pk=mailing.pk, state__in=ENDED).update(
            state=Mailing.State.SENDING, finished_at=None, send_at=None, begins=None
        )
        if not moved:
            mailing.refresh_from_db()
            raise NewsletterError(
                Problem(
                    "wrong-state",
                    f"{mailing.slug} has not ended: it is {mailing.state}",
                    hint="newsletter send goes on where it stopped; --missing is for a mailing that ended.",
                ),
                exit=Exit.REFUSED,
            )
        for state in MISSING:
            cursor.execute(
                "UPDATE sending_delivery SET state = 'pending', tries = 0, due = NULL, reason = '', changed = %s"
                f" WHERE {OF_MAILING} AND state = %s AND NOT EXISTS (SELECT 1 FROM audience_suppression s"
                " WHERE s.canonical = sending_delivery.canonical)",
                [adapted(timezone.now()), *mailing.ids, state.value],
            )
            waiting = int(cursor.rowcount)  # now: the tally's own statements count, too
            tally.moved(cursor, mailing.pk, "", {state.value: -waiting, "pending": waiting})
            people += waiting
        must_be_agreed(people, expect)
        Mailing.objects.filter(pk=mailing.pk, started_at=None).update(started_at=timezone.now())
        words = "to those who did not get it"
        logbook.note(mailing, "again", words, people, by)
    mailing.refresh_from_db()
    return people


def must_be_agreed(people: int, expect: range | None) -> None:
    """Raises NewsletterError: nobody-to-send-to, count-changed."""
    if not people:
        problem = Problem(
            "nobody-to-send-to",
            "Nobody is missing: nobody who may be mailed failed, was given up or was cancelled",
            hint="There is nothing to do. Who joined since is not meant: they get the next issue.",
            severity=Severity.NOTE,
        )
        raise NewsletterError(problem, exit=Exit.REFUSED)
    mailings.must_be_expected(people, expect)
