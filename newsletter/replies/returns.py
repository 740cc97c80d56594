"""What became of our answers: one that did not arrive brings its conversation back to the desk, with a note."""

from __future__ import annotations

from django.db import transaction

from newsletter.replies import clock, desk, journal
from newsletter.replies.models import Bounce, Message
from newsletter.replies.states import Event
from newsletter.sending.models import Notice

State = Notice.State
UNDER_WAY = (State.PENDING, State.INFLIGHT, State.DEFERRED)
FOR_GOOD = (Bounce.Outcome.GONE, Bounce.Outcome.FULL, Bounce.Outcome.BLOCKED, Bounce.Outcome.UNKNOWN)


def look() -> int:
    """Look at every answer and forward whose end is not known yet, and at what came back since; gives back how many
    conversations were brought back."""
    ours = Message.objects.filter(on_its_way=True).select_related("notice").defer("notice__data")
    number = 0
    for message in ours.order_by("id")[:1000]:
        notice = message.notice
        if notice is not None and notice.state in UNDER_WAY:
            continue
        if notice is None or notice.state in (State.ACCEPTED, State.CANCELLED):
            Message.objects.filter(pk=message.pk).update(on_its_way=False)
        elif notice.state == State.UNCERTAIN:
            number += _came_back(message, f"nobody knows whether it arrived: {notice.reason}")
        else:
            number += _came_back(message, notice.reason or notice.state)
    bounced = Bounce.objects.filter(notice__message__trouble="", outcome__in=FOR_GOOD).select_related("notice__message")
    for bounce in bounced.defer("notice__data")[:1000]:
        assert bounce.notice is not None
        words = bounce.words or bounce.get_outcome_display()
        number += _came_back(bounce.notice.message, f"it came back: {words}")
    return number


def _came_back(message: Message, why: str) -> int:
    """Once for each of our mails: a note for colleagues, the conversation open, the clock as if never answered."""
    with transaction.atomic():
        if not Message.objects.filter(pk=message.pk, trouble="").update(on_its_way=False, trouble=why[:300]):
            return 0  # another process has just said it
        _say(message, why)
    return 1


def _say(message: Message, why: str) -> None:
    with desk.changing(desk.root(message.conversation_id), None) as found:
        what = "forward" if message.kind == Message.Kind.FORWARD else "answer"
        Message.objects.create(
            conversation=found,
            kind=Message.Kind.NOTE,
            by=journal.OURSELVES,
            new_words=f"The {what} to {message.to_address} did not arrive: {why}",
        )
        journal.note(found, "not-arrived", f"the {what} to {message.to_address}: {why}")
        if message.kind == Message.Kind.ANSWER:
            desk.step(found, Event.FAILED)
            if found.waiting_since is not None:
                clock.again(found)  # what was counted as answered was not
