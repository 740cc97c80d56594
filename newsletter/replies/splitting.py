"""A conversation in which a second matter was begun, made into two: each with its own clock, team and answer."""

from __future__ import annotations

from django.db import transaction

from newsletter.problems import Exit, NewsletterError, Problem
from newsletter.replies import clock, desk, journal, states
from newsletter.replies.models import Conversation, Message, new_reference
from newsletter.replies.who import Colleague

HINT = "`newsletter replies show NUMBER` numbers the messages; the first one stays where it is."


def split(number: int, first: int, by: Colleague) -> Conversation:
    """Part message `first` (they count from 1, as `show` numbers them) and all after it from conversation `number`.

    Gives back the new conversation; what they write next comes to it, for it is the latest. It keeps what protects a
    person: a legal hold, a sensitive subject, that it is not safe to write, what should be looked at first. Nobody has
    it yet. Raises NewsletterError: no-such-conversation, merged-away, not-to-split.
    """
    with transaction.atomic():
        with desk.changing(number, by) as found:
            moved = _after(found, first)
            made = _copy(found)
            Message.objects.filter(pk__in=[one.pk for one in moved]).update(conversation=made)
            if found.state not in (states.CLOSED, states.SPAM):
                _reckon(found)
            if made.state != states.SPAM:
                _reckon(made)
            journal.note(found, "split", f"what follows message {first - 1} is conversation {made.pk}", by.key)
        made.save()
        journal.note(made, "split", f"from conversation {number}", by.key)
    return made


def _after(found: Conversation, first: int) -> list[Message]:
    """The messages that go. At least one stays, and one of theirs goes: else there would be nobody to answer."""
    shown = list(found.messages.defer("new_words", "full_text", "html").order_by("at", "id"))
    moved = shown[first - 1 :]
    if found.merged.exists():
        hint = f"`newsletter replies merge` with --undo parts what was merged into {found.pk}; then split it."
        raise _refused(f"{found.pk} shows other conversations, too", hint)
    if first < 2 or not any(one.kind == Message.Kind.PERSON for one in moved):
        raise _refused(f"From message {first} on, nothing of theirs could be parted from conversation {found.pk}", HINT)
    if not any(one.kind == Message.Kind.PERSON for one in shown[: first - 1]):
        raise _refused(f"Before message {first} there is nothing of theirs that could stay in {found.pk}", HINT)
    return moved


def _copy(found: Conversation) -> Conversation:
    """The same writer about the same copy, as a row of its own."""
    made = Conversation.objects.get(pk=found.pk)
    made.pk, made._state.adding = None, True
    made.reference, made.version = new_reference(), 1
    made.assignee, made.snoozed_until = "", None
    made.save()
    return made


def _reckon(one: Conversation) -> None:
    """Whoever has not had an answer waits: from their oldest message that none follows. The caller saves."""
    theirs = Message.objects.filter(conversation=one, kind=Message.Kind.PERSON)
    answers = Message.objects.filter(conversation=one, kind=Message.Kind.ANSWER, trouble="").order_by("at", "id")
    last = answers.last()
    if last is None or theirs.filter(at__gt=last.at).exists():
        clock.again(one)
        one.state, one.snoozed_until = states.OPEN, None
    else:
        clock.stop(one)
        one.state = one.state if one.state == states.CLOSED else states.WAITING
    if last is None:
        one.answered_at = one.answered_in_target = None


def _refused(text: str, hint: str) -> NewsletterError:
    return NewsletterError(Problem("not-to-split", text, hint), exit=Exit.REFUSED)
