"""Forgetting a person: everything about them in the database and in the workspace, but a keyed hash that says "never".

It stands here, right of the people, the ledger and the replies, because it needs all three.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from newsletter import settings
from newsletter.audience import erasing as people
from newsletter.audience import traces
from newsletter.audience.models import Subscriber
from newsletter.audience.traces import Fate, Trace
from newsletter.problems import Exit, NewsletterError, Problem, Severity
from newsletter.replies import clock, compacting, desk, erasing, intake, journal
from newsletter.replies.listing import RESTING
from newsletter.replies.models import Conversation, Message, Tag
from newsletter.replies.states import Event
from newsletter.sending import erasing as ledger
from newsletter.sending import keys
from newsletter.sending.models import Delivery

A_MONTH = timedelta(days=28)  # "within one month of receipt" (GDPR article 12 (3)); February's is the shortest
TAG = "asks to be forgotten"
NOTE = """\
This person asked, by the link that only their mailbox got, to be forgotten. Nothing was erased: a legal hold keeps it.
They get no more mailings. Write to them within a month what is kept and why.
When the hold is lifted, `newsletter recipients forget` erases them.
"""


@dataclass
class Plan:
    """What an erasure touches, found before anything is changed. `held`: conversations on legal hold, which stop it."""

    names: tuple[str, ...]
    counts: dict[str, int]
    traces: list[Trace] = field(default_factory=list)
    held: list[int] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Nothing here is about them."""
        return not any(self.counts.values()) and not self.traces and not self.held


def plan(canonical: str, *, files: bool = True) -> Plan:
    """Look everywhere, change nothing. `files=False`: not in the workspace's files.

    Raises NewsletterError(erasing-busy) where mail waits that nobody has sorted.
    """
    if intake.finish_unread():
        hint = "`newsletter doctor` says what is in the way of sorting it."
        message = "Mail came in that is not sorted yet; nobody knows whether it is from this person"
        raise NewsletterError(Problem("erasing-busy", message, hint), exit=Exit.TRY_AGAIN)
    names = _names(canonical)
    counts = {**people.count(names), **ledger.count(names)}
    held: set[int] = set()
    for name in names:
        theirs = erasing.plan_person(name)
        held |= set(theirs.held)
        for what, rows in theirs.counts().items():
            if what != "held":
                counts[what] = counts.get(what, 0) + rows
    if held:  # they stop it, and whoever decides wants to know what there is
        for what, rows in erasing.plan_conversations(held).counts().items():
            if what != "held":
                counts[what] = counts.get(what, 0) + rows
    found = traces.find(settings.current(), people.spellings(names)) if files else []
    return Plan(names, counts, found, sorted(held))


def forget(plan: Plan, by: str, *, files: bool = False, later: bool = False) -> list[Problem]:
    """Erase what the plan names; gives back what is left for somebody to do. `files`: rewrite tables of yours, too.
    `later`: the database's file is written anew by the worker, for somebody waits for a page.

    Killed half-way it is run again: who it was is erased last. Raises NewsletterError: on-legal-hold (exit 4, nothing
    is touched), erasing-busy, lost-key.
    """
    keys.keyring(settings.current())  # without it nothing could be left that says "never": before anything is touched
    if plan.held:
        raise NewsletterError(on_hold(plan.held), exit=Exit.REFUSED)
    if later:
        compacting.later(settings.current())  # before anything is touched: we may be killed right after it
    for name in plan.names:
        erasing.erase_person(name, by, compacting=False)
    with transaction.atomic():
        ledger.erase(plan.names)
        people.erase(plan.names)
    if later:
        compacting.later(settings.current())  # again: it may have been written anew while we were erasing
    problems = [] if later else erasing.compact()
    spelled = people.spellings(plan.names)
    left = traces.clear(traces.find(settings.current(), spelled), spelled, ask=files)
    return [*problems, *(_still_named(trace) for trace in left)]


def asked(held: list[int]) -> Conversation | None:
    """They asked to be forgotten, and a legal hold keeps them: the first of these conversations waits for an answer.

    Nothing of what they said is written down but that they asked; in one transaction. None where all are gone.
    """
    first = Conversation.objects.filter(pk__in=held).order_by("pk").values_list("pk", flat=True).first()
    if first is None:
        return None
    config, now = settings.current(), timezone.now()
    with desk.changing(desk.root(first), None) as found:
        if found.state in RESTING:
            desk.step(found, Event.REOPEN)
            found.waiting_since, found.due = now, None  # since they asked, not since a message that was long closed
        promised = clock.Calendar.of(config).add(now, config.replies.hours)
        found.waiting_since = found.waiting_since or now
        found.due = min(one for one in (found.due, promised, now + A_MONTH) if one)
        Tag.objects.get_or_create(conversation=found, word=TAG)
        Message.objects.create(
            conversation=found, kind=Message.Kind.NOTE, by=journal.OURSELVES, new_words=NOTE, full_text=NOTE
        )
        journal.note(found, "asked", "to be forgotten; a legal hold keeps it")
    return found


def _names(canonical: str) -> tuple[str, ...]:
    """All their addresses: also one that an old delivery was frozen with."""
    names = people.names_of(canonical)
    person = Subscriber.objects.filter(canonical__in=names).first()
    if person is None:
        return names
    frozen = Delivery.objects.filter(subscriber=person).values_list("canonical", flat=True)
    return people.of(person, [*names, *frozen])


def on_hold(numbers: list[int], said: str = "nothing was erased") -> Problem:
    """What stops an erasure; `said` is what that means for this one."""
    hint = "`newsletter replies hold NUMBER --release` lifts it, when the reason has gone; then run this again."
    named = ", ".join(map(str, numbers[:20])) + (" …" if len(numbers) > 20 else "")
    which = f"Conversation {named} is" if len(numbers) == 1 else f"Conversations {named} are"
    message = f"{which} on legal hold: {said}"
    return Problem("on-legal-hold", message, hint, affected=len(numbers))


def _still_named(trace: Trace) -> Problem:
    shown = trace.shown(settings.current().root)
    if trace.fate is Fate.ASK:
        hint = "Run it again with --files and the rows are taken out; or delete the file if it has had its day."
    else:
        hint = "Look at it yourself: it is a file of yours, and a machine cannot know what it is for."
    return Problem("still-named", f"{shown} still names them", hint, severity=Severity.WARNING)
