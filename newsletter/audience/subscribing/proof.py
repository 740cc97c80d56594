"""What the verbs share: what they say they did, the proof that they leave, and whose row they hold meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone

from newsletter.audience import quickly
from newsletter.audience.models import (
    FormerAddress,
    MailingList,
    Subscriber,
    Subscription,
    Suppression,
    Wording,
)

PENDING, CONFIRMED, LEFT = Subscription.State.PENDING, Subscription.State.CONFIRMED, Subscription.State.LEFT
BULK, ALL = Suppression.Scope.BULK, Suppression.Scope.ALL
UNSUBSCRIBED, MOVED, ERASED = "unsubscribed", "moved", "erased"
REASONS = (UNSUBSCRIBED, "complaint", "gone", ERASED, "staff", MOVED)
OWN = (UNSUBSCRIBED, MOVED)  # what a person did themselves, and so may undo themselves

_LEAVE = """UPDATE audience_subscription SET state = 'left', paused_until = NULL, changed = %s
    WHERE subscriber_id = %s AND state <> 'left'
    AND list_id IN (SELECT id FROM audience_mailinglist WHERE key IN ({}))
    RETURNING (SELECT list.key FROM audience_mailinglist AS list WHERE list.id = list_id)"""
_CHOSEN = """SELECT list.key FROM audience_subscription JOIN audience_mailinglist AS list ON list.id = list_id
    WHERE subscriber_id = %s AND list.key IN ({})"""
# column1 and column2 are what both databases call the columns of VALUES.
_PROOF = """INSERT INTO audience_consentevent
    (canonical, channel, why, "by", "at", recorded, list_key, event, wording_id)
    SELECT %s, %s, %s, %s, %s, %s, column1, column2, {} FROM (VALUES {}) AS changes"""
_WORDED = " JOIN audience_wording AS wording ON wording.sha256 = %s"


@dataclass(frozen=True)
class Change:
    """What a verb did, so that the caller can say it: `lists` changed now; empty and `changed` = everything.

    `suppressed`: the address is on the never-mail list, so that no mailing reaches it whatever was chosen.
    `why` says why a verb refused: unknown | suppressed | taken | same. Never show it to a stranger.
    """

    changed: bool
    lists: tuple[str, ...] = ()
    suppressed: bool = False
    why: str = ""


def held(canonical: str) -> Subscriber | None:
    """The person of this address, or of one they have moved from; their row is ours until the transaction ends.

    Links in mail that was sent to a former address go on working through it.
    """
    person = quickly.held(Subscriber, "canonical = %s", [canonical])
    if person is None and (former := quickly.first(FormerAddress, "canonical = %s", [canonical])):
        person = quickly.held(Subscriber, "id = %s", [former.subscriber_id])
    return person


def made(canonical: str, address: str) -> tuple[Subscriber, bool]:
    """The person of this very address, made where there is none, and whether they were made now; held as by `held`."""
    while True:
        person, new = Subscriber.objects.get_or_create(canonical=canonical, defaults={"address": address})
        if new:
            return person, True
        if known := Subscriber.objects.select_for_update().filter(pk=person.pk, canonical=canonical).first():
            return known, False
        # Else they were erased, or moved to another address, after they were found and before they were held.


def subscription(person: Subscriber, key: str, state: str) -> tuple[Subscription, bool]:
    """The person's row for a list, made in this state where there is none; and whether it was made now."""
    chosen = quickly.first(MailingList, "key = %s", [key]) or MailingList.objects.get_or_create(key=key)[0]
    if found := quickly.first(Subscription, "subscriber_id = %s AND list_id = %s", [person.pk, chosen.pk]):
        return found, False
    return Subscription.objects.get_or_create(subscriber=person, list=chosen, defaults={"state": state})


def confirmed(person: Subscriber, lists: Sequence[str]) -> list[tuple[str, str]]:
    """Put the person on these lists; gives back (list, event) for each that they were not on before."""
    changed = []
    for key in dict.fromkeys(lists):
        row, new = subscription(person, key, CONFIRMED)
        if new or row.state != CONFIRMED:
            changed.append((key, "returned" if row.state == LEFT else "joined"))
            row.state, row.paused_until = CONFIRMED, None
            row.save()
    return changed


def left(person: Subscriber, lists: Sequence[str]) -> list[str]:
    """Take the person, who is held, off these lists; gives back those that they had not left before, in order.

    One statement where they were on all of them, which is nearly always; a list that they were never on is remembered
    as left, too.
    """
    keys = list(dict.fromkeys(lists))
    among = quickly.marks(keys)
    gone = {key for (key,) in quickly.rows(_LEAVE.format(among), [timezone.now(), person.pk, *keys])}
    if len(gone) < len(keys):
        known = {key for (key,) in quickly.rows(_CHOSEN.format(among), [person.pk, *keys])}
        gone |= {key for key in keys if key not in known and subscription(person, key, LEFT)[1]}
    return [key for key in keys if key in gone]


def write(
    canonical: str, list_key: str, event: str, channel: str, wording: str = "", why: str = "", by: str = ""
) -> None:
    """The proof of one change; never altered afterwards."""
    write_each(canonical, [(list_key, event)], channel, wording, why, by)


def write_each(
    canonical: str,
    changes: Sequence[tuple[str, str]],
    channel: str,
    wording: str = "",
    why: str = "",
    by: str = "",
) -> None:
    """The proof of each change, a list and an event, by one statement. It looks the words up as well; when nobody was
    shown them before it writes nothing, and is said again after they were written down."""
    if not changes:
        return
    now = timezone.now()
    values = [canonical, channel, why, by[:100], now, now, *(part for change in changes for part in change)]
    places = ", ".join(["(%s, %s)"] * len(changes))
    if not wording:
        quickly.change(_PROOF.format("NULL", places), values)
        return
    sql = _PROOF.format("wording.id", places) + _WORDED
    values.append(Wording.digest(wording))
    if not quickly.change(sql, values):
        Wording.of(wording)
        if not quickly.change(sql, values):
            raise RuntimeError("a proof was not written: its words are not there")
