"""Forgetting a person's replies: words, raw mail, our answers and files go; numbers stay, and so does what is held.

The row of an incoming message is emptied, not deleted: what was received still adds up, and the same mail read once
more is known. A later message of the same person is new, and reaches a colleague like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from django.db import OperationalError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from newsletter import settings
from newsletter.mail import addresses
from newsletter.problems import Exit, NewsletterError, Problem, Severity
from newsletter.replies import reading
from newsletter.replies.models import Attachment, Bounce, Complaint, Conversation, Erasure, Kind, Message, Raw
from newsletter.sending.models import Notice

ASKED, AGED = "asked", "kept long enough"
GONE = "erased"  # stands where a reason could hold an address
WAIT = 30.0  # seconds for the turn to read: while somebody else sorts mail, files could come that we are deleting


@dataclass
class Plan:
    """What an erasure touches: numbers of rows, found before anything is changed."""

    conversations: list[int] = field(default_factory=list)
    raw: list[int] = field(default_factory=list)
    notices: list[int] = field(default_factory=list)
    hashes: set[str] = field(default_factory=set)
    held: list[int] = field(default_factory=list)  # conversations that a legal hold keeps
    copies: list[int] = field(default_factory=list)  # conversations of others that answer a copy of theirs
    messages: int = 0

    @property
    def empty(self) -> bool:
        return not (self.conversations or self.raw or self.notices)

    def counts(self) -> dict[str, int]:
        """For --json and for the record."""
        return {
            "conversations": len(self.conversations),
            "messages": self.messages,
            "raw": len(self.raw),
            "notices": len(self.notices),
            "files": len(self.hashes),
            "held": len(self.held),
        }


def plan_person(canonical: str) -> Plan:
    """Everything here that a person wrote or was written, by their address for comparing.

    What somebody else wrote from a copy that this person had passed on is that somebody's, and stays.
    """
    theirs = Conversation.objects.filter(Q(writer=canonical) | Q(subscriber__canonical=canonical))
    held = list(theirs.filter(held=True).values_list("pk", flat=True))
    plan = plan_conversations(theirs.filter(held=False).values_list("pk", flat=True))
    plan.held = held
    plan.copies = list(Conversation.objects.filter(delivery__canonical=canonical).values_list("pk", flat=True))
    others = Q(message__isnull=False) & ~Q(message__conversation__in=plan.conversations)
    copies = Q(duplicate_of__message__isnull=False) & ~Q(duplicate_of__message__conversation__in=plan.conversations)
    rows = Raw.objects.filter(erased=None).exclude(others).exclude(copies)
    found = rows.filter(
        Q(delivery__canonical=canonical) | Q(sender__iexact=canonical) | Q(answers__canonical=canonical)
    )
    also = set(found.values_list("pk", flat=True))
    also |= set(_named_inside(canonical))
    also |= set(Bounce.objects.filter(canonical=canonical).values_list("raw_id", flat=True))
    also |= set(Complaint.objects.filter(canonical=canonical).values_list("raw_id", flat=True))
    plan.raw = sorted({*plan.raw, *also})
    mine = Notice.objects.filter(canonical=canonical).exclude(kind=Notice.Kind.STAFF)
    mine = mine.filter(Q(message=None) | Q(message__conversation__in=plan.conversations))
    plan.notices = sorted({*plan.notices, *mine.values_list("pk", flat=True)})
    return plan


def plan_conversations(numbers: Iterable[int]) -> Plan:
    """Everything that belongs to these conversations alone."""
    plan = Plan(conversations=sorted(numbers))
    messages = Message.objects.filter(conversation__in=plan.conversations)
    plan.messages = messages.count()
    raw = [pk for pk in messages.values_list("raw", flat=True) if pk is not None]
    again = Raw.objects.filter(duplicate_of__in=raw).values_list("pk", flat=True)
    plan.raw = sorted({*raw, *again})
    plan.notices = sorted(pk for pk in messages.values_list("notice", flat=True) if pk is not None)
    hashes = Attachment.objects.filter(message__conversation__in=plan.conversations).exclude(sha256="")
    kept = Attachment.objects.exclude(message__conversation__in=plan.conversations)
    mine = set(hashes.values_list("sha256", flat=True))
    plan.hashes = mine - set(kept.filter(sha256__in=mine).values_list("sha256", flat=True))
    return plan


def erase_person(canonical: str, by: str, *, compacting: bool = True) -> tuple[Plan, list[Problem]]:
    """Erase what `plan_person` finds; gives back what was erased, and what is still to be done by somebody.

    For `recipients forget`, which does the rest (the person, the ledger, `compact`). Raises
    NewsletterError(erasing-busy).
    """
    with _alone():
        with transaction.atomic():
            plan = plan_person(canonical)
            _empty(plan, by, ASKED)
            Bounce.objects.filter(canonical=canonical).update(canonical="", words="")
            Complaint.objects.filter(canonical=canonical).update(canonical="")
            # "from someone else, via ameera@example.net" stands with what others wrote; the words stay theirs.
            Raw.objects.filter(reason__icontains=canonical).update(reason=GONE)
        _files(plan)
        return plan, compact() if compacting else []


def erase_conversations(numbers: Iterable[int], raw: Iterable[int], by: str) -> Plan:
    """Erase these conversations and these other incoming messages, because they were kept long enough."""
    with _alone():
        with transaction.atomic():
            plan = plan_conversations(
                Conversation.objects.select_for_update()
                .filter(pk__in=list(numbers), held=False)
                .values_list("pk", flat=True)
            )
            plan.raw = sorted({*plan.raw, *raw})
            _empty(plan, by, AGED)
        _files(plan)
    return plan


def _empty(plan: Plan, by: str, why: str) -> None:
    """The rows, in the caller's transaction. Only numbers are written down: never whose it was."""
    list(Conversation.objects.select_for_update().filter(pk__in=plan.conversations).values_list("pk"))
    late = set(Conversation.objects.filter(pk__in=plan.conversations, held=True).values_list("pk", flat=True))
    if late:  # held since we looked: then nothing of it is touched, and the next run finds the rest
        hint = "Nothing was erased. Run it again: what is held stays."
        message = "A legal hold was put on one of these conversations meanwhile"
        raise NewsletterError(Problem("erasing-busy", message, hint), exit=Exit.TRY_AGAIN)
    Conversation.objects.filter(pk__in=plan.conversations).delete()
    now = timezone.now()
    for row in Raw.objects.filter(pk__in=plan.raw).only("pk", "recipient", "kind"):
        Raw.objects.filter(pk=row.pk).update(
            data=b"", sender="", reason=GONE, recipient=_ours(row.recipient, row.pk), erased=now
        )
    Notice.objects.filter(pk__in=plan.notices).delete()
    if not plan.empty:
        Erasure.objects.create(by=by[:100], why=why, **plan.counts())


def _ours(recipient: str, number: int) -> str:
    """The recipient, where it is an address of ours: with the hash it tells a mail that is read again. Else nothing."""
    config = settings.current()
    domain = recipient.rpartition("@")[2].lower()
    ours = {config.mail.reply_domain.lower(), config.mail.bounce_domain.lower()}
    return recipient if domain in ours else f"erased:{number}"


def _named_inside(canonical: str) -> Iterator[int]:
    """Mail that came to no copy of theirs (set aside, or to the unsubscribe address), and still holds their address."""
    needle = canonical.encode()
    doubtful = Raw.objects.filter(erased=None, delivery=None).exclude(kind__in=(Kind.UNREAD, Kind.PERSON))
    for row in doubtful.only("pk", "data").iterator(chunk_size=20):
        if needle in bytes(row.data).lower():
            yield row.pk


def _files(plan: Plan) -> None:
    """The files on the disk, once no row names them any more."""
    var = settings.current().var
    kept = set(Attachment.objects.filter(sha256__in=plan.hashes).values_list("sha256", flat=True))
    for sha256 in plan.hashes - kept:
        _away(var / "attachments" / sha256[:2] / sha256)
    for number in plan.raw:  # the copies that `show --raw` and `show --copy` wrote
        _away(var / "raw" / f"{number}.eml")
    for number in (*plan.conversations, *plan.copies):
        _away(var / "copies" / f"{number}.eml")


def _away(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        hint = "The rows are erased; delete this file by hand."
        message = f"{path} could not be deleted: {error.strerror or error}"
        raise NewsletterError(Problem("cannot-write", message, hint), exit=Exit.FAILURES) from error


@contextmanager
def _alone() -> Iterator[None]:
    """Nobody sorts mail meanwhile; and SQLite writes zeros over what is deleted."""
    with reading.turn(settings.current().var, WAIT) as ours:
        if not ours:
            hint = "Run it again in a minute."
            message = "Mail is being sorted at this moment, so nothing was erased"
            raise NewsletterError(Problem("erasing-busy", message, hint), exit=Exit.TRY_AGAIN)
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA secure_delete=ON")
        yield


def compact() -> list[Problem]:
    """Rewrite the database's file, so that no old page keeps the words (SQLite); a busy file is said, not waited for.

    PostgreSQL gives the room of deleted rows to new ones by its autovacuum; only a dump shows what is there, and
    there they are gone.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        return []
    try:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            busy = (cursor.fetchone() or (0,))[0]
    except OperationalError:
        busy = 1
    if not busy:
        return []
    hint = "Stop the worker for a moment and run the same command again; it then finds nothing to erase and tidies up."
    message = "Everything is erased, but the database was in use: its file may still hold old pages"
    return [Problem("not-compacted", message, hint, severity=Severity.WARNING)]


def canonical_of(address: str) -> str:
    """The address for comparing. Raises NewsletterError(bad-address)."""
    try:
        return addresses.canonical(address)
    except ValueError as error:
        message = f"‘{address[:80]}’ is not an e-mail address: {error}"
        raise NewsletterError(Problem("bad-address", message), exit=Exit.USAGE) from None
