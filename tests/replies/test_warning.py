"""The clock's warnings by mail: at half and at four fifths of the promised time, once, to whoever has it."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from newsletter.replies import absences, warning
from newsletter.replies import desk as verbs
from newsletter.replies.models import Conversation, DeskEntry
from newsletter.sending.models import Notice
from tests.replies.conftest import Post
from tests.replies.desk_made import Desk, desk_of

HOUR = timedelta(hours=1)


def told(config: object, now: datetime) -> list[str]:
    """Who gets a mail at this time, in order."""
    before = Notice.objects.count()
    warning.warn(config, now)  # type: ignore[arg-type]
    return sorted(Notice.objects.order_by("id").values_list("address", flat=True)[before:])


def test_whoever_has_it_is_told_at_half_and_the_team_too_at_four_fifths(post: Post) -> None:
    desk = desk_of(post)
    sent = post.sent_to(attributes={"ward": "Stafford North"})
    found = desk.writes(sent)
    verbs.claim(found.pk, desk.sam)
    Notice.objects.all().delete()
    began = timezone.now()
    assert told(desk.config, began + 35 * HOUR) == []
    assert told(desk.config, began + 37 * HOUR) == ["sam@council.example"]
    assert told(desk.config, began + 40 * HOUR) == []
    assert told(desk.config, began + 58 * HOUR) == ["jo@council.example", "sam@council.example"]
    assert told(desk.config, began + 60 * HOUR) == [] and told(desk.config, began + 80 * HOUR) == []
    words = list(DeskEntry.objects.filter(what="warned").order_by("id").values_list("words", flat=True))
    assert words == ["half of the promised time is gone", "four fifths of the promised time are gone"]


def test_the_mail_holds_a_reference_and_nothing_of_the_person(desk: Desk) -> None:
    found = desk.asks(body="The lamp is out.")
    told(desk.config, timezone.now() + 37 * HOUR)
    mail = bytes(Notice.objects.latest("id").data).decode()
    assert found.reference in mail and f"newsletter replies show {found.pk}" in mail and "half the time is gone" in mail
    assert not [word for word in ("ameera", "Ameera", "lamp") if word in mail]


def test_what_nobody_has_is_everybodys(desk: Desk) -> None:
    desk.asks()
    everybody = ["jo@council.example", "kim@council.example", "sam@council.example"]
    assert told(desk.config, timezone.now() + 37 * HOUR) == everybody


def test_who_is_away_is_stood_in_for(desk: Desk) -> None:
    found = desk.asks()
    absences.away(desk.config, "sam", "kim", None)
    Conversation.objects.filter(pk=found.pk).update(assignee="sam")
    assert told(desk.config, timezone.now() + 37 * HOUR) == ["kim@council.example"]


def test_what_was_answered_or_is_told_of_already_warns_nobody(desk: Desk) -> None:
    for state, more in (("waiting", {"waiting_since": None}), ("open", {"climb_at": timezone.now()})):
        found = desk.asks(f"{state}@example.net")
        Conversation.objects.filter(pk=found.pk).update(state=state, **more)
    assert told(desk.config, timezone.now() + 60 * HOUR) == []


def test_who_writes_again_after_an_answer_waits_anew(desk: Desk) -> None:
    sent = desk.post.sent_to()
    found = desk.writes(sent)
    began = timezone.now()
    assert told(desk.config, began + 37 * HOUR)
    Conversation.objects.filter(pk=found.pk).update(
        waiting_since=began + 50 * HOUR, due=began + 122 * HOUR, state="open"
    )
    assert told(desk.config, began + 60 * HOUR) == []
    assert told(desk.config, began + 87 * HOUR), "the lines of the log before count for the time before"


def test_a_worker_that_slept_tells_once_that_it_is_late(desk: Desk) -> None:
    desk.asks()
    assert len(told(desk.config, timezone.now() + 100 * HOUR)) == 3
    assert DeskEntry.objects.get(what="warned").words == "the promised time is over"
    assert told(desk.config, timezone.now() + 101 * HOUR) == []


def test_forty_come_in_one_mail(desk: Desk) -> None:
    for number in range(45):
        desk.asks(f"n{number}@example.net")
    assert len(told(desk.config, timezone.now() + 37 * HOUR)) == 3, "one for each colleague"
    mail = bytes(Notice.objects.latest("id").data).decode()
    assert "45 answers are due" in mail and "And 5 more" in mail


def test_with_working_hours_the_warning_waits_for_them(post: Post) -> None:
    desk = desk_of(post)
    config = post.workspace.toml(
        '[replies]\nhours = 16\ncalendar = "Mon-Fri 09:00-17:00"\nholidays = ["2026-11-25"]\n'
        '[staff.jo]\nname = "Jo"\naddress = "jo@council.example"\n'
    )
    tuesday = datetime.fromisoformat("2026-11-24T09:00+00:00")
    found = desk.asks()
    Conversation.objects.filter(pk=found.pk).update(
        waiting_since=tuesday, due=datetime.fromisoformat("2026-11-26T17:00+00:00")
    )
    DeskEntry.objects.all().delete()
    assert told(config, datetime.fromisoformat("2026-11-24T16:00+00:00")) == []
    assert told(config, datetime.fromisoformat("2026-11-25T12:00+00:00")) == ["jo@council.example"], "8 of 16 hours"
    assert told(config, datetime.fromisoformat("2026-11-26T13:00+00:00")) == [], "12 of 16"
    assert told(config, datetime.fromisoformat("2026-11-26T15:00+00:00")) == ["jo@council.example"], "14 of 16"


def test_two_workers_tell_once(desk: Desk) -> None:
    desk.asks()
    ready, later = threading.Barrier(2, timeout=20), timezone.now() + 37 * HOUR

    def tell() -> None:
        ready.wait()
        try:
            warning.warn(desk.config, later)
        finally:
            connection.close()

    threads = [threading.Thread(target=tell) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert DeskEntry.objects.filter(what="warned").count() == 1 and Notice.objects.count() == 3


def test_the_worker_does_it(desk: Desk) -> None:
    found = desk.asks()
    Conversation.objects.filter(pk=found.pk).update(
        waiting_since=timezone.now() - 37 * HOUR, due=timezone.now() + 35 * HOUR
    )
    assert "1 to be answered soon" in (ran := desk.post.workspace.run("worker", "--once")).out + ran.err
    assert len([one for one in desk.mails() if "An answer is due" in str(one["Subject"])]) == 3
