"""The verbs of the desk: claim, assign, note, tag, close, reopen, snooze, junk. Each is one transaction and one line
of the log; sending has a module of its own (answering)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from newsletter import settings
from newsletter.problems import Exit, NewsletterError, Problem, did_you_mean
from newsletter.replies import clock, journal, states, teams, telling, who
from newsletter.replies.models import Conversation, DeskEntry, Look, Message, Tag
from newsletter.replies.states import Event
from newsletter.replies.storing import storable
from newsletter.replies.who import Colleague

LONGEST_NOTE = 20_000  # letters


@contextmanager
def changing(number: int, by: Colleague | None, version: int | None = None) -> Iterator[Conversation]:
    """One conversation, held for as long as the block runs and saved at its end under the next version.

    With `version`, refused when anything has happened since. Who had seen everything before their own change has
    seen everything after it. Raises NewsletterError: no-such-conversation, merged-away, conversation-moved.
    """
    with transaction.atomic():
        found = held(number)
        if found.merged_into_id is not None:
            raise merged_away(found)
        before = found.version
        if version is not None and version != before:
            raise moved(found, version)
        found.version = before + 1
        yield found
        found.save()
        if by:
            Look.objects.filter(conversation=found, staff=by.key, version=before).update(version=found.version)


def merged_away(found: Conversation) -> NewsletterError:
    """It is part of another one, which is shown and answered instead."""
    into = found.merged_into_id
    hint = f"`newsletter replies show {into}` shows both; `merge {found.pk} --undo` parts them."
    return _refused("merged-away", f"{found.pk} was merged into {into}", hint)


def held(number: int) -> Conversation:
    """The conversation, locked until the transaction ends (SQLite has one writer anyway)."""
    found = Conversation.objects.select_for_update().filter(pk=number).first()
    if found is None:
        hint = "`newsletter replies list --all` shows every number."
        raise NewsletterError(
            Problem("no-such-conversation", f"There is no conversation {number}", hint), exit=Exit.USAGE
        )
    return found


def root(number: int) -> int:
    """Where a conversation is shown: itself, or what it was merged into."""
    seen = {number}
    while True:
        above = Conversation.objects.filter(pk=number).values_list("merged_into", flat=True).first()
        if above is None or above in seen:
            return number
        seen.add(above)
        number = above


def moved(found: Conversation, version: int) -> NewsletterError:
    """What has happened since `version`, by whom, for the one who was about to write over it."""
    config = settings.current()
    lines = journal.since(found, version)
    said = "; ".join(f"{who.called(config, line.by)} {told(line)}" for line in lines[-3:]) or "it was changed"
    hint = f"Read it again, then answer: newsletter replies show {found.pk}"
    return _refused("conversation-moved", f"Since you opened {found.pk}: {said}. Nothing was sent", hint)


WORDS = {
    "came": "took in a new message",
    "answered": "answered it",
    "forwarded": "forwarded it",
    "noted": "left a note",
    "claimed": "claimed it",
}


def told(line: DeskEntry) -> str:
    """One line of the log as the end of a sentence that begins with a name."""
    at = timezone.localtime(line.at)
    return f"{WORDS.get(line.what, line.what)} at {at:%H:%M}"


def seen(number: int, by: Colleague, version: int) -> Look:
    """Somebody has read this version of it: logged, and remembered as the one that they may answer."""
    now = timezone.now()
    with transaction.atomic():
        found = held(number)
        journal.note(found, "seen", by=by.key)
        look, _ = Look.objects.update_or_create(
            conversation=found, staff=by.key, defaults={"version": version, "at": now}
        )
    return look


def claim(number: int, by: Colleague) -> Conversation:
    """Take it: the others see that somebody does. Taking what a colleague has is allowed, and in the log."""
    with changing(number, by) as found:
        _step(found, Event.CLAIM)
        had = found.assignee if found.assignee not in ("", by.key) else ""
        found.assignee = by.key
        if found.look_first and found.looked_at is None:
            found.looked_at, found.climb_at = timezone.now(), None
        found.snoozed_until = None
        journal.note(found, "claimed", f"from {_called(had)}" if had else "", by.key)
    return found


def taken_from(found: Conversation) -> str:
    """The colleague who had it until the claim that came last; "" where it was free, or theirs already."""
    latest = DeskEntry.objects.filter(conversation=found, version=found.version, what="claimed").last()
    return latest.words.removeprefix("from ") if latest else ""


def assign(number: int, by: Colleague, to: str) -> Conversation:
    """Give it to a colleague or a team by key; who is away is stood in for; "" gives it back to everybody."""
    config = settings.current()
    with changing(number, by) as found:
        if not to:
            found.assignee = found.team = ""
            journal.note(found, "assigned", "to nobody", by.key)
        elif to in config.teams:
            found.team, found.assignee = to, ""
            journal.note(found, "assigned", f"to the team {config.teams[to].title}", by.key)
            telling.tell_team(found, to)
        elif to in config.staff:
            hand_to(found, to, by)
        else:
            known = [*config.staff, *config.teams]
            hint = did_you_mean(to, known) or f"They are: {', '.join(known) or 'none yet'}."
            raise NewsletterError(
                Problem("unknown-staff", f"There is no colleague or team called {to!r}", hint), exit=Exit.USAGE
            )
    return found


def hand_to(found: Conversation, to: str, by: Colleague | None) -> None:
    """Put a colleague's name on it, or their stand-in's, and tell that person; inside `changing`."""
    takes = teams.present(to)
    found.assignee = takes
    words = f"to {_called(takes)}" + (f", who stands in for {_called(to)}" if takes != to else "")
    journal.note(found, "assigned", words, by.key if by else journal.OURSELVES)
    if by is None or takes != by.key:
        telling.tell_colleague(found, takes)


def note(number: int, by: Colleague, text: str) -> Message:
    """Words between colleagues; they are never sent to anybody."""
    words = _said(text)
    with changing(number, by) as found:
        made = Message.objects.create(
            conversation=found, kind=Message.Kind.NOTE, by=by.key, new_words=words, full_text=words
        )
        journal.note(found, "noted", by=by.key)
    return made


def tag(number: int, by: Colleague, add: list[str], remove: list[str]) -> list[str]:
    """Put words on it, take words off; gives back those that are on it now."""
    with changing(number, by) as found:
        for word in dict.fromkeys(map(_tag, add)):
            Tag.objects.get_or_create(conversation=found, word=word)
        Tag.objects.filter(conversation=found, word__in=list(map(_tag, remove))).delete()
        words = [*(f"+{word}" for word in map(_tag, add)), *(f"-{word}" for word in map(_tag, remove))]
        journal.note(found, "tagged", " ".join(words), by.key)
        return list(found.tags.order_by("word").values_list("word", flat=True))


def close(number: int, by: Colleague, why: str = "") -> Conversation:
    """Nothing more is to be done; whoever writes again opens it again."""
    with changing(number, by) as found:
        _step(found, Event.CLOSE)
        journal.note(found, "closed", why, by.key)
    return found


def reopen(number: int, by: Colleague) -> Conversation:
    """Back among those who wait, also out of the junk."""
    with changing(number, by) as found:
        _step(found, Event.REOPEN)
        journal.note(found, "reopened", by=by.key)
    return found


def snooze(number: int, by: Colleague, until: datetime) -> Conversation:
    """Out of the list until then; a message of theirs brings it back earlier. The promised time runs on."""
    if until <= timezone.now():
        message = f"{timezone.localtime(until):%d %b %Y %H:%M} is over already"
        raise NewsletterError(Problem("not-in-the-future", message, "Say a day or a time to come."), exit=Exit.USAGE)
    with changing(number, by) as found:
        _step(found, Event.SNOOZE)
        found.snoozed_until = until
        journal.note(found, "snoozed", f"until {timezone.localtime(until):%d %b %Y %H:%M}", by.key)
    return found


def spam(number: int, by: Colleague) -> Conversation:
    """Junk: what this writer sends here from now on stays out of sight too, until somebody reopens it."""
    with changing(number, by) as found:
        _step(found, Event.SPAM)
        journal.note(found, "junked", by=by.key)
    return found


def hold(number: int, by: Colleague, held_: bool, why: str = "") -> Conversation:
    """A legal hold: nothing of it is erased until it is released. Both are in the log, with the reason."""
    with changing(number, by) as found:
        found.held = held_
        journal.note(found, "held" if held_ else "released", why, by.key)
    return found


def wake(now: datetime | None = None) -> int:
    """Bring back what was put off until now; gives back how many."""
    now = now or timezone.now()
    due = Conversation.objects.filter(state=Conversation.State.SNOOZED, snoozed_until__lte=now, merged_into=None)
    number = 0
    for pk in list(due.values_list("pk", flat=True)[:1000]):
        with changing(pk, None) as found:
            if found.state != Conversation.State.SNOOZED or found.snoozed_until is None or found.snoozed_until > now:
                continue  # somebody was quicker
            _step(found, Event.WAKE)
            journal.note(found, "woken", "the time that it was put off for is over")
            number += 1
    return number


def step(found: Conversation, event: Event) -> None:
    """Move it to the state that follows, with the clock. Raises NewsletterError(not-in-this-state)."""
    _step(found, event)


def _step(found: Conversation, event: Event) -> None:
    following = states.after(found.state, event)
    if following is None:
        hint = "`newsletter replies reopen` brings it back first." if found.state in ("spam", "closed") else ""
        raise _refused("not-in-this-state", f"{found.pk} is {found.state}: {event} does nothing here", hint)
    found.state = following
    if following != Conversation.State.SNOOZED:
        found.snoozed_until = None
    if following in (states.WAITING, states.CLOSED, states.SPAM):
        clock.stop(found)
    elif following in (states.NEW, states.OPEN) and found.waiting_since is None:
        clock.again(found)


def _called(key: str) -> str:
    return who.called(settings.current(), key)


def _said(text: str) -> str:
    words = storable(text.strip(), LONGEST_NOTE)
    if not words:
        raise NewsletterError(
            Problem("nothing-said", "There are no words in it", "Say it with --text."), exit=Exit.USAGE
        )
    return words


def _tag(word: str) -> str:
    plain = " ".join(storable(word, 60).lower().split())
    if not plain:
        raise NewsletterError(Problem("nothing-said", "A tag needs a word", "For instance lighting."), exit=Exit.USAGE)
    return plain


def _refused(code: str, message: str, hint: str) -> NewsletterError:
    return NewsletterError(Problem(code, message, hint), exit=Exit.REFUSED)
