"""After a restored backup: finds out who got mail that the database does not know of, so that nobody gets it twice."""

# ruff: noqa: S608 - the SQL is put together from constants of ours; every value is a parameter

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.db.models import Q

from newsletter.config import Config
from newsletter.mail.tokens import new_id
from newsletter.sending import again, epoch, logbook, mailings, notices, tally
from newsletter.sending.mail_log import Evidence
from newsletter.sending.models import OF_MAILING, Delivery, Mailing, Notice
from newsletter.sending.settling import MARGIN, adapted
from newsletter.sending.store import whole

WAITING = ("pending", "leased", "inflight", "deferred")
CHUNK = 500  # tokens in one statement
DOUBT = "the database was restored from a copy; it may have been sent after that"


@dataclass
class Plan:
    """What recovering would do. `accepted`: person → queue id; `uncertain`: mailing → people who wait and of whom no
    log tells whether they were sent to; `again`: those of them where people who failed or were cancelled are meant,
    too; `unknown`: issues that are not in the database at all; `single`: answers and other single mails that wait here
    and may have left, `single_accepted`: of which the log says so."""

    difference: epoch.Difference
    covered: bool
    accepted: dict[int, str] = field(default_factory=dict)
    uncertain: dict[int, int] = field(default_factory=dict)
    again: set[int] = field(default_factory=set)
    unknown: dict[str, int] = field(default_factory=dict)
    single: list[int] = field(default_factory=list)
    single_accepted: dict[int, str] = field(default_factory=dict)
    lacking: int = 0  # mails that had left by the journal, and that the log does not show


def plan(
    config: Config, difference: epoch.Difference, evidence: Evidence | None, margin: timedelta = 2 * MARGIN
) -> Plan:
    """Look, and change nothing. `covered`: the log reaches from before the copy until after the last sending, which
    a killed sender may have gone on with for a minute after its last mark."""
    last = epoch.last_mark(config)
    until = last.at if last else datetime.now(UTC) - margin
    since = difference.since
    covered = bool(evidence and since and evidence.covers(since - margin, max(until, since) + margin))
    made = Plan(difference, covered)
    told: Counter[tuple[int, str]] = Counter()  # of whom the log says that they have it, by the state they have here
    for id_, queue, mailing, state in _taken(evidence) if evidence else ():
        made.accepted[id_] = queue
        told[mailing, state] += 1
    # The journal says how many were accepted: a log that shows fewer lost lines, or is another server's.
    for one in Mailing.objects.filter(slug__in=difference.slugs) if covered else ():
        shown = sum(people for (mailing, _), people in told.items() if mailing == one.pk)
        made.lacking += max(0, difference.slugs[one.slug] - tally.counts(one.pk)["accepted"] - shown)
    covered = made.covered = covered and not made.lacking
    known = set(Mailing.objects.values_list("slug", flat=True))
    made.unknown = {slug: people for slug, people in difference.slugs.items() if slug not in known}
    if not covered:
        open_ = Q(state__in=("approved", "sending", "paused"))
        for one in Mailing.objects.filter(open_ | Q(slug__in=difference.again)):
            if one.slug in difference.again:
                made.again.add(one.pk)
            counts = tally.counts(one.pk)
            left = sum(counts[state] - told[one.pk, state] for state in _doubted(made, one.pk))
            if left and (one.slug in difference.slugs or not difference.slugs):
                made.uncertain[one.pk] = left
    taken = evidence.taken if evidence else {}
    for notice in notices.held_back(last.at if last else datetime.now(UTC)).only("token"):
        if its_queue := taken.get(bytes(notice.token or b"")):
            made.single_accepted[notice.pk] = its_queue
        elif not covered:
            made.single.append(notice.pk)
    return made


def _doubted(plan: Plan, mailing: int) -> tuple[str, ...]:
    """The states of those who may have been sent to after the copy was made: who waited; and where the others were sent
    to once more, they too."""
    return (*WAITING, *map(str, again.MISSING)) if mailing in plan.again else WAITING


def _taken(evidence: Evidence) -> Iterator[tuple[int, str, int, str]]:
    """The people whose mail Postfix took and whom the ledger does not call accepted: row, queue id, mailing, state."""
    tokens = [*evidence.taken]
    for start in range(0, len(tokens), CHUNK):
        rows = Delivery.objects.filter(token__in=tokens[start : start + CHUNK]).exclude(state="accepted")
        for id_, token, mailing, state in rows.values_list("pk", "token", "mailing_id", "state"):
            yield id_, evidence.taken[bytes(token)], mailing, state


def apply(config: Config, plan: Plan, by: str) -> None:
    """Write it in one transaction, then the new epoch: from here on sending is allowed again."""
    from django.utils import timezone

    moved: Counter[tuple[int, str]] = Counter()
    with whole(), connection.cursor() as cursor:
        now = adapted(timezone.now())
        for id_, queue in plan.accepted.items():
            row = Delivery.objects.filter(pk=id_).exclude(state="accepted").first()
            if row is None:
                continue
            cursor.execute(
                "UPDATE sending_delivery SET state = 'accepted', proof = 'log', remote_id = %s, reason = '',"
                " due = NULL, leased_until = NULL, attempt = attempt + 1, changed = %s WHERE id = %s AND state = %s",
                [queue, now, id_, row.state],
            )
            moved[(row.mailing_id, row.state)] -= cursor.rowcount
            moved[(row.mailing_id, "accepted")] += cursor.rowcount
        Notice.objects.filter(pk__in=plan.single).update(state=Notice.State.UNCERTAIN, reason=DOUBT, due=None)
        for notice, queue in plan.single_accepted.items():
            Notice.objects.filter(pk=notice).update(state=Notice.State.ACCEPTED, remote_id=queue, reason="", due=None)
        for mailing in plan.uncertain:
            ids = Mailing.objects.get(pk=mailing).ids
            # What has somebody unsettled is not finished (L1).
            Mailing.objects.filter(pk=mailing, state=Mailing.State.FINISHED).update(state=Mailing.State.SENDING)
            for state in _doubted(plan, mailing):
                cursor.execute(
                    "UPDATE sending_delivery SET state = 'uncertain', reason = %s, due = NULL, leased_until = NULL,"
                    f" attempt = attempt + 1, changed = %s WHERE {OF_MAILING} AND state = %s",
                    [DOUBT, now, *ids, state],
                )
                moved[(mailing, state)] -= cursor.rowcount
                moved[(mailing, "uncertain")] += cursor.rowcount
        for mailing in sorted({which for which, _ in moved}):
            differences = {state: people for (which, state), people in moved.items() if which == mailing}
            tally.moved(cursor, mailing, "", differences)
            words = ", ".join(f"{people} {state}" for state, people in differences.items() if people > 0)
            changed = sum(people for people in differences.values() if people > 0)
            logbook.note(mailing, "recovered", f"after a restored backup: {words or 'nobody changed'}", changed, by)
            mailings.finish(Mailing.objects.get(pk=mailing))
        for slug, people in plan.unknown.items():
            _stand_in(slug, people, by)
    epoch.renew(config)


def _stand_in(slug: str, people: int, by: str) -> None:
    """A stopped mailing without people for an issue that was sent after the copy was made: without it `send` would
    take the issue for a new one and mail everybody a second time."""
    made = Mailing.objects.create(
        slug=slug,
        state=Mailing.State.STOPPED,
        rendered={},
        checksum="",
        audience=[],
        settings={"lists": {}},
        public_id=new_id(),
        paused_why=f"sent to {people} people or more after the backup that this database comes from",
    )
    logbook.note(made, "recovered", made.paused_why, people, by)
