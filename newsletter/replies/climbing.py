"""The notice of what should be looked at first: it repeats, goes to more people, and ends when somebody claims it.

When the steps come, and why then:
  0 min   the conversation's team: its address, and the first colleague who is there. Outside working hours, on a
          holiday, or where the whole team is away: duty as well, for nobody else may look before morning.
  15 min  the same again, and the next colleague: a mail that was not opened for a quarter of an hour was not seen.
  30 min  the same again, and every other colleague of the team.
  60 min  all of them, and duty: an hour is the longest that anything waits for somebody outside the team.
  then    every hour, all of them, until it is claimed. It never falls silent by itself.
A notice holds numbers and references; never a name, an address or the words of whoever wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from newsletter.config import Config
from newsletter.mail.addresses import canonical
from newsletter.replies import journal, rules, teams, telling
from newsletter.replies.clock import Calendar
from newsletter.replies.models import Conversation, DeskEntry
from newsletter.sending.models import Notice

WAITS = (timedelta(minutes=15), timedelta(minutes=15), timedelta(minutes=30))
HOURLY = timedelta(hours=1)
DUTY_FROM = 3  # the step at 60 minutes
# Somebody at the desk has taken it in hand; "seen" is not among them, for a look is no promise.
ACTED = ("claimed", "assigned", "answered", "forwarded", "closed", "junked", "reopened")
# Not SPAM: a colleague decided that before this message came, and it must be heard all the same.
OVER = (Conversation.State.WAITING, Conversation.State.CLOSED)
# A storm (an issue about abuse, 500 answers in an hour) must not bury the one mail that matters: whatever is due
# comes together in one mail for each person, and after 6 mails in 10 minutes there is one every 2 minutes.
CALM, WINDOW, PAUSE = 6, timedelta(minutes=10), timedelta(minutes=2)
NAMED = 40  # conversations named in one mail; a longer list is no list
ONCE = "first:"


def climb(config: Config, now: datetime | None = None) -> int:
    """Send the notices that are due; gives back how many conversations they are about. `now` is a test's clock."""
    now = now or timezone.now()
    due = Conversation.objects.filter(climb_at__lte=now).order_by("climb_at", "id")
    numbers = list(due.values_list("pk", flat=True)[:1000])
    if not numbers or _too_fast(now):
        return 0
    with transaction.atomic():
        found = list(Conversation.objects.select_for_update().filter(pk__in=numbers, climb_at__lte=now).order_by("id"))
        waiting = [one for one in found if not _ended(one, now)]
        mails: dict[str, list[Conversation]] = {}
        for one in waiting:
            for address in whom(config, one, one.climbed, now):
                mails.setdefault(address, []).append(one)
            _next(one, now)
        for address, these in mails.items():
            _tell(address, these, now)
    return len(waiting)


def whom(config: Config, conversation: Conversation, step: int, now: datetime) -> list[str]:
    """The addresses that are told at a step, from 0 on; never nobody."""
    team = config.teams.get(conversation.team)
    people = [key for key, one in config.staff.items() if not team or conversation.team in one.teams]
    if conversation.assignee in config.staff:  # they know the case
        people = [conversation.assignee, *(key for key in people if key != conversation.assignee)]
    there = list(dict.fromkeys(teams.present(key, now) for key in people))
    nobody_there = all(teams.absence(key, now) for key in there)
    told = [team.address] if team and team.address else []
    told += [config.staff[key].address for key in (there if step >= 2 else there[: step + 1]) if key in config.staff]
    if config.replies.duty and (step >= DUTY_FROM or nobody_there or not team or not open_now(config, now)):
        told.append(config.replies.duty)
    if not told:  # rules of other languages, an older newsletter.toml: rather the whole office than nobody
        told = [*(one.address for one in config.staff.values()), *(one.address for one in config.senders.values())][:1]
    return list({canonical(address): address for address in told if _is_address(address)}.values())


def open_now(config: Config, now: datetime) -> bool:
    """True within working hours; always, where [replies] names none."""
    calendar = Calendar.of(config)
    return not calendar.week or calendar.between(now, now + timedelta(minutes=1)) > timedelta()


def _ended(found: Conversation, now: datetime) -> bool:
    """True when somebody has taken it in hand since it was marked; then nobody is told any more."""
    since = DeskEntry.objects.filter(conversation=found, what__in=(rules.LOOK_FIRST, "merged")).order_by("-id").first()
    acted = DeskEntry.objects.filter(conversation=found, what__in=ACTED, id__gt=since.pk if since else 0)
    taken = acted.exclude(by=journal.OURSELVES).exists()
    if not (taken or found.looked_at or found.state in OVER or found.merged_into_id):
        return False
    found.climb_at, found.looked_at = None, found.looked_at or (now if taken else None)
    found.save(update_fields=["climb_at", "looked_at"])
    return True


def _next(found: Conversation, now: datetime) -> None:
    """The next step, counted from now: after a night without a worker there is one notice, not forty."""
    found.climb_at = now + (WAITS[found.climbed] if found.climbed < len(WAITS) else HOURLY)
    found.climbed += 1
    found.save(update_fields=["climb_at", "climbed"])


def _tell(address: str, these: Sequence[Conversation], now: datetime) -> None:
    """One mail to one person about everything that is due for them."""
    first = these[0]
    many = len(these) > 1
    times = max(one.climbed for one in these)
    subject = (
        f"Look at this first: {first.reference}" if not many else f"Look at these first: {len(these)} conversations"
    )
    lines = [
        "Somebody wrote who may be in danger, or who should be heard before others. Nobody has claimed "
        + ("these conversations yet:" if many else "this conversation yet:"),
        "\n".join(f"  {one.pk}  {one.reference}  since {_since(one, now)}" for one in these[:NAMED]),
    ]
    if len(these) > NAMED:
        lines.append(f"And {len(these) - NAMED} more: newsletter replies list --look-first")
    lines.append(f"To take it: newsletter replies claim {first.pk}")
    lines.append(
        f"This is notice {times}. The next one comes at {timezone.localtime(min(_due(one) for one in these)):%H:%M}, "
        "to more people, unless somebody claims it."
    )
    key = f"{ONCE}{first.pk}:{first.climbed}:{len(these)}:{int(now.timestamp())}"
    telling.tell(first, [address], subject, lines, key)


def _due(one: Conversation) -> datetime:
    assert one.climb_at is not None  # `_next` has just set it
    return one.climb_at


def _since(one: Conversation, now: datetime) -> str:
    began = one.log.filter(what=rules.LOOK_FIRST).order_by("-id").values_list("at", flat=True).first() or one.created
    return f"{timezone.localtime(min(began, now)):%d %b %H:%M}"


def _too_fast(now: datetime) -> bool:
    since = min(now, timezone.now()) - WINDOW
    recent = Notice.objects.filter(kind=Notice.Kind.STAFF, once__startswith=ONCE, created__gt=since)
    runs = {int(once.split(":")[4]) for once in recent.values_list("once", flat=True) if once}
    runs = {moment for moment in runs if now - WINDOW < datetime.fromtimestamp(moment, now.tzinfo) <= now}
    return len(runs) >= CALM and now.timestamp() - max(runs) < PAUSE.total_seconds()


def _is_address(address: str) -> bool:
    try:
        canonical(address)
    except ValueError:
        return False
    return True
