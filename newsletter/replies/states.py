"""The states of a conversation, and where each event leads: new → open → waiting → closed, snoozed, spam."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from newsletter.replies.models import Conversation

State = Conversation.State
NEW, OPEN, WAITING, SNOOZED, CLOSED, SPAM = (
    State.NEW,
    State.OPEN,
    State.WAITING,
    State.SNOOZED,
    State.CLOSED,
    State.SPAM,
)


class Event(StrEnum):
    """What can happen to a conversation."""

    WROTE = "wrote"  # a person's message
    AUTOMATIC = "automatic"  # an out-of-office, a receipt: it moves nothing
    CLAIM = "claim"
    ANSWER = "answer"
    CLOSE = "close"
    REOPEN = "reopen"
    SNOOZE = "snooze"
    WAKE = "wake"
    SPAM = "spam"
    FAILED = "failed"  # our answer did not arrive


ALL = (NEW, OPEN, WAITING, SNOOZED, CLOSED, SPAM)
# What is not listed is refused, because it would do nothing or hide something.
NEXT: Mapping[Event, Mapping[State, State]] = MappingProxyType(
    {
        # Spam stays spam: somebody decided that. It is counted and listed, and one verb brings it back.
        Event.WROTE: {NEW: NEW, OPEN: OPEN, WAITING: OPEN, SNOOZED: OPEN, CLOSED: OPEN, SPAM: SPAM},
        Event.AUTOMATIC: {state: state for state in ALL},
        Event.CLAIM: {NEW: OPEN, OPEN: OPEN, WAITING: WAITING, SNOOZED: OPEN, CLOSED: CLOSED},
        Event.ANSWER: {NEW: WAITING, OPEN: WAITING, WAITING: WAITING, SNOOZED: WAITING, CLOSED: WAITING},
        Event.CLOSE: {NEW: CLOSED, OPEN: CLOSED, WAITING: CLOSED, SNOOZED: CLOSED},
        Event.REOPEN: {WAITING: OPEN, SNOOZED: OPEN, CLOSED: OPEN, SPAM: OPEN},
        Event.SNOOZE: {NEW: SNOOZED, OPEN: SNOOZED, WAITING: SNOOZED, SNOOZED: SNOOZED},
        Event.WAKE: {SNOOZED: OPEN},
        Event.SPAM: {NEW: SPAM, OPEN: SPAM, WAITING: SPAM, SNOOZED: SPAM, CLOSED: SPAM},
        Event.FAILED: {NEW: NEW, OPEN: OPEN, WAITING: OPEN, SNOOZED: OPEN, CLOSED: OPEN, SPAM: SPAM},
    }
)


def after(state: str, event: Event) -> State | None:
    """The state that follows; None where the event has no place in this state."""
    return NEXT[event].get(State(state))
