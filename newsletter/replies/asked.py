"""“You asked, we did”: what people wrote about, by the tags that colleagues put, as a piece for the next issue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from newsletter.replies import acting, forgetting, rules
from newsletter.replies.models import Conversation, Tag

FEWEST = 5  # people: of fewer, neighbours may know who it was
OURS = (acting.ASKS, forgetting.TAG, rules.NOT_SCREENED)  # tags that say what is to be done, not what it was about


@dataclass(frozen=True)
class Theme:
    """One tag: how many different people wrote about it, in how many conversations that are closed now."""

    tag: str
    people: int
    conversations: int


def themes(issue: str = "", since: datetime | None = None) -> list[Theme]:
    """The tags of closed conversations, those of most people first; `issue`: of answers to issues that begin so.

    What was to be looked at first, sensitive or held is never in it: nobody in danger becomes a piece of news.
    """
    closed = Conversation.objects.filter(state=Conversation.State.CLOSED, merged_into=None)
    closed = closed.filter(look_first="", sensitive=False, held=False)
    if issue:
        closed = closed.filter(mailing__slug__startswith=issue)
    if since:
        closed = closed.filter(changed__gte=since)
    people: dict[str, set[str]] = defaultdict(set)
    numbers: dict[str, int] = defaultdict(int)
    rows = Tag.objects.filter(conversation__in=closed).exclude(word__in=OURS)
    for word, number, writer in rows.values_list("word", "conversation", "conversation__writer"):
        people[word].add(writer or str(number))  # who says no address is counted by what they wrote
        numbers[word] += 1
    found = [Theme(word, len(people[word]), numbers[word]) for word in people if len(people[word]) >= FEWEST]
    return sorted(found, key=lambda one: (-one.people, one.tag))


def block(found: Sequence[Theme]) -> str:
    """The piece, as an issue is written; what was done is for a person to say."""
    parts = [f"**{one.tag.capitalize()}** ({one.people} people wrote): say here what was done." for one in found]
    return "\n\n".join(["## You asked, we did", *parts]) + "\n"
