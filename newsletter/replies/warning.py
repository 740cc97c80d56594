"""The clock's two warnings: when half and when four fifths of the promised time are gone, somebody is told by mail.

The list shows the same in words to whoever looks; this is for the day on which nobody does. A notice holds numbers and
references; never a name, an address or the words of whoever wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from newsletter.config import Config
from newsletter.replies import clock, journal, teams, telling
from newsletter.replies.clock import HALF, Stage
from newsletter.replies.models import WAITS, Conversation, DeskEntry

WARNED = "warned"  # the line of the log; its words are one of SAID
SAID = {
    Stage.HALF: "half of the promised time is gone",
    Stage.SOON: "four fifths of the promised time are gone",
    Stage.LATE: "the promised time is over",
}
AT_ONCE = 10_000  # conversations that are looked at in one turn
NAMED = 40  # in one mail; a longer list is no list


def warn(config: Config, now: datetime | None = None) -> int:
    """Tell whoever has them of conversations that have come to a stage and were not told of at it; gives back how many.

    Each stage is told once for each time that somebody waits; what several workers see at once is told by one of them.
    One mail for each colleague in one turn. `now` is a test's clock.
    """
    now = now or timezone.now()
    if not config.staff or not _due(config, now):
        return 0
    mails: dict[str, list[tuple[Conversation, Stage]]] = {}
    with transaction.atomic():
        numbers = sorted(one.pk for one, _ in _due(config, now))
        list(Conversation.objects.select_for_update().filter(pk__in=numbers).order_by("id").values_list("pk"))
        due = _due(config, now)  # once more: another worker may have told of some while we waited for the lock
        for one, stage in due:
            for address in whom(config, one, stage, now):
                mails.setdefault(address, []).append((one, stage))
            journal.note(one, WARNED, SAID[stage])
        for address, these in mails.items():
            _tell(address, these, now)
    return len(due)


def whom(config: Config, conversation: Conversation, stage: Stage, now: datetime) -> list[str]:
    """Whoever has it, or stands in for them; nobody's is the team's, else everybody's. From four fifths on the team
    hears of it, too."""
    team = config.teams.get(conversation.team)
    told = []
    if conversation.assignee in config.staff:
        told = [config.staff[teams.present(conversation.assignee, now)].address]
    if not told or stage is not Stage.HALF:
        members = [key for key, one in config.staff.items() if conversation.team in one.teams]
        if team and team.address:
            told.append(team.address)
        elif members or not told:
            told += [config.staff[teams.present(key, now)].address for key in members or config.staff]
    return list(dict.fromkeys(told))


def _due(config: Config, now: datetime) -> list[tuple[Conversation, Stage]]:
    """Those that have come to a stage of which nobody was told since they began to wait. Half of the hours is never
    over sooner than by the clock on the wall. What is to be looked at first is told of by the notice that climbs."""
    early = now - timedelta(hours=config.replies.hours) * HALF
    found = Conversation.objects.filter(WAITS, waiting_since__lte=early, climb_at=None, merged_into=None)
    found = found.exclude(_told(Stage.SOON)).exclude(_told(Stage.LATE)).annotate(half_told=_told(Stage.HALF))
    due: list[tuple[Conversation, Stage]] = []
    for one in found.order_by("waiting_since", "id")[:AT_ONCE]:
        stage = clock.stage(one.waiting_since, one.due, now, config)
        if stage in SAID and not (stage is Stage.HALF and one.half_told):
            due.append((one, stage))
    return due


def _told(stage: Stage) -> Exists:
    lines = DeskEntry.objects.filter(conversation=OuterRef("pk"), what=WARNED, words=SAID[stage])
    return Exists(lines.filter(at__gte=OuterRef("waiting_since")))


def _tell(address: str, these: Sequence[tuple[Conversation, Stage]], now: datetime) -> None:
    first = these[0][0]
    many = len(these) > 1
    subject = f"{len(these)} answers are due" if many else f"An answer is due: {first.reference}"
    lines = [
        "Somebody waits for an answer, and time is running out:",
        "\n".join(f"  {one.pk}  {one.reference}  {clock.words(one.due, stage, now)}" for one, stage in these[:NAMED]),
    ]
    if len(these) > NAMED:
        lines.append(f"And {len(these) - NAMED} more: newsletter replies list")
    telling.tell(first, [address], subject, lines, f"clock:{first.pk}:{these[0][1]}:{int(now.timestamp())}")
