"""What bounces and complaints do to a person's records, and how a colleague takes it back."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from newsletter.mail.tokens import Purpose
from newsletter.replies import bounces, intake
from tests.mail.test_sorting import a_block, a_report
from tests.replies.conftest import Post, Sent, mail


def came_back(sent: Sent, *blocks: str, to: str = "") -> str:
    """A report that comes to the bounce address of a copy; the kind it got."""
    raw = a_report(*(blocks or (a_block(),)))
    return intake.accept(raw.replace(b"bounce+token", str(id(blocks)).encode()), to or sent.bounce, "", "lmtp").kind


def suppressions() -> list[tuple[str, str, str]]:
    from newsletter.audience.models import Suppression

    return list(Suppression.objects.values_list("canonical", "scope", "reason"))


def test_a_dead_address_is_suppressed_at_once_by_a_valid_bounce_address(post: Post) -> None:
    from newsletter.replies.models import Bounce

    sent = post.sent_to()
    assert came_back(sent) == "bounce"
    fact = Bounce.objects.get()
    assert (fact.delivery, fact.outcome, fact.status) == (sent.delivery, "gone", "5.1.1")
    assert suppressions() == [("ameera@example.net", "all", "gone")]


def test_the_delivery_stays_accepted_and_the_report_shows_the_bounce_as_a_fact(post: Post) -> None:
    from newsletter.sending import reporting

    sent = post.sent_to()
    came_back(sent)
    sent.delivery.refresh_from_db()
    assert sent.delivery.state == "accepted"
    assert reporting.make(post.mailing).after["bounced"] == 1


def test_a_forged_bounce_address_suppresses_nobody(post: Post) -> None:
    sent = post.sent_to()
    wrong = sent.bounce.replace("bounce+", "bounce+" + "a" * 32 + "x")[:39] + "@bounce.council.example"
    assert came_back(sent, to=wrong) == "bounce"
    assert suppressions() == []


def test_a_report_elsewhere_that_carries_our_message_id_is_weighed_but_does_not_suppress(post: Post) -> None:
    from newsletter.replies.models import Bounce

    sent = post.sent_to()
    raw = a_report(a_block()).replace(b"From: news@council.example", f"Message-ID: {sent.message_id}".encode())
    assert intake.accept(raw, "news@council.example", "", "imap").kind == "bounce"
    assert Bounce.objects.get().delivery == sent.delivery
    assert suppressions() == []


def test_two_reports_about_one_delivery_are_one_bounce(post: Post) -> None:
    from newsletter.replies.models import Bounce, Raw

    sent = post.sent_to()
    came_back(sent, a_block(status="5.2.2", said="smtp; mailbox full"))
    came_back(sent, a_block(said="smtp; 550 5.1.1 user unknown, second report"))
    assert Raw.objects.filter(kind="bounce").count() == 2 and Bounce.objects.get().outcome == "full"


def test_a_report_of_delay_is_no_bounce_yet(post: Post) -> None:
    from newsletter.replies.models import Bounce, Raw

    sent = post.sent_to()
    came_back(sent, a_block(action="delayed", status="4.4.1", said="smtp; timed out"))
    assert not Bounce.objects.exists() and Raw.objects.get().detail == "delayed"
    came_back(sent, a_block(status="4.4.7", said="smtp; expired"))
    assert Bounce.objects.get().outcome == "transient"


def test_what_blocks_us_counts_against_nobody_and_warns_staff(post: Post) -> None:
    sent = post.sent_to()
    came_back(sent, a_block(status="5.7.1", said="smtp; 550 5.7.1 blocked by spamhaus"))
    assert bounces.score("ameera@example.net", sent.delivery)[0] == 0
    assert suppressions() == []
    assert "refused-as-sender" in post.workspace.run("replies", "list").out
    assert "refused-as-sender" in post.workspace.run("doctor").out


def test_the_mailbox_that_is_gone_behind_a_forwarding_one_does_not_kill_the_first(post: Post) -> None:
    from newsletter.replies.models import Bounce

    sent = post.sent_to()
    came_back(sent, a_block("somebody.else@mail.example.org"))
    assert Bounce.objects.get().outcome == "unknown" and suppressions() == []


def bounced_days_ago(post: Post, sent: Sent, days: int, outcome: str = "full", number: int = 0) -> None:
    """A bounce of an earlier mailing to the same person."""
    from django.utils import timezone

    from newsletter.mail.tokens import new_id
    from newsletter.replies.models import Bounce, Raw
    from newsletter.sending.models import Delivery, Mailing

    mailing = Mailing.objects.create(
        slug=f"earlier-{days}-{number}", rendered={}, checksum="", audience=[], settings={}, public_id=new_id()
    )
    delivery = Delivery.objects.create(
        mailing=mailing,
        subscriber=sent.delivery.subscriber,
        canonical=sent.delivery.canonical,
        address=sent.delivery.address,
        token=new_id(),
        state="accepted",
        proof="answer",
    )
    raw = Raw.objects.create(sha256=f"{days}-{number}", recipient="b", channel="lmtp", data=b"", kind="bounce")
    bounce = bounces.land(raw, delivery, None, delivery.canonical, outcome)
    Bounce.objects.filter(pk=bounce.pk).update(at=timezone.now() - timedelta(days=days))


def test_a_mailbox_that_is_full_for_weeks_gets_no_more_mailings(post: Post) -> None:
    sent = post.sent_to()
    for days in (28, 21, 14):
        bounced_days_ago(post, sent, days)
    came_back(sent, a_block(status="5.2.2", said="smtp; over quota"))
    assert suppressions() == [("ameera@example.net", "bulk", "gone")]


def test_many_bounces_within_some_days_say_nothing(post: Post) -> None:
    sent = post.sent_to()
    for number in range(5):
        bounced_days_ago(post, sent, 3, number=number)
    came_back(sent, a_block(status="5.2.2", said="smtp; over quota"))
    assert suppressions() == []


def test_a_message_from_there_makes_the_score_begin_again(post: Post) -> None:
    sent = post.sent_to()
    for days in (28, 21, 14):
        bounced_days_ago(post, sent, days)
    intake.accept(mail(sent.reply), sent.reply, "ameera@example.net", "lmtp")
    came_back(sent, a_block(status="5.2.2", said="smtp; over quota"))
    assert suppressions() == [] and bounces.score("ameera@example.net", sent.delivery)[0] == pytest.approx(1, abs=0.1)


def test_a_wave_of_bounces_pauses_the_mailing_that_is_being_sent(post: Post) -> None:
    from newsletter.sending.models import Mailing, Tally

    people = [post.sent_to(f"person{number}@example.net") for number in range(20)]
    Mailing.objects.update(state=Mailing.State.SENDING)
    Tally.objects.create(mailing=post.mailing, state="accepted", people=100)
    for sent in people:
        came_back(sent, a_block(sent.delivery.address))
    post.mailing.refresh_from_db()
    assert post.mailing.state == "paused" and "addresses were refused" in post.mailing.paused_why


def test_one_dead_address_among_many_pauses_nothing(post: Post) -> None:
    from newsletter.sending.models import Mailing, Tally

    sent = post.sent_to()
    Mailing.objects.update(state=Mailing.State.SENDING)
    Tally.objects.create(mailing=post.mailing, state="accepted", people=100)
    came_back(sent)
    post.mailing.refresh_from_db()
    assert post.mailing.state == "sending"


def test_a_report_about_no_mail_of_ours_counts_against_nobody(post: Post) -> None:
    from newsletter.replies.models import Bounce

    sent = post.sent_to()
    for number in range(4):
        raw = a_report(a_block(said=f"smtp; 550 5.1.1 user unknown {number}"))
        intake.accept(raw, "news@council.example", "", "imap")
    assert Bounce.objects.count() == 4
    assert bounces.score("ameera@example.net", sent.delivery)[0] == 0 and suppressions() == []


def a_complaint(sent: Sent, kind: str = "abuse") -> bytes:
    return (
        "From: fbl@provider.example\nTo: fbl@council.example\nSubject: Report\nMIME-Version: 1.0\n"
        "Content-Type: multipart/report; report-type=feedback-report; boundary=B\n\n"
        f"--B\nContent-Type: message/feedback-report\n\nFeedback-Type: {kind}\nVersion: 1\n\n"
        f"--B\nContent-Type: message/rfc822\n\nFrom: news@council.example\nMessage-ID: {sent.message_id}\n\nHi\n--B--\n"
    ).encode()


def test_a_complaint_about_our_mail_ends_the_mailings_to_that_person(post: Post) -> None:
    from newsletter.replies.models import Complaint

    sent = post.sent_to()
    assert intake.accept(a_complaint(sent), "fbl@council.example", "fbl@provider.example", "imap").kind == "complaint"
    assert Complaint.objects.get().delivery == sent.delivery
    assert suppressions() == [("ameera@example.net", "bulk", "complaint")]


@pytest.mark.parametrize("kind", ["not-spam", "auth-failure"])
def test_a_report_that_is_no_wish_changes_nothing(post: Post, kind: str) -> None:
    intake.accept(a_complaint(post.sent_to(), kind), "fbl@council.example", "", "imap")
    assert suppressions() == []


def test_opt_out_is_a_wish_to_leave_the_lists_of_that_mail(post: Post) -> None:
    from newsletter.audience.models import Subscription

    intake.accept(a_complaint(post.sent_to(), "opt-out"), "fbl@council.example", "", "imap")
    assert suppressions() == []
    assert Subscription.objects.get(list__key="all-residents").state == "left"


def test_a_bounce_that_was_a_persons_message_is_undone_with_all_it_did(post: Post) -> None:
    from newsletter import replies
    from newsletter.replies.models import Bounce, Raw

    sent = post.sent_to()
    came_back(sent)
    number = Raw.objects.get().pk
    ran = post.workspace.run("replies", "reclassify", str(number), "--as", "person")
    assert ran.exit == 0 and "gets mail again" in ran.out
    assert suppressions() == [] and not Bounce.objects.exists()
    assert Raw.objects.get().kind == "person" and replies.balance()["adds_up"]
    assert post.workspace.run("replies", "reclassify", str(number), "--as", "person").exit != 0


def test_a_persons_message_can_be_called_automatic_and_nothing_is_lost(post: Post) -> None:
    from newsletter import replies
    from newsletter.replies.models import Conversation, Raw

    sent = post.sent_to()
    intake.accept(mail(sent.reply), sent.reply)
    assert post.workspace.run("replies", "reclassify", str(Raw.objects.get().pk), "--as", "auto").exit == 0
    assert Raw.objects.get().kind == "auto" and Conversation.objects.get().state == "closed"
    assert replies.balance()["adds_up"]


def test_what_was_sorted_away_can_be_looked_through(post: Post) -> None:
    came_back(post.sent_to())
    found = json.loads(post.workspace.run("replies", "sorted", "--json").out)["messages"]
    assert [one["kind"] for one in found] == ["bounce"]
    assert "RFC 3464" in post.workspace.run("replies", "sorted").out


def test_the_whole_reply_unsubscribe_takes_them_off_that_mails_lists(post: Post) -> None:
    from newsletter.audience.models import Subscription

    sent = post.sent_to()
    assert intake.accept(mail(sent.reply, "Unsubscribe please"), sent.reply, "ameera@example.net").kind == "unsubscribe"
    assert Subscription.objects.get(list__key="all-residents").state == "left"


def test_who_left_in_words_is_told_once_how_to_take_it_back(post: Post) -> None:
    from newsletter.mail import incoming
    from newsletter.replies.models import Conversation
    from newsletter.sending.models import Notice

    sent = post.sent_to()
    for number in range(3):
        intake.accept(mail(sent.reply, "Unsubscribe", message_id=f"<{number}@x>"), sent.reply)
    notice = Notice.objects.get()
    told = incoming.read(bytes(notice.data))
    assert (notice.kind, notice.sender, notice.address) == ("confirmation", "", "ameera@example.net")
    assert told.header("auto-submitted") == "auto-replied" and told.in_reply_to == ("0@x",)
    assert "All residents" in told.text
    back = told.header("reply-to")
    assert intake.accept(mail(back, "Yes, a mistake, sorry", message_id="<9@x>"), back).kind == "person"
    assert Conversation.objects.count() == 1


def test_a_wish_to_leave_that_was_none_is_put_back(post: Post) -> None:
    from newsletter.audience.models import Subscription
    from newsletter.replies.models import Raw

    sent = post.sent_to()
    intake.accept(mail(sent.reply, "Stop"), sent.reply)
    ran = post.workspace.run("replies", "reclassify", str(Raw.objects.get().pk), "--as", "person")
    assert ran.exit == 0 and "the lists are back" in ran.out
    assert Subscription.objects.get(list__key="all-residents").state == "confirmed"


@pytest.mark.parametrize("sender", ["Neighbour <neighbour@example.org>", "ameera@example.net"])
def test_the_same_word_from_elsewhere_or_without_a_token_is_only_a_suggestion(post: Post, sender: str) -> None:
    from newsletter.audience.models import ConsentEvent
    from newsletter.replies.models import Tag

    sent = post.sent_to()
    to = sent.reply if "Neighbour" in sender else "news@council.example"
    assert intake.accept(mail(to, "Unsubscribe", sender), to).kind == "person"
    assert Tag.objects.get().word == "asks to leave"
    assert not ConsentEvent.objects.filter(event="left").exists()


def test_a_softer_wish_is_followed_by_one_press(post: Post) -> None:
    from newsletter.audience.models import Subscription
    from newsletter.replies.models import Conversation

    sent = post.sent_to()
    intake.accept(mail(sent.reply, "I moved away in May, could you please remove me from your list?"), sent.reply)
    number = Conversation.objects.get().pk
    ran = post.workspace.run("replies", "let-go", str(number))
    assert ran.exit == 0 and "all-residents" in ran.out
    assert Subscription.objects.get(list__key="all-residents").state == "left"


def test_an_answer_to_our_answer_is_known_by_the_token_of_that_answer(post: Post) -> None:
    from newsletter.mail.tokens import address, new_id
    from newsletter.replies.models import Raw
    from newsletter.sending import notices

    sent = post.sent_to()
    stored = new_id()
    notice = notices.queue("answer", "ameera@example.net", b"x", token=stored)
    to = address("reply", sent.keyring.make(Purpose.REPLY, stored), "reply.council.example")
    assert intake.accept(mail(to), to).kind == "person"
    assert Raw.objects.get().answers == notice
    back = address("bounce", sent.keyring.make(Purpose.BOUNCE, stored), "bounce.council.example")
    intake.accept(a_report(a_block()), back, "", "lmtp")
    notice.refresh_from_db()
    assert notice.bounce.outcome == "gone"
