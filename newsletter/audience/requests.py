"""What was asked for on a public page and waits for a press on a link: made, limited, used once, and tidied away.

The page only writes a row, the same for every address, and answers; which mail goes out, if any, is decided
afterwards by the worker (sending.own_asking), so that neither the words nor the time of the answer say whether an
address is known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from newsletter.audience import dialect, never, quickly
from newsletter.audience.models import Attempts, Request, Wording
from newsletter.mail.tokens import Keyring, Purpose, new_id

Kind = Request.Kind
LIVES: Mapping[str, timedelta] = {
    Kind.SUBSCRIBE: timedelta(days=7),
    Kind.CHANGE: timedelta(days=1),
    Kind.DATA: timedelta(days=1),
    Kind.FORGET: timedelta(days=1),
}
SAID_AGAIN = timedelta(days=7)  # so long a used link answers as it did
A_DAY = timedelta(hours=24)
MOST = 3  # confirmations that are not pressed: then this address wants none, or was typed by somebody else
MOST_OTHER = 3  # links for data, change or erasure an address a day
# A town hall, a library or a school is one network; a sign-up afternoon there brings some 100 people.
MOST_A_NETWORK = 200  # a day
# A campaign in the local paper brings some hundreds an hour; more than this is an attack, and mail waits an hour.
MOST_AN_HOUR = 1000
INNER = [ip_network(one) for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10")]
KEPT = timedelta(days=30)  # then an unused request keeps a keyed hash of the address only


class Why(StrEnum):
    """Why a link does nothing any more."""

    UNKNOWN = "unknown"
    EXPIRED = "expired"
    USED = "used"


def make(
    kind: str,
    canonical: str,
    address: str,
    facts: Mapping[str, Any],
    wording: str = "",
    *,
    browser: str = "",
) -> Request | None:
    """Keep what was asked for; its mail goes out by the worker. None where this address had enough of them."""
    with transaction.atomic():
        dialect.one_at_a_time(f"{kind} {canonical}")  # two forms sent at the same moment are one
        if not allowed(kind, canonical):
            return None
        now = timezone.now()
        request = Request(
            token=new_id(),
            kind=kind,
            canonical=canonical,
            address=address,
            facts=dict(facts),
            wording=Wording.of(wording),
            browser=browser,
            created=now,
            expires=now + LIVES[kind],
        )
        quickly.insert(request)
        return request


def allowed(kind: str, canonical: str) -> bool:
    """False when this address had its mails: one confirmation a day and three in all, three other links a day."""
    keys = never.keys_of(canonical)
    where = f"kind = %s AND canonical IN ({quickly.marks(keys)})"
    rows = quickly.every(Request, where, [kind, *keys], ("id", "created", "used"))
    today = sum(row.created > timezone.now() - A_DAY for row in rows)
    if kind != Kind.SUBSCRIBE:
        return today < MOST_OTHER
    return today == 0 and sum(row.used is None for row in rows) < MOST


def busy() -> bool:
    """True when more sign-ups came within an hour than any campaign brings. Asked before an address is looked at."""
    sql = "SELECT COUNT(*) FROM audience_request WHERE kind = %s AND created > %s"
    return quickly.number(sql, [Kind.SUBSCRIBE, timezone.now() - timedelta(hours=1)]) >= MOST_AN_HOUR


def network_may(keyring: Keyring, ip: str) -> bool:
    """Count this use of a form; False when its network had its share today.

    An address of this computer or of an inner network is a proxy that does not say for whom it asks: not counted,
    the other limits hold.
    """
    try:
        address = ip_address(ip.partition("%")[0])
    except ValueError:
        return True
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback or any(address in network for network in INNER if network.version == address.version):
        return True
    today = timezone.now().date()
    network = ip_network(f"{address}/{24 if address.version == 4 else 64}", strict=False)
    who = keyring.sign("network of a form", f"{today} {network}".encode())
    Attempts.objects.get_or_create(who=who, defaults={"day": today})
    Attempts.objects.filter(who=who, count__lte=MOST_A_NETWORK).update(count=F("count") + 1)
    return not Attempts.objects.filter(who=who, count__gt=MOST_A_NETWORK).exists()


def token_of(keyring: Keyring, request: Request) -> str:
    """The text of its link."""
    return keyring.make(Purpose.CONFIRM, bytes(request.token))


def find(stored: bytes) -> tuple[Request | None, Why | None]:
    """The request of a link, and why it does nothing (any more); without a reason it can be used."""
    row = quickly.first(Request, "token = %s", [stored])
    now = timezone.now()
    if row is None or not row.address or (row.used and row.used < now - SAID_AGAIN):
        return None, Why.UNKNOWN
    if row.used:
        return row, Why.USED
    return row, Why.EXPIRED if row.expires < now else None


def use(request: Request) -> bool:
    """True for the one press that counts, in the caller's transaction."""
    now = timezone.now()
    return bool(Request.objects.filter(pk=request.pk, used=None, expires__gte=now).update(used=now))


def tidy() -> int:
    """Empty what is over, so that strangers whose address was typed are not kept; gives back how many."""
    now = timezone.now()
    Attempts.objects.filter(day__lt=now.date()).delete()
    emptied = 0
    for row in Request.objects.filter(created__lt=now - KEPT).exclude(address="").iterator():
        Request.objects.filter(pk=row.pk).update(
            canonical=never.hashed(row.canonical), address="", facts={}, browser="", told=row.told or now
        )
        emptied += 1
    return emptied
