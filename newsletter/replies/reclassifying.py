"""Colleagues correct the sorting: a machine's mail becomes a person's, or the other way, and what it did is undone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from newsletter import settings
from newsletter.audience import subscribing
from newsletter.mail.incoming import Incoming
from newsletter.mail.tokens import Keyring
from newsletter.problems import Exit, NewsletterError, Problem
from newsletter.replies import acting, conversations, sorting, undoing
from newsletter.replies.identifying import identify
from newsletter.replies.models import Bounce, Complaint, Conversation, DeskEntry, Kind, Message, Raw, Tag
from newsletter.sending.reporting import ASKED

TARGETS = ("person", "auto", "spam")
MACHINES = (Kind.AUTO, Kind.BOUNCE, Kind.COMPLAINT, Kind.UNSUBSCRIBE, Kind.QUARANTINE)


@dataclass(frozen=True)
class Changed:
    """What a correction did: the conversation it concerns, and what was taken back, in words."""

    conversation_id: int | None
    undone: tuple[str, ...]


def to(number: int, target: str, by: str, incoming: Incoming | None = None) -> Changed:
    """Sort message `number` anew as `target` (one of TARGETS), said by `by`.

    `incoming` is the message read, wanted for `person`. Raises NewsletterError(no-such-message) and
    (sorted-so-already). The old verdict stays in the reason, so that nothing is forgotten.
    """
    if target not in TARGETS:
        raise ValueError(target)
    with transaction.atomic():
        raw = Raw.objects.select_for_update().filter(pk=number).first()
        if raw is None or raw.kind in (Kind.UNREAD, Kind.DUPLICATE):
            raise _no_such(number)
        if target == "person":
            if raw.kind == Kind.PERSON or incoming is None:
                raise _already(number, target)
            return _to_person(raw, incoming, by)
        if raw.kind != Kind.PERSON:
            raise _already(number, raw.kind)
        return _to_machine(raw, by) if target == "auto" else _to_spam(raw, by)


def leave(conversation: Conversation, by: str) -> tuple[str, ...]:
    """One press on the suggestion: take the writer off the lists through which they got the copy; which ones.

    Nothing when they are not the person that the copy went to: nobody is taken off by somebody else's words.
    """
    delivery = conversation.delivery
    if delivery is None or conversation.someone_else:
        return ()
    with transaction.atomic():
        why = f"{by} {ASKED} in conversation {conversation.pk}"
        change = subscribing.leave(delivery.canonical, delivery.lists, "staff", why=why)
        Tag.objects.filter(conversation=conversation, word=acting.ASKS).delete()
        lists = change.lists or (("everything",) if change.changed else ())
        words = f"off {', '.join(lists)}" if lists else "was off already"
        DeskEntry.objects.create(conversation=conversation, by=by[:100], what="left", words=words[:400])
        return lists


def lately(kind: str = "", limit: int = 50) -> list[dict[str, Any]]:
    """The newest messages that were not taken for a person's, for checking the sorting."""
    rows = Raw.objects.filter(kind__in=[kind] if kind else list(MACHINES)).defer("data").order_by("-id")[:limit]
    return [
        {
            "id": row.pk,
            "kind": row.kind,
            "detail": row.detail,
            "sender": row.sender,
            "received": _moment(row.received),
            "reason": row.reason,
        }
        for row in rows
    ]


def _to_person(raw: Raw, incoming: Incoming, by: str) -> Changed:
    was = f"{raw.kind}: {raw.reason}"
    undone = _undo(raw, by)
    Message.objects.filter(raw=raw, kind=Message.Kind.AUTO).delete()
    config = settings.current()
    copy = identify(incoming, raw.recipient, config, Keyring.load(config.var / "secret.key"))
    raw.delivery, raw.answers = sorting.mail_of(copy)
    raw.detail = ""
    kind, reason, conversation_id = conversations.attach(raw, incoming, copy)
    sorting.settle(raw, kind, f"{reason}; sorted anew by {by} (was {was})")
    words = f"message {raw.pk} was {was}; {', '.join(undone) or 'nothing had to be undone'}"
    DeskEntry.objects.create(conversation_id=conversation_id, by=by[:100], what="sorted", words=words[:400])
    return Changed(conversation_id, undone)


def _undo(raw: Raw, by: str) -> tuple[str, ...]:
    """Take back what this very message did; in words."""
    undone = []
    if Bounce.objects.filter(raw=raw).delete()[0]:
        undone.append("the bounce was removed")
    if Complaint.objects.filter(raw=raw).delete()[0]:
        undone.append("the complaint was removed")
    if undoing.suppression(raw, by):
        undone.append("the address gets mail again")
    if undoing.leaving(raw, by):
        undone.append("the lists are back")
    return tuple(undone)


def _to_machine(raw: Raw, by: str) -> Changed:
    message = Message.objects.filter(raw=raw).select_related("conversation").first()
    if message is None:
        raise _no_such(raw.pk)
    conversation = message.conversation
    message.kind = Message.Kind.AUTO
    message.save(update_fields=["kind"])
    if not conversation.messages.filter(kind=Message.Kind.PERSON).exists():
        _end(conversation, Conversation.State.CLOSED)
    raw.detail = "staff"
    sorting.settle(raw, Kind.AUTO, f"sorted anew by {by} (was person: {raw.reason})")
    said = f"message {raw.pk} is automatic"
    DeskEntry.objects.create(conversation=conversation, by=by[:100], what="sorted", words=said)
    return Changed(conversation.pk, ())


def _to_spam(raw: Raw, by: str) -> Changed:
    message = Message.objects.filter(raw=raw).select_related("conversation").first()
    if message is None:
        raise _no_such(raw.pk)
    _end(message.conversation, Conversation.State.SPAM)
    said = f"message {raw.pk} is junk"
    DeskEntry.objects.create(conversation=message.conversation, by=by[:100], what="sorted", words=said)
    return Changed(message.conversation_id, ())


def _end(conversation: Conversation, state: str) -> None:
    """No answer is owed any more: neither the clock nor the look-at-first notices go on."""
    conversation.state, conversation.version = state, conversation.version + 1
    conversation.waiting_since = conversation.due = conversation.climb_at = None
    conversation.save(update_fields=["state", "version", "waiting_since", "due", "climb_at", "changed"])


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _no_such(number: int) -> NewsletterError:
    hint = "`newsletter replies sorted` shows the numbers of what was not taken for a person's."
    return NewsletterError(Problem("no-such-message", f"There is no message {number} to sort", hint), exit=Exit.USAGE)


def _already(number: int, kind: str) -> NewsletterError:
    hint = "Nothing was changed. `newsletter replies sorted` shows what each message counts as."
    problem = Problem("sorted-so-already", f"Message {number} counts as {kind} already", hint)
    return NewsletterError(problem, exit=Exit.REFUSED)
