"""The one door for incoming mail: kept exactly as it came, then read, then sorted.

Whatever brings a message in (a pipe, the catcher, later LMTP, IMAP and webhooks) calls `accept`. When `accept`
returns, the message is on the disk; only then may the mail server be told that we have it.
"""

from __future__ import annotations

import hashlib
import logging

from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction

from newsletter import settings
from newsletter.problems import NewsletterError
from newsletter.replies import enclosures, reading, sorting
from newsletter.replies.models import Kind, Raw
from newsletter.replies.sorting import Verdict
from newsletter.replies.storing import storable

BIGGEST = 50 * 1024 * 1024  # bytes; by mail up to 50 MB is accepted, so that pictures never take the words with them
TRIES = 2  # a message that the reading process twice gave up goes to quarantine, so that the next one is read
# Our own process ended over one message, from outside or for want of memory. That says little about the message, which
# is read in another process, so it is tried for long; but not for ever, or the ones behind it would wait.
CUT_OFF = 25

log = logging.getLogger(__name__)


def accept(raw: bytes, recipient: str, sender: str = "", channel: str = "pipe", source: str = "") -> Verdict:
    """Keep one message for good, then sort it.

    `recipient` is the envelope recipient ("" when nobody knows it: then the headers are asked), `sender` the
    envelope sender ("" = `<>`). `source` is the message's place in a mailbox that is looked into again and again
    (`inbox:INBOX:17:4711`): the same bytes from the same place are one arrival, however often they are fetched.

    Once the bytes are stored nothing is raised any more: what could not be sorted keeps the kind "" and is tried
    again by `finish_unread`. Raises django.db.Error when storing failed, and then the mail server must keep the
    message.
    """
    stored = store(raw, recipient, sender, channel, source)
    if stored.kind == Kind.DUPLICATE:
        original = stored.duplicate_of
        if original is not None and original.kind == Kind.UNREAD:
            _sort_or_leave(original)
        return Verdict(Kind.DUPLICATE, stored.reason, raw_id=stored.pk)
    return _sort_or_leave(stored)


def store(raw: bytes, recipient: str, sender: str, channel: str, source: str = "") -> Raw:
    """The message on the disk, in a transaction of its own; the same message again becomes a duplicate."""
    sha256 = hashlib.sha256(raw).hexdigest()
    source = storable(source, 200)
    if source and (there := Raw.objects.filter(source=source, channel=channel, sha256=sha256).first()):
        return there
    envelope = {
        "source": source,
        "recipient": storable(recipient, 320),
        "sender": storable(envelope_sender(sender), 320),
    }
    to_the_disk(True)
    try:
        try:
            _alone()
            if not recipient and Raw.objects.exclude(kind=Kind.DUPLICATE).filter(sha256=sha256).exists():
                raise IntegrityError("the same bytes, by a way that knew the recipient")
            return Raw.objects.create(sha256=sha256, channel=channel, data=raw, size=len(raw), **envelope)
        except IntegrityError:
            with transaction.atomic(durable=True):
                same = Raw.objects.exclude(kind=Kind.DUPLICATE).filter(sha256=sha256)
                first = (same.filter(recipient=envelope["recipient"]) if recipient else same.order_by("id"))[0]
                if first.erased:  # a folder was read anew: who was erased does not come back by it
                    envelope["sender"] = ""
                return Raw.objects.create(
                    sha256=sha256,
                    channel=channel,
                    data=b"",
                    size=len(raw),
                    kind=Kind.DUPLICATE,
                    reason="the same message again",
                    duplicate_of=first,
                    delivery=first.delivery,
                    **envelope,
                )
    finally:
        to_the_disk(False)


def _alone() -> None:
    """One statement outside every transaction is one commit, and two round trips less than a transaction of its own.
    Raises RuntimeError inside of another, whose end could still undo it after we said that we have the message."""
    if connection.in_atomic_block:
        raise RuntimeError("a message is stored in a transaction that is not its own")


def envelope_sender(sender: str) -> str:
    """The sender without brackets; "" for the empty sender, which Postfix's pipe calls MAILER-DAEMON by default."""
    plain = sender.strip().removeprefix("<").removesuffix(">")
    return "" if plain.lower() == "mailer-daemon" else plain


def finish_unread() -> int:
    """Sort what an interrupted run had stored but not sorted; gives back how many are still unread."""
    # One by one: each may be 50 MB, and a question left open would keep SQLite from tidying its log.
    last, left = 0, 0
    while raw := Raw.objects.filter(kind=Kind.UNREAD, pk__gt=last).order_by("id").first():
        last = raw.pk
        left += _sort_or_leave(raw, wait=0).kind == Kind.UNREAD
    return left


def _sort_or_leave(raw: Raw, wait: float = reading.PATIENCE) -> Verdict:
    """The verdict on a stored message; a fault of ours leaves it unread, because it is safe where it is.

    One message is read at a time: a mail server starts twenty pipes at once, each of which also finishes what it
    finds unread, and they took the reading of another for one that had failed.
    """
    try:
        with reading.turn(settings.current().var, wait) as ours:
            return _sort(raw) if ours else Verdict(Kind.UNREAD, "kept; others are being read", raw_id=raw.pk)
    except NewsletterError as error:
        return Verdict(Kind.UNREAD, str(error), raw_id=raw.pk)
    except Exception as error:
        log.exception("message %s is kept, but could not be sorted", raw.pk)
        return Verdict(Kind.UNREAD, f"kept, but not sorted: {type(error).__name__}", raw_id=raw.pk)


def _sort(raw: Raw) -> Verdict:
    why, failed = f"was cut off {CUT_OFF} times", 0
    while failed < TRIES and _counted(raw):
        try:
            data = bytes(raw.data)
            incoming = reading.read(data)
            enclosures.prepare(data, incoming)
            return sorting.sort(raw, incoming)
        except reading.Unreadable as error:
            why, failed = str(error), failed + 1
        except (NewsletterError, OperationalError, InterfaceError):
            # A lost key or a locked database says nothing about the message: do not count it as a failed reading.
            Raw.objects.filter(pk=raw.pk).update(attempts=raw.attempts - 1)
            raise
    if raw.kind != Kind.UNREAD:
        return sorting.verdict_of(raw)
    return sorting.quarantine(raw, f"reading it {why}")


def _counted(raw: Raw) -> bool:
    """Count one more try; False when there were enough, or when somebody else sorted it before our turn came."""
    mine = Raw.objects.filter(pk=raw.pk, kind=Kind.UNREAD, attempts=raw.attempts)
    if not mine.filter(attempts__lt=CUT_OFF).update(attempts=raw.attempts + 1):
        raw.refresh_from_db(fields=["kind", "reason", "attempts"])
        if raw.kind != Kind.UNREAD or raw.attempts >= CUT_OFF:
            return False
        return _counted(raw)
    raw.attempts += 1
    return True


def to_the_disk(fully: bool) -> None:
    """SQLite: wait for the disk at this commit, so that an acknowledged message also survives a power cut."""
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA synchronous={'FULL' if fully else 'NORMAL'}")
