"""The verbs of the desk: each moves a conversation, says so in the log, and makes a version that others notice."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from newsletter.problems import NewsletterError
from newsletter.replies import absences, merging, report
from newsletter.replies import desk as verbs
from newsletter.replies.models import Conversation, DeskEntry, Look
from newsletter.sending.models import Notice
from tests.replies.conftest import mail
from tests.replies.desk_made import Desk


def state(number: int) -> str:
    return Conversation.objects.get(pk=number).state


def told(number: int) -> list[str]:
    return list(DeskEntry.objects.filter(conversation=number).order_by("id").values_list("what", flat=True))


def refused(code: str):  # type: ignore[no-untyped-def]
    return pytest.raises(NewsletterError, check=lambda error: error.problems[0].code == code)


def test_what_comes_in_is_new_and_its_clock_runs(desk: Desk) -> None:
    found = desk.asks()
    assert found.state == "new" and found.waiting_since is not None
    assert found.due == found.waiting_since + timedelta(hours=72)
    assert told(found.pk) == ["came"]


def test_claiming_opens_it_and_the_log_says_from_whom_it_was_taken(desk: Desk) -> None:
    found = desk.asks()
    verbs.claim(found.pk, desk.jo)
    assert state(found.pk) == "open"
    assert verbs.claim(found.pk, desk.sam).assignee == "sam"
    assert DeskEntry.objects.get(what="claimed", by="sam").words == "from Jo Malik"


@pytest.mark.parametrize("how", ["close", "snooze", "wait"])
def test_a_persons_message_reopens_what_was_closed_put_off_or_answered(desk: Desk, how: str) -> None:
    sent = desk.post.sent_to()
    found = desk.writes(sent)
    if how == "close":
        verbs.close(found.pk, desk.jo)
    elif how == "snooze":
        verbs.snooze(found.pk, desk.jo, timezone.now() + timedelta(days=3))
    else:
        Conversation.objects.filter(pk=found.pk).update(state="waiting", waiting_since=None, due=None)
    again = desk.writes(sent, "And one more thing")
    assert again.pk == found.pk and again.state == "open"
    assert again.waiting_since is not None and again.snoozed_until is None


def test_an_automatic_answer_moves_nothing(desk: Desk) -> None:
    from newsletter.replies import intake

    sent = desk.post.sent_to()
    found = desk.writes(sent)
    closed = verbs.close(found.pk, desk.jo)
    intake.accept(mail(sent.reply, "away", message_id="<9@x>", Auto_Submitted="auto-replied"), sent.reply)
    now = Conversation.objects.get(pk=found.pk)
    assert (now.state, now.version, now.waiting_since) == ("closed", closed.version, None)


def test_junk_stays_junk_until_somebody_brings_it_back(desk: Desk) -> None:
    sent = desk.post.sent_to()
    found = desk.writes(sent)
    verbs.spam(found.pk, desk.jo)
    again = desk.writes(sent, "Buy pills")
    assert again.state == "spam" and again.waiting_since is None
    assert verbs.reopen(found.pk, desk.jo).waiting_since is not None


def test_a_refused_step_changes_nothing(desk: Desk) -> None:
    found = desk.asks()
    verbs.close(found.pk, desk.jo)
    before = told(found.pk)
    with refused("not-in-this-state"):
        verbs.close(found.pk, desk.jo)
    assert told(found.pk) == before


def test_a_new_conversation_comes_to_the_team_of_its_area_else_of_its_list(desk: Desk) -> None:
    sent = desk.post.sent_to("ada@example.net", attributes={"areas": ["Stafford North"]})
    assert desk.writes(sent, sender="ada@example.net").team == "asb"
    assert desk.asks("bo@example.net").team == ""


def test_who_is_away_is_stood_in_for_and_told_by_mail_without_a_word_of_the_person(desk: Desk) -> None:
    found = desk.asks(body="My neighbours have threatened us")
    verbs.assign(found.pk, desk.jo, "sam")
    assert absences.away(desk.config, "sam", "kim", timezone.now() + timedelta(days=2)) == [found.pk]
    assert Conversation.objects.get(pk=found.pk).assignee == "kim"
    other = desk.asks("bo@example.net")
    assert verbs.assign(other.pk, desk.jo, "sam").assignee == "kim"
    notices = Notice.objects.filter(kind="staff").order_by("id")
    assert [one.address for one in notices] == ["sam@council.example", "kim@council.example", "kim@council.example"]
    assert all(b"threatened" not in bytes(one.data) and b"ameera" not in bytes(one.data) for one in notices)
    absences.back("sam")
    assert verbs.assign(other.pk, desk.jo, "sam").assignee == "sam"


def test_a_ring_of_people_who_are_away_is_no_endless_loop(desk: Desk) -> None:
    absences.away(desk.config, "sam", "kim", None)
    absences.away(desk.config, "kim", "sam", None)
    assert verbs.assign(desk.asks().pk, desk.jo, "sam").assignee == "sam"


def test_what_was_put_off_comes_back_by_itself(desk: Desk) -> None:
    found = desk.asks()
    verbs.snooze(found.pk, desk.jo, timezone.now() + timedelta(hours=1))
    assert verbs.wake() == 0 and state(found.pk) == "snoozed"
    assert verbs.wake(timezone.now() + timedelta(hours=2)) == 1
    assert state(found.pk) == "open"


def test_tags_are_words_in_small_letters_once_each(desk: Desk) -> None:
    found = desk.asks()
    assert verbs.tag(found.pk, desk.jo, ["Lighting", "lighting ", "urgent"], []) == ["lighting", "urgent"]
    assert verbs.tag(found.pk, desk.jo, [], ["urgent"]) == ["lighting"]


def test_the_log_cannot_be_changed(desk: Desk) -> None:
    desk.asks()
    with pytest.raises(DatabaseError), transaction.atomic():
        DeskEntry.objects.update(by="nobody")
    assert DeskEntry.objects.get().by == "newsletter"


def test_the_log_never_holds_what_the_person_wrote(desk: Desk) -> None:
    found = desk.asks(body="threatened by a neighbour")
    verbs.seen(found.pk, desk.jo, found.version)
    verbs.note(found.pk, desk.jo, "rang about threatened")
    verbs.hold(found.pk, desk.jo, True, "case 1182")
    words = " ".join(DeskEntry.objects.values_list("words", flat=True))
    assert "threatened" not in words and told(found.pk) == ["came", "seen", "noted", "held"]


def test_ones_own_change_is_not_news_to_oneself(desk: Desk) -> None:
    found = desk.asks()
    verbs.seen(found.pk, desk.jo, found.version)
    verbs.seen(found.pk, desk.sam, found.version)
    now = verbs.claim(found.pk, desk.jo).version
    assert dict(Look.objects.values_list("staff", "version")) == {"jo": now, "sam": now - 1}


def test_merged_conversations_are_one_and_can_be_parted(desk: Desk) -> None:
    sent, other = desk.post.sent_to(), desk.post.sent_to("home@example.net")
    one = desk.writes(sent)
    two = desk.writes(other, "From my other copy")
    merging.merge(two.pk, one.pk, desk.jo)
    assert state(two.pk) == "closed"
    with refused("merged-away"):
        verbs.claim(two.pk, desk.jo)
    assert desk.writes(other, "More").pk == one.pk
    parted = merging.part(two.pk, desk.jo)
    assert parted.state == "open" and parted.waiting_since == two.waiting_since
    assert desk.writes(other, "Even more").pk == two.pk


def test_two_writers_are_never_mixed_without_saying_so(desk: Desk) -> None:
    one, two = desk.asks(), desk.asks("bo@example.net", "Bo")
    with refused("two-writers"):
        merging.merge(two.pk, one.pk, desk.jo)
    merging.merge(two.pk, one.pk, desk.jo, two_writers=True)
    with refused("merge-with-itself"):
        merging.merge(one.pk, two.pk, desk.jo)


def test_the_report_adds_up_over_everything_that_can_become_of_a_reply(desk: Desk) -> None:
    numbers = [desk.asks(f"p{n}@example.net").pk for n in range(6)]
    rows = Conversation.objects
    now = timezone.now()
    rows.filter(pk=numbers[0]).update(answered_at=now + timedelta(hours=2), answered_in_target=True, state="waiting",
                                      waiting_since=None, team="asb")  # fmt: skip
    rows.filter(pk=numbers[1]).update(answered_at=now + timedelta(hours=80), answered_in_target=False, state="closed",
                                      waiting_since=None)  # fmt: skip
    rows.filter(pk=numbers[2]).update(due=now - timedelta(hours=1))
    verbs.close(numbers[3], desk.jo)
    verbs.spam(numbers[4], desk.jo)
    found = report.report(desk.config)
    whole = found.all
    assert found.adds_up and whole.conversations == 5
    assert (whole.in_time, whole.late, whole.overdue, whole.unanswered, whole.in_hand) == (1, 1, 1, 1, 1)
    assert whole.percent == 33.3 and found.teams["asb"].percent == 100.0
    assert whole.as_json()["median_hours"] == 41.0


def test_replies_to_a_sensitive_issue_are_sensitive_from_the_start(desk: Desk) -> None:
    desk.post.mailing.settings = {"sensitive": True}  # type: ignore[attr-defined]
    desk.post.mailing.save()  # type: ignore[attr-defined]
    assert desk.asks().sensitive


def test_a_hold_of_either_part_holds_both(desk: Desk) -> None:
    sent, other = desk.post.sent_to(), desk.post.sent_to("home@example.net")
    one, two = desk.writes(sent), desk.writes(other)
    verbs.hold(two.pk, desk.jo, True)
    assert merging.merge(two.pk, one.pk, desk.jo).held


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('[staff.jo]\nname = "Jo"\naddress = "jo@x.example"\nteams = ["abs"]\n[teams.asb]\ntitle = "A"', "mean asb?"),
        ('[staff."Jo M"]\nname = "Jo"\naddress = "jo@x.example"', "A colleague cannot be called"),
        ('[staff.asb]\nname = "A"\naddress = "a@x.example"\n[teams.asb]\ntitle = "ASB"', "A team cannot be called"),
    ],
)  # fmt: skip
def test_a_desk_that_cannot_be_is_said(desk: Desk, wrong: str, said: str) -> None:
    with pytest.raises(NewsletterError) as caught:
        desk.post.workspace.toml(wrong)
    problem = caught.value.problems[0]
    assert said in f"{problem.message} {problem.hint}"
