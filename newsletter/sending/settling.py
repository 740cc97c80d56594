"""Settling: what became of the people of whom a crash left it open, by the log, by an answer, or by a decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from newsletter.config import Config
from newsletter.sending import logbook, mailings, tally
from newsletter.sending.mail_log import Evidence
from newsletter.sending.models import Delivery, Mailing, Tally
from newsletter.sending.store import whole

MARGIN = timedelta(seconds=60)  # Postfix writes its two lines within a second; a loaded machine and two clocks more
WITNESSES = 1000  # people of a mailing whose mail was surely taken, looked for in a log before it is believed
PROOFS = ("answer", "log", "bounce", "reply", "staff")

# A stopped mailing sends to nobody: who surely has not got it is cancelled there, and `send --missing` finds them.
_AGAIN = (
    "CASE WHEN EXISTS (SELECT 1 FROM sending_mailing m WHERE m.id = mailing_id AND m.state = 'stopped')"
    " THEN 'cancelled' ELSE 'pending' END"
)


@dataclass(frozen=True)
class Open:
    """One uncertain person, and the time in which the attempt was made."""

    id: int
    mailing: int
    address: str
    token: bytes
    relay: str
    remote_id: str
    first: datetime
    last: datetime


@dataclass
class Plan:
    """What a log settles: (person, queue id) that it was taken; who was surely not; and who stays open, and why."""

    accepted: list[tuple[Open, str]] = field(default_factory=list)
    again: list[Open] = field(default_factory=list)
    left: list[tuple[Open, str]] = field(default_factory=list)

    @property
    def settles(self) -> int:
        return len(self.accepted) + len(self.again)


def uncertain(mailing: Mailing | None = None) -> list[Open]:
    """The uncertain people of one mailing, or of all; at most one for each connection of each crash."""
    some = Tally.objects.filter(state=Delivery.State.UNCERTAIN, **({"mailing": mailing} if mailing else {}))
    numbers = some.order_by("mailing").values("mailing").annotate(together=Sum("people")).filter(together__gt=0)
    found = Mailing.objects.filter(pk__in=[one["mailing"] for one in numbers]).order_by("pk")
    rows = [row for one in found for row in one.rows().filter(state="uncertain").select_related("mailing")]
    return [
        Open(
            row.pk,
            row.mailing_id,
            row.address,
            bytes(row.token),
            row.relay,
            row.remote_id,
            row.mailing.started_at or row.mailing.approved_at,
            row.changed,
        )
        for row in rows
    ]


def witnesses(config: Config, people: Iterable[Open]) -> dict[int, set[bytes]]:
    """Mailing → tokens of people whose mail its relays surely took, at the time of these attempts where there are
    such: a log that does not show them is another server's, or lost lines (journald and rsyslog throw away what
    comes too fast), and what is missing in it proves nothing."""
    found: dict[int, set[bytes]] = {}
    told = [key for key, relay in config.relays.items() if "message_id" in relay.keeps]
    times: dict[int, list[datetime]] = {}
    for one in people:
        times.setdefault(one.mailing, []).append(one.last)
    for mailing, moments in times.items():
        rows = Mailing.objects.get(pk=mailing).rows().filter(state="accepted", proof="answer", relay__in=told)
        near = rows.filter(changed__gte=min(moments) - MARGIN, changed__lte=max(moments) + MARGIN)
        tokens = near.values_list("token", flat=True)[:WITNESSES] or rows.values_list("token", flat=True)[:WITNESSES]
        found[mailing] = {bytes(token) for token in tokens}
    return found


def _not_whole(one: Open, evidence: Evidence, sure: Mapping[int, set[bytes]]) -> str:
    """Why what this log does not show proves nothing, in words; "" where it shows all that it must."""
    must = sure.get(one.mailing, set())
    if lost := len(must - evidence.taken.keys()):
        return f"the log lacks {lost:,} of {len(must):,} mails that were surely taken: not whole, or of another server"
    if not must and not evidence.came:
        return "the log shows no mail of this mailing at all; it may be of another server"
    return ""


def by_log(
    config: Config,
    people: Iterable[Open],
    evidence: Evidence,
    margin: timedelta = MARGIN,
    sure: Mapping[int, set[bytes]] | None = None,
) -> Plan:
    """What the log says of each person. Only `queue active` proves that Postfix took the mail; only a log that
    reaches from before the mailing until after the attempt, and shows all whom it must (`witnesses`), proves that it
    did not. Changes nothing."""
    plan = Plan()
    people = list(people)
    sure = witnesses(config, people) if sure is None else sure
    for one in people:
        queue = evidence.taken.get(one.token) or (one.remote_id if one.remote_id in evidence.queues else "")
        # The relay of an attempt that a crash cut off is not always known: then it may have been any of them.
        relays = [config.relays[one.relay]] if one.relay in config.relays else config.relays.values()
        if queue:
            plan.accepted.append((one, queue))
        elif any("message_id" not in relay.keeps for relay in relays):
            plan.left.append((one, "the relay replaces our Message-ID, so the log cannot show that it was not taken"))
        elif not evidence.covers(one.first - margin, one.last + margin):
            plan.left.append((one, "the log does not reach from before the mailing until after the attempt"))
        elif why := _not_whole(one, evidence, sure):
            plan.left.append((one, why))
        else:
            plan.again.append(one)
    return plan


def apply(plan: Plan, by: str) -> int:
    """Write what the log settles; returns how many people changed (others may have been settled meanwhile)."""
    done: Counter[tuple[int, str]] = Counter()
    with whole(), connection.cursor() as cursor:
        for one, queue in plan.accepted:
            done.update(_settle(cursor, one.id, "'accepted'", "log", queue))
        for one in plan.again:
            done.update(_settle(cursor, one.id, _AGAIN))
        _write(cursor, done, by, "by the mail server's log")
    return sum(done.values())


def decide(mailing: Mailing, decision: str, by: str, people: Sequence[int] | None = None) -> int:
    """A colleague says "they have it" (`accepted`) or "send it again" (`again`) of some uncertain people, or of all
    (None). Written down with who said so. Returns how many people changed."""
    if decision not in ("accepted", "again"):
        raise ValueError(decision)
    ids = [one.id for one in uncertain(mailing)] if people is None else people
    done: Counter[tuple[int, str]] = Counter()
    with whole(), connection.cursor() as cursor:
        for id_ in ids:
            more = ("'accepted'", "staff") if decision == "accepted" else (_AGAIN,)
            done.update(_settle(cursor, id_, *more))
        _write(cursor, done, by, "by a decision: they have it" if decision == "accepted" else "by a decision: again")
    return sum(done.values())


def by_return(delivery_id: int, proof: str) -> bool:
    """A bounce or a reply (`proof`) came back of this delivery: if it was uncertain, it had been taken after all.

    True when that settled it."""
    if proof not in ("bounce", "reply"):
        raise ValueError(proof)
    if not Delivery.objects.filter(pk=delivery_id, state=Delivery.State.UNCERTAIN).exists():
        return False  # nearly always: do not begin to write for it
    with whole(), connection.cursor() as cursor:
        done = Counter(_settle(cursor, delivery_id, "'accepted'", proof))
        _write(cursor, done, "newsletter", f"a {proof} came back")
    return bool(done)


def urgent(mailing: Mailing) -> bool:
    """True when every list of the mailing may rather get it twice than not at all, as newsletter.toml was then."""
    lists: Mapping[str, Mapping[str, Any]] = mailing.settings.get("lists", {})
    return bool(mailing.audience) and all(lists.get(key, {}).get("urgent") for key in mailing.lists)


def again_if_urgent(mailing: Mailing) -> int:
    """After a recovery: the uncertain people of an urgent mailing wait again, by themselves; returns how many."""
    if not urgent(mailing) or mailing.state == Mailing.State.STOPPED:
        return 0
    done: Counter[tuple[int, str]] = Counter()
    with whole(), connection.cursor() as cursor:
        for one in uncertain(mailing):
            done.update(_settle(cursor, one.id, _AGAIN))
        _write(cursor, done, "newsletter", "every list is urgent: may rather arrive twice than not at all")
    return sum(done.values())


# What the send screen says of such a mailing.
URGENT_WORDS = (
    "Urgent: it may rather arrive twice than not at all. After a crash, whoever is uncertain is sent it again."
)


def _settle(cursor: Any, id_: int, state: str, proof: str = "", remote_id: str = "") -> list[tuple[int, str]]:
    """One row out of `uncertain`; [(mailing, new state)], or nothing when it was settled before.

    `attempt` only grows, at the next lease: a sender that is still frozen stays fenced."""
    cursor.execute(
        f"UPDATE sending_delivery SET state = {state}, proof = %s, reason = '', due = NULL, leased_until = NULL,"  # noqa: S608
        " changed = %s, remote_id = CASE WHEN %s = '' THEN remote_id ELSE %s END"
        " WHERE id = %s AND state = 'uncertain' RETURNING mailing_id, state",
        [proof, adapted(timezone.now()), remote_id, remote_id, id_],
    )
    return [(int(mailing), str(new)) for mailing, new in cursor.fetchall()]


def _write(cursor: Any, done: Mapping[tuple[int, str], int], by: str, how: str) -> None:
    """The numbers and the log entry of each mailing; one that has nobody left open is finished by it."""
    for mailing in sorted({mailing for mailing, _ in done}):
        moved = {state: people for (which, state), people in done.items() if which == mailing}
        everybody = sum(moved.values())
        tally.moved(cursor, mailing, "", {**moved, "uncertain": -everybody})
        said = ", ".join(f"{people} {state}" for state, people in sorted(moved.items()))
        logbook.note(mailing, "settled", f"{how}: {said}", everybody, by)
        mailings.finish(Mailing.objects.get(pk=mailing))


def adapted(moment: datetime) -> Any:
    """A moment as the database keeps it."""
    return connection.ops.adapt_datetimefield_value(moment)
