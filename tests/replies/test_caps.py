"""Too much from one address in one day: kept and shown, but it disturbs nobody and hides nobody else."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

import pytest
from django.utils import timezone

from newsletter.replies import caps
from tests.replies.conftest import Post, mail
from tests.replies.test_lmtp import forged


def write(recipient: str, number: int, words: str = "") -> str:
    from newsletter.replies import intake

    raw = mail(recipient, words or f"Words {number}", message_id=f"<{number}@mail.example.net>")
    return intake.accept(raw, recipient, "ameera@example.net").kind


@pytest.mark.parametrize("known", [True, False])
def test_beyond_the_number_of_a_day_messages_are_set_aside_and_none_is_lost(post: Post, known: bool) -> None:
    from newsletter import replies
    from newsletter.replies.models import Message, Raw

    sent, other = post.sent_to(), post.sent_to("other@example.net")
    to = sent.reply if known else forged(sent.reply)
    with mock.patch.object(caps, "MOST_A_DAY", 3):
        assert [write(to, number) for number in range(5)] == ["person"] * 3 + ["quarantine"] * 2
        assert write(other.reply, 9) == "person"
        ran = post.workspace.run("replies", "list")
        assert "more than 3 messages" in ran.out and "q4" in ran.out
        Raw.objects.update(received=timezone.now() - timedelta(days=2))
        Message.objects.update(at=timezone.now() - timedelta(days=2))
        assert write(to, 10) == "person"
    found = replies.balance()
    assert found["adds_up"] and (found["person"], found["quarantine"]) == (5, 2)


def test_a_wish_to_leave_is_never_one_too_many(post: Post) -> None:
    sent = post.sent_to()
    with mock.patch.object(caps, "MOST_A_DAY", 1):
        assert [write(sent.leave, number, "unsubscribe") for number in range(3)] == ["unsubscribe"] * 3


def test_a_mailbox_that_answers_by_itself_does_not_silence_its_owner(post: Post) -> None:
    from newsletter.replies import intake

    sent = post.sent_to()
    with mock.patch.object(caps, "MOST_A_DAY", 2):
        for number in range(4):
            away = mail(sent.reply, "I am away.", message_id=f"<a{number}@x.example>", Auto_Submitted="auto-replied")
            assert intake.accept(away, sent.reply, "ameera@example.net").kind == "auto"
        assert write(sent.reply, 9, "Please come") == "person"


def test_whoever_else_holds_the_copy_cannot_use_up_what_its_owner_may_write(post: Post) -> None:
    from newsletter.replies import intake

    sent = post.sent_to()

    def by_others(number: int) -> str:
        sender = f"other{number}@example.org"
        raw = mail(sent.reply, f"Nonsense {number}", sender=sender, message_id=f"<o{number}@x.example>")
        return intake.accept(raw, sent.reply, sender).kind

    with mock.patch.object(caps, "MOST_A_DAY", 2):
        assert [by_others(number) for number in range(3)] == ["person", "person", "quarantine"]
        assert write(sent.reply, 9, "Please come") == "person"


def test_people_who_say_no_address_on_the_page_are_not_one_writer_who_writes_too_much(post: Post) -> None:
    from newsletter.mail import page_mail
    from newsletter.replies import intake

    assert caps.MOST_UNNAMED > caps.MOST_A_DAY
    with mock.patch.object(caps, "MOST_A_DAY", 2):
        for number in range(4):
            to = "page@reply.council.example"
            written = page_mail.Written(f"Plea {number}", f"{number}" * 20, to, "reply.council.example", timezone.now())
            assert intake.accept(page_mail.build(written), to, "", "page").kind == "person"
