"""The laws of the ledger, checked by SQL: everybody is somewhere, once, and `finished` means finished."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import connection
from django.db.models import Count, Exists, OuterRef, QuerySet

from newsletter.audience.models import Suppression
from newsletter.sending import mailings
from newsletter.sending.models import STATES, Delivery, Mailing

UNSENT = ("pending", "leased", "suppressed", "cancelled")
PROVES = ("person", "auto", "bounce", "complaint")
LONGEST_BODY = timedelta(minutes=30)  # a body that had begun when its person left may take so long to be answered


@contextmanager
def _one_moment() -> Iterator[None]:
    """All questions of the block see the same moment: while mail is sent, rows move between two of them."""
    if connection.in_atomic_block:
        yield
        return
    sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:  # by hand: Django's own transactions take SQLite's lock for writing
        cursor.execute("BEGIN" if sqlite else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")


def check(mailing: Mailing) -> list[str]:
    """What is wrong with the books of this mailing, in words; an empty list when they balance.

    L1: frozen = the sum over all states, no row is in any other, and the tallies say the same. Finished: nobody waits,
    is in flight, is to be tried again or is uncertain. L2 to L4 as far as they are seen from here: nobody stands in it
    twice; nobody has answered a mail that never left; nobody was mailed who had left. (Copies are counted at the
    server: the books cannot vouch for themselves.) Also while it is being sent.
    """
    with _one_moment():
        return _check(mailing)


def _check(mailing: Mailing) -> list[str]:
    found = mailings.status(mailing)
    wrong: list[str] = []
    counted = dict(Delivery.objects.filter(mailing=mailing).order_by().values_list("state").annotate(n=Count("pk")))
    for state in STATES:
        if found[state] != counted.get(state, 0):
            wrong.append(f"the tally says {found[state]} {state}, but {counted.get(state, 0)} rows are")
    found = {**found, **{state: counted.get(state, 0) for state in STATES}}
    total = sum(found[state.value] for state in Delivery.State)
    if total != found["frozen"]:
        wrong.append(f"{found['frozen']} people were frozen, but {total} are in the ten states")
    rows = Delivery.objects.filter(mailing=mailing)
    if rows.count() != total:
        wrong.append(f"{rows.count() - total} rows are in a state that does not exist")
    open_states = [*mailings.OPEN, Delivery.State.UNCERTAIN]
    left = sum(found[state] for state in open_states)
    if found["state"] == Mailing.State.FINISHED and left:
        wrong.append(f"it is called finished, but {left} people are not settled")
    if found["state"] == Mailing.State.STOPPED and found[Delivery.State.PENDING]:
        wrong.append(f"it was stopped, but {found[Delivery.State.PENDING]} people still wait")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) - COUNT(DISTINCT canonical) FROM sending_delivery WHERE mailing_id = %s", [mailing.pk]
        )
        if twice := cursor.fetchone()[0]:
            wrong.append(f"{twice} people stand in it twice")
    no_answer = rows.filter(state=Delivery.State.ACCEPTED, proof="answer", reply_code=None).count()
    if no_answer:
        wrong.append(f"{no_answer} people are called accepted without an answer of a server")
    return [*wrong, *_never_left(rows), *_had_left(rows)]


def _never_left(rows: QuerySet[Delivery]) -> list[str]:
    """L3: what came in with the signed address of a mail proves that the mail left, so its row must say so."""
    unsent = rows.filter(state__in=UNSENT, incoming__kind__in=PROVES).values("pk").distinct().count()
    return [f"{unsent} people have answered or bounced a mail that these books say never left"] if unsent else []


def _had_left(rows: QuerySet[Delivery]) -> list[str]:
    """L4: nobody is accepted long after they were put on the never-mail list. Only what a server answered is looked
    at: what was settled later has the date of the settling."""
    before = Suppression.objects.filter(canonical=OuterRef("canonical"), at__lt=OuterRef("changed") - LONGEST_BODY)
    late = rows.filter(Exists(before), state=Delivery.State.ACCEPTED, proof="answer").count()
    return [f"{late} people were mailed although they had left before"] if late else []
