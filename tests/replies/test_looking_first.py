"""What should be looked at first: who is told, when, and until when; and that no rule can lose a message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
from django.utils import timezone

from newsletter.mail import screening
from newsletter.replies import absences, climbing, desk, intake, listing, rules
from newsletter.replies.listing import Filter
from newsletter.replies.models import Conversation
from newsletter.sending import notices
from newsletter.sending.models import Notice
from tests.replies.conftest import Post, mail
from tests.replies.desk_made import STAFF, Desk, desk_of

ON = STAFF.replace("[replies]", '[replies]\nlook_first = true\nduty = "duty@council.example"').replace(
    'areas = ["Stafford North"]', 'areas = ["Stafford North"]\naddress = "asb@council.example"'
)
PLEA = "My husband hits me and I am scared of him."


def on(post: Post, more: str = "") -> Desk:
    """A desk with the built-in list switched on, and somebody on duty."""
    return Desk(post, post.workspace.toml(ON + more))


def told() -> list[str]:
    """Who has been told so far, in order; the desk's own lines to teams and colleagues left out."""
    return list(Notice.objects.filter(once__startswith=climbing.ONCE).order_by("id").values_list("address", flat=True))


class Climb:
    """Lets time go by for the notices: a clock of the test's own."""

    def __init__(self, own: Desk) -> None:
        self.own, self.now = own, timezone.now() + timedelta(seconds=1)

    def after(self, minutes: float = 0) -> list[str]:
        """Who is told `minutes` later, sorted."""
        before = len(told())
        self.now += timedelta(minutes=minutes)
        climbing.climb(self.own.config, self.now)
        return sorted(told()[before:])


def test_a_plea_is_marked_with_our_words_and_goes_to_the_team_at_once(post: Post) -> None:
    own = on(post)
    sent = post.sent_to("ameera@example.net", attributes={"ward": "Stafford North"})
    found = own.writes(sent, PLEA)
    assert found.look_first.startswith("Abuse at home") and found.state == "new" and found.team == "asb"
    assert [tag.word for tag in found.tags.all()] == ["abuse"]
    assert Climb(own).after() == ["asb@council.example", "jo@council.example"]


def test_the_notice_holds_a_reference_and_nothing_of_the_person(post: Post) -> None:
    own = on(post)
    found = own.asks(body=PLEA)
    Climb(own).after()
    notices.deliver(own.config)
    text = own.mails()[-1].as_string()
    assert found.reference in text and f"newsletter replies claim {found.pk}" in text
    for secret in ("ameera", "Ameera", "husband", "scared", "abuse", "Abuse"):
        assert secret not in text


def test_it_climbs_to_more_people_until_it_reaches_duty_and_then_every_hour(post: Post) -> None:
    own = on(post, '[staff.ann]\nname = "Ann"\naddress = "ann@council.example"\nteams = ["asb"]\n')
    sent = post.sent_to("ameera@example.net", attributes={"ward": "Stafford North"})
    own.writes(sent, PLEA)
    climb = Climb(own)
    team = ["asb@council.example", "jo@council.example"]
    everybody = sorted([*team, "ann@council.example"])
    assert climb.after() == team
    assert climb.after(10) == []
    assert climb.after(5) == everybody
    assert climb.after(15) == everybody
    assert climb.after(30) == sorted([*everybody, "duty@council.example"])
    assert climb.after(59) == []
    for _ in range(30):
        assert "duty@council.example" in climb.after(60)


def test_a_claim_ends_it_and_a_look_does_not(post: Post) -> None:
    own = on(post)
    found = own.asks(body=PLEA)
    climb = Climb(own)
    climb.after()
    desk.seen(found.pk, own.jo, found.version)
    assert climb.after(15)
    desk.claim(found.pk, own.jo)
    assert climb.after(15) == climb.after(600) == []
    found.refresh_from_db()
    assert found.looked_at is not None and found.climb_at is None


def test_giving_it_to_a_colleague_ends_it_too(post: Post) -> None:
    own = on(post)
    found = own.asks(body=PLEA)
    climb = Climb(own)
    climb.after()
    desk.assign(found.pk, own.jo, "sam")
    assert climb.after(60) == []


def test_a_second_plea_rings_again_and_first_with_whoever_has_the_case(post: Post) -> None:
    own = on(post)
    sent = post.sent_to()
    found = own.writes(sent, PLEA)
    climb = Climb(own)
    climb.after()
    desk.claim(found.pk, own.sam)
    assert climb.after(15) == []
    assert own.writes(sent, "He found out. He is going to kill me.").pk == found.pk
    assert "sam@council.example" in climb.after(0)


def test_an_ordinary_message_changes_nothing(post: Post) -> None:
    own = on(post)
    found = own.asks(body="My feet are killing me, can we have a bench?")
    assert (found.look_first, found.climb_at) == ("", None) and not found.tags.exists()
    assert Climb(own).after() == []


def test_who_is_away_is_stood_in_for_and_where_all_are_away_duty_is_told_at_once(post: Post) -> None:
    own = on(post)
    sent = post.sent_to("ameera@example.net", attributes={"ward": "Stafford North"})
    absences.away(own.config, "jo", "kim", None)
    own.writes(sent, PLEA)
    assert Climb(own).after() == ["asb@council.example", "kim@council.example"]
    absences.away(own.config, "kim", "jo", None)
    own.writes(sent, "He is going to kill me")
    assert "duty@council.example" in Climb(own).after()


@pytest.mark.parametrize(
    ("moment", "duty"),
    [
        (datetime(2026, 11, 24, 10, 0, tzinfo=UTC), False),  # a Tuesday morning
        (datetime(2026, 11, 24, 3, 0, tzinfo=UTC), True),  # in the night
        (datetime(2026, 11, 28, 10, 0, tzinfo=UTC), True),  # a Saturday
        (datetime(2026, 12, 25, 10, 0, tzinfo=UTC), True),  # a Friday, and Christmas
    ],
)
def test_out_of_hours_and_on_holidays_duty_is_told_at_once(post: Post, moment: datetime, duty: bool) -> None:
    hours = 'calendar = "Mon-Fri 09:00-17:00"\nholidays = ["2026-12-25"]'
    own = Desk(post, post.workspace.toml(ON.replace("[replies]", f"[replies]\n{hours}")))
    sent = post.sent_to("ameera@example.net", attributes={"ward": "Stafford North"})
    found = own.writes(sent, PLEA)
    assert ("duty@council.example" in climbing.whom(own.config, found, 0, moment)) is duty


def test_a_storm_comes_in_one_mail_and_not_in_hundreds(post: Post) -> None:
    own = on(post)
    sent = post.sent_to("ameera@example.net", attributes={"ward": "Stafford North"})
    for number in range(40):
        own.writes(sent, PLEA, sender=f"Somebody <n{number}@example.net>")
    assert (
        len(Climb(own).after()) == 2
    )  # where somebody else lives is not known: no team, so the first of all, and duty
    mailed = Notice.objects.filter(once__startswith=climbing.ONCE).first()
    assert mailed is not None and b"40 conversations" in bytes(mailed.data)


def test_after_six_mails_in_ten_minutes_there_is_one_every_two(post: Post) -> None:
    own = on(post)
    climb = Climb(own)
    times = []
    for number in range(30):  # one every 20 seconds
        own.asks(f"n{number}@example.net", body=PLEA)
        Conversation.objects.filter(climb_at__gt=climb.now, climbed=0).update(climb_at=climb.now)
        if climb.after(1 / 3):
            times.append(number)
    assert 6 < len(times) <= 6 + 5


def test_junk_that_turns_into_a_plea_rings(post: Post) -> None:
    own = on(post)
    sent = post.sent_to()
    found = own.writes(sent, "Buy my watches")
    desk.spam(found.pk, own.jo)
    own.writes(sent, "I want to die")
    assert Climb(own).after()


@pytest.mark.parametrize("text", ["Boję się go, bije mnie i dzieci każdego wieczoru", "مجھے مدد چاہیے", " "])
def test_what_no_list_covers_goes_to_a_person_marked_not_screened(post: Post, text: str) -> None:
    own = on(post)
    found = own.asks(body=text)
    assert [tag.word for tag in found.tags.all()] == [rules.NOT_SCREENED]
    assert found.look_first == "" and found.state == "new"


def test_an_own_rule_gives_team_tag_and_its_title(post: Post) -> None:
    more = (
        '[rules.drone]\ntitle = "Drones"\nwords = ["drone*", "quad … copter"]\nteam = "letters"\ntag = "drones"\n'
        '[rules.polski]\ntitle = "Po polsku"\nlanguage = "pl"\nwords = ["bije mnie"]\nlook_first = true\n'
    )
    own = on(post, more)
    found = own.asks(body="There are drones over the school.")
    assert (found.team, [tag.word for tag in found.tags.all()], found.look_first) == ("letters", ["drones"], "")
    other = own.asks("ola@example.net", body="On bije mnie i dzieci każdego wieczoru")
    assert other.look_first == "Po polsku (“bije mnie”)" and not other.tags.exists()


def test_rules_for_areas_and_files_hold_only_together(post: Post) -> None:
    more = '[rules.x]\ntitle = "X"\nareas = ["Stone"]\nwords = ["light*"]\ntag = "x"\n'
    own = on(post, more)
    inside = post.sent_to("a@example.net", attributes={"ward": "Stone"})
    outside = post.sent_to("b@example.net", attributes={"ward": "Leek"})
    assert own.writes(inside, "The lights are out again", sender="a@example.net").tags.count() == 1
    assert own.writes(inside, "Thank you very much", sender="a@example.net").tags.count() == 1
    assert own.writes(outside, "The lights are out again", sender="b@example.net").tags.count() == 0


def test_a_broken_rule_neither_loses_a_message_nor_lets_it_pass(post: Post) -> None:
    own = on(post)
    sent = post.sent_to()
    with mock.patch.object(screening, "look", side_effect=RuntimeError("a fault of ours")):
        verdict = intake.accept(mail(sent.reply, PLEA), sent.reply)
    assert verdict.kind == "person" and own.config
    [found] = Conversation.objects.all()
    assert [tag.word for tag in found.tags.all()] == [rules.NOT_SCREENED]


def test_nothing_is_looked_for_until_it_is_switched_on(post: Post) -> None:
    found = desk_of(post).asks(body=PLEA)
    assert found.look_first == "" and not found.tags.exists()


def test_the_rules_can_be_read_and_tried_without_storing_anything(post: Post) -> None:
    on(post, '[rules.mill]\ntitle = "The old mill"\nwords = ["old mill"]\nteam = "letters"\n')
    shown = post.workspace.run("replies", "rules").out
    assert "The old mill" in shown and "team letters" in shown and "Built-in English list: on" in shown
    tried = post.workspace.run("replies", "rules", "--try", "He is at the old mill and has a knife")
    assert "The old mill" in tried.out and "Danger to life" in tried.out
    assert "No word of the rules" in post.workspace.run("replies", "rules", "--try", "Thank you for the letter").out
    assert "not screened" in post.workspace.run("replies", "rules", "--try", "Boję się go, bije mnie i dzieci").out
    assert not Conversation.objects.exists()


def test_doctor_says_when_nobody_is_being_told(post: Post) -> None:
    own = on(post)
    found = own.asks(body=PLEA)
    assert "no worker is there to tell anybody" in post.workspace.run("doctor").out
    Conversation.objects.filter(pk=found.pk).update(climb_at=timezone.now() - timedelta(minutes=10))
    said = post.workspace.run("doctor")
    assert "nobody is being told" in said.out and "nobody-is-told" in said.out and said.exit == 1


def test_a_plea_stands_above_whoever_has_waited_longer_until_somebody_takes_it(post: Post) -> None:
    own = on(post)
    for number in range(3):
        own.asks(f"p{number}@example.net", body="How do I apply?")
    plea = own.asks("ameera@example.net", body=PLEA)
    assert [one["id"] for one in listing.page(own.config, Filter(), 1, 2).rows] == [plea.pk, 1]
    assert [one["id"] for one in listing.page(own.config, Filter(), 2, 2).rows] == [2, 3]
    listed = own.post.workspace.run("replies", "list", "--as", "jo").out
    assert f"newsletter replies show {plea.pk}   read this one first" in listed
    claim = f"newsletter replies claim {plea.pk}"
    assert claim in own.post.workspace.run("replies", "show", str(plea.pk), "--as", "jo").out
    own.post.workspace.run("replies", "claim", str(plea.pk), "--as", "jo")
    assert claim not in own.post.workspace.run("replies", "show", str(plea.pk), "--as", "jo").out
    assert [one["id"] for one in listing.page(own.config, Filter()).rows] == [1, 2, 3, plea.pk]
