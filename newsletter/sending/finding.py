"""Which delivery a Message-ID names: ours, or the one that a relay put in its place."""

from __future__ import annotations

import re

from newsletter import settings
from newsletter.audience import quickly
from newsletter.config import Config
from newsletter.mail.tokens import Keyring, Purpose
from newsletter.sending.models import Delivery, UnsubscribeKey
from newsletter.sending.store import loaded

# Both at once, for every page and press of a link asks.
_KEY = """SELECT 0, canonical, lists FROM sending_unsubscribekey WHERE token = %s
    UNION ALL SELECT 1, canonical, lists FROM sending_delivery WHERE token = %s"""
_REMOTE = re.compile(r"[\w.+-]{8,200}")


def delivery_of(message_id: str) -> Delivery | None:
    """The delivery of `<m@reply_domain>`, or of `<id@…>` where a relay replaces our Message-ID by the id of its 250."""
    config = settings.current()
    local, _, domain = message_id.strip("<> \t\r\n").rpartition("@")
    if domain.lower() == config.mail.reply_domain.lower():
        read = Keyring.load(config.var / "secret.key").read(local)
        if read is None or read[0] is not Purpose.MESSAGE_ID:
            return None
        return Delivery.objects.filter(token=read[1]).first()
    return by_remote_id(config, local)


def unsubscribe_key(stored: bytes) -> UnsubscribeKey | None:
    """Whom and which lists a `u` token names; None when it is in no record of ours.

    The token of a mail is its delivery's, so that approving writes no second row a person (a third of the freeze).
    Keys of earlier versions, and those kept when a ledger is thinned out (freezing.keep_unsubscribe_keys), are rows.
    """
    found = quickly.rows(_KEY, [stored, stored])
    if not found:
        return None
    _, canonical, lists = min(found, key=lambda row: int(row[0]))
    return UnsubscribeKey(token=stored, canonical=canonical, lists=sorted(loaded(lists)))


def by_remote_id(config: Config, remote_id: str) -> Delivery | None:
    """The one delivery that a relay gave this id in its 250; asked only where a relay replaces Message-IDs, because
    elsewhere the id stands in no mail (Amazon SES: 250 `Ok 0102…` becomes `<0102…@email.amazonses.com>`)."""
    relays = [key for key, relay in config.relays.items() if "message_id" not in relay.keeps]
    if not relays or not _REMOTE.fullmatch(remote_id):
        return None
    found = list(Delivery.objects.filter(remote_id=remote_id, relay__in=[*relays, ""])[:2])
    return found[0] if len(found) == 1 else None
