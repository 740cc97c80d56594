"""Passing a conversation on to somebody else: with a record, and with the person's words only when asked."""

from __future__ import annotations

from django.utils import timezone

from newsletter.config import Config
from newsletter.mail import addresses
from newsletter.problems import Exit, NewsletterError, Problem
from newsletter.replies import answering, desk, journal, writing
from newsletter.replies.models import Message
from newsletter.replies.who import Colleague
from newsletter.replies.writing import Letter
from newsletter.sending.models import Notice


def letter(config: Config, number: int, to: str, text: str, *, words: bool = False) -> Letter:
    """The mail as it would leave. Without `words` it holds the reference and what the colleague wrote, and nothing of
    the person: no name, no address, no line of theirs.

    Raises NewsletterError: no-such-conversation, bad-address, nothing-said, never-written-to.
    """
    found = answering.conversation(number)
    try:
        addresses.parse(to)
    except ValueError as error:
        raise NewsletterError(
            Problem("bad-address", f"Mail cannot go to {to!r}: {error}", ""), exit=Exit.USAGE
        ) from None
    answering.may_be_written_to(to)
    if not text.strip() and not words:
        hint = "Say with --text why they get it, or add --words to send what the person wrote."
        raise NewsletterError(Problem("nothing-said", "There is nothing in it", hint), exit=Exit.USAGE)
    parts = [text.strip()] if text.strip() else []
    parts.append(f"Our reference: {found.reference}")
    if words:
        parts.append(_theirs(number))
    return Letter(
        Notice.Kind.FORWARD, to, "", f"Reference {found.reference}: from {config.site.name}", "\n\n".join(parts) + "\n"
    )


def forward(config: Config, number: int, by: Colleague, made: Letter, *, words: bool = False) -> int:
    """Queue it with its record; gives back the notice. The state stays: the person still waits for us."""
    with desk.changing(number, by) as found:
        notice = writing.queued(config, found, made, f"forward:{found.pk}:{found.version}")
        Message.objects.create(
            conversation=found,
            kind=Message.Kind.FORWARD,
            notice=notice,
            by=by.key,
            to_address=made.to,
            message_id=notice.message_id,
            new_words=made.text,
            full_text=made.text,
            on_its_way=True,
        )
        journal.note(found, "forwarded", f"to {made.to}, {'with' if words else 'without'} the person's words", by.key)
    return notice.pk


def _theirs(number: int) -> str:
    """What the person wrote, oldest first, each with its time; who they are is part of what was asked for."""
    rows = Message.objects.filter(conversation=number, kind=Message.Kind.PERSON).order_by("at", "id")
    said = []
    for message in rows:
        at = timezone.localtime(message.at)
        name = message.from_name or message.from_address or "somebody"
        lines = "\n".join(f"> {line}".rstrip() for line in message.new_words.strip().splitlines())
        said.append(f"On {at.day} {at:%B %Y} at {at:%H:%M} {name} <{message.from_address}> wrote:\n{lines}")
    return "\n\n".join(said)
