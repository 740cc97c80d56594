"""The desk's lists: who waits, whose it is, how much time is left; one page at a time, by indexes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Count, Exists, F, Min, OuterRef, Q, QuerySet
from django.utils import timezone

from newsletter.config import Config
from newsletter.replies import showing
from newsletter.replies.models import CLOCK_RUNS, WAITS, Conversation, Message, Tag
from newsletter.sending.models import Mailing

State = Conversation.State
RESTING = (State.WAITING, State.SNOOZED, State.CLOSED, State.SPAM)
PAGE = 50
FEW = 2_000  # messages with a word, or conversations that ring; fewer are gathered first, by their numbers
MOST_COUNTED = 10_000  # beyond that the number is "10,000 or more": counting would read every row
# To be looked at first, and nobody has taken it yet. An index of its own holds these few (conversation_climbs).
RINGS = Q(climb_at__isnull=False)


@dataclass(frozen=True)
class Filter:
    """Which conversations; what is empty does not matter. `state`: one of the states, "needs" (an answer) or "all"."""

    state: str = "needs"
    assignee: str = ""
    team: str = ""
    issue: str = ""
    tag: str = ""
    words: str = ""
    overdue: bool = False
    unassigned: bool = False
    look_first: bool = False


@dataclass(frozen=True)
class Page:
    """One page, and how many there are in all (at most MOST_COUNTED)."""

    rows: list[dict[str, Any]]
    total: int
    number: int
    size: int

    @property
    def more(self) -> bool:
        return self.number * self.size < self.total


def page(config: Config, wanted: Filter, number: int = 1, size: int = PAGE, now: datetime | None = None) -> Page:
    """The conversations, whoever has waited longest first; of those that do not wait, the latest first.

    Above who waits stands what should be looked at first and nobody has taken: it must not be found on page two.
    """
    now = now or timezone.now()
    found = narrowed(wanted, now)
    start = (number - 1) * size
    numbers = (
        _of_those_who_wait(found, start, size + 1) if waits(wanted) else _cut(found.order_by("-id"), start, size + 1)
    )
    total = start + len(numbers) if len(numbers) <= size and (numbers or number == 1) else counted(found)
    numbers = numbers[:size]
    rows = with_facts(config, numbers, now)
    return Page([rows[pk] for pk in numbers if pk in rows], total, number, size)


def _of_those_who_wait(found: QuerySet[Conversation], start: int, many: int) -> list[int]:
    """A part of the list: what rings, then the others, each by how long they wait. Asked one after the other, each by
    its own index: one query that sorted both together would read every row."""
    ordered = found.order_by("waiting_since", "id")
    ids = list(Conversation.objects.filter(RINGS).values_list("pk", flat=True)[: FEW + 1])
    if not ids:
        return _cut(ordered, start, many)
    rings = Q(pk__in=ids) if len(ids) <= FEW else RINGS
    ringing = list(ordered.filter(rings).values_list("pk", flat=True))
    above = ringing[start : start + many]
    return above + _cut(ordered.exclude(rings), max(0, start - len(ringing)), many - len(above))


def _cut(ordered: QuerySet[Conversation], start: int, many: int) -> list[int]:
    return list(ordered.values_list("pk", flat=True)[start : start + many])


def numbers(wanted: Filter) -> list[int]:
    """Every conversation of a filter, whoever has waited longest first."""
    found = narrowed(wanted, timezone.now()).order_by("waiting_since", "id")
    return list(found.values_list("pk", flat=True))


def counted(found: QuerySet[Conversation]) -> int:
    """How many, without reading more than MOST_COUNTED index entries."""
    return found.order_by().values("pk")[:MOST_COUNTED].count()


def waits(wanted: Filter) -> bool:
    return wanted.state == "needs" or wanted.overdue


def narrowed(wanted: Filter, now: datetime) -> QuerySet[Conversation]:
    """The conversations of a filter, not yet in an order. What was merged away is shown with the other."""
    found = Conversation.objects.all()
    if waits(wanted):
        # Said as what they are not, because a state or a merge that is asked for would choose its own index, and sort.
        # What was merged away is closed.
        found = found.filter(CLOCK_RUNS).exclude(state__in=RESTING)
    else:
        found = found.filter(merged_into=None)
        found = found if wanted.state == "all" else found.filter(state=wanted.state)
    for column in ("assignee", "team"):
        if value := getattr(wanted, column):
            found = found.filter(**{column: value})
    if wanted.unassigned:
        found = found.filter(assignee="")
    if wanted.issue:
        issues = Mailing.objects.filter(slug__startswith=wanted.issue).values_list("pk", flat=True)
        found = found.filter(mailing__in=list(issues))
    if wanted.tag:
        found = found.filter(Exists(Tag.objects.filter(conversation=OuterRef("pk"), word=wanted.tag.lower())))
    if wanted.overdue:
        found = found.filter(due__lt=now)
    if wanted.look_first:
        found = found.exclude(look_first="")
    for word in wanted.words.split():
        # SQLite has no index of words: it looks through those who wait sooner than through what everybody wrote.
        few = None if waits(wanted) and connection.vendor == "sqlite" else _few(word)
        found = found.filter(_has(word) if few is None else Q(pk__in=few))
    return found


def _has(word: str) -> Q:
    """The word stands in what was written, in a note, in the subject, or in who wrote; a reference is found too."""
    # The second condition says nothing new. It keeps PostgreSQL from first gathering every conversation with the word
    # (230 ms for one that many wrote, 760 for two), where the list needs the first fifty of those it walks.
    here = Message.objects.filter(conversation=OuterRef("pk"), conversation__gte=OuterRef("pk"))
    return Exists(here.filter(new_words__icontains=word)) | _named(word)


def _named(word: str) -> Q:
    named = Q(subject__icontains=word) | Q(from_name__icontains=word) | Q(from_address__icontains=word)
    return named | Q(reference=word.upper())


def _few(word: str) -> set[int] | None:
    """The conversations with a word that few wrote, by the indexes of migration 0007; None when there are many: those
    are found soon enough on the way down the list."""
    said = Message.objects.filter(new_words__icontains=word).order_by()
    found = list(said.values_list("conversation", flat=True)[:FEW])
    if len(found) < FEW:
        named = Conversation.objects.filter(_named(word)).order_by()
        found += named.values_list("pk", flat=True)[: FEW - len(found)]
    return set(found) if len(found) < FEW else None


def with_facts(config: Config, numbers: Iterable[int], now: datetime) -> dict[int, dict[str, Any]]:
    """What a row of the list shows, by number. A fixed number of queries, whatever the page's size."""
    numbers = list(numbers)
    rows = Conversation.objects.filter(pk__in=numbers).select_related("mailing", "delivery", "subscriber")
    rows = rows.defer("mailing__rendered", "mailing__public", "mailing__settings", "delivery__values")
    words, counts = latest_words(numbers)
    tags: dict[int, list[str]] = {}
    for pk, word in Tag.objects.filter(conversation__in=numbers).order_by("word").values_list("conversation", "word"):
        tags.setdefault(pk, []).append(word)
    return {
        row.pk: {
            **showing.summary(config, row, now),
            "first_words": " ".join(words.get(row.pk, "").split())[:200],
            "messages": counts.get(row.pk, 0),
            "tags": tags.get(row.pk, []),
        }
        for row in rows
    }


def latest_words(numbers: list[int]) -> tuple[dict[int, str], dict[int, int]]:
    """The words of their latest message, and how many messages there are, for each conversation of one page."""
    theirs = Message.objects.filter(conversation__in=numbers, kind=Message.Kind.PERSON)
    words: dict[int, str] = dict(theirs.order_by("at", "id").values_list("conversation", "new_words"))
    several = Message.objects.filter(conversation__in=numbers).order_by().values_list("conversation")
    return words, dict(several.annotate(n=Count("id")))


def by_issue(now: datetime | None = None) -> list[dict[str, Any]]:
    """How many replies each issue has, how many of them wait, and the oldest of those: most waiting first."""
    now = now or timezone.now()
    rows = Conversation.objects.filter(merged_into=None).exclude(state=State.SPAM).order_by()
    waiting = Count("id", filter=WAITS)
    found = rows.values("mailing").annotate(
        replies=Count("id"),
        need=waiting,
        late=Count("id", filter=WAITS & Q(due__lt=now)),
        oldest=Min("waiting_since", filter=WAITS),
    )
    named = dict(Mailing.objects.values_list("pk", "slug"))
    rows_ = [
        {
            "issue": named.get(one["mailing"]),
            "replies": one["replies"],
            "need": one["need"],
            "late": one["late"],
            "oldest": one["oldest"],
        }
        for one in found
    ]
    return sorted(rows_, key=lambda one: (-one["need"], -one["replies"], one["issue"] or ""))


def totals(key: str = "", now: datetime | None = None) -> dict[str, int]:
    """How many need an answer, are late, are nobody's, are to be looked at first, and are mine."""
    now = now or timezone.now()
    found = Conversation.objects.filter(WAITS)
    return found.aggregate(
        need=Count("id"),
        late=Count("id", filter=Q(due__lt=now)),
        free=Count("id", filter=Q(assignee="")),
        look_first=Count("id", filter=~Q(look_first="") & Q(looked_at=None)),
        mine=Count("id", filter=Q(assignee=key) if key else Q(pk__lt=F("pk"))),
    )
