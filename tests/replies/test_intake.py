"""The one door: kept first, then identified, then sorted; whatever happens, nothing is lost."""

from __future__ import annotations

from unittest import mock

import pytest

from newsletter.mail.tokens import Purpose, address, new_id
from tests.replies.conftest import Post, mail


def accept(raw: bytes, recipient: str, sender: str = "ameera@example.net"):  # type: ignore[no-untyped-def]
    from newsletter.replies import intake

    return intake.accept(raw, recipient, sender, "pipe")


def conversations():  # type: ignore[no-untyped-def]
    from newsletter.replies.models import Conversation

    return list(Conversation.objects.order_by("id"))


def test_a_reply_becomes_a_conversation_with_issue_person_and_new_words(post: Post) -> None:
    sent = post.sent_to()
    quoted = "I would like that.\n\nOn Tue, 24 Nov 2026, Example Council wrote:\n> Hello Ameera,\n> can you?\n"
    verdict = accept(mail(sent.reply, quoted), sent.reply)
    [found] = conversations()
    assert verdict.kind == "person" and verdict.conversation_id == found.pk
    assert found.mailing == post.mailing and found.delivery == sent.delivery
    assert found.subscriber.address == "ameera@example.net" and found.verified and not found.someone_else
    message = found.messages.get()
    assert message.new_words == "I would like that."
    assert "> Hello Ameera," in message.full_text


def test_the_raw_message_is_kept_byte_for_byte(post: Post) -> None:
    from newsletter.replies.models import Raw

    sent = post.sent_to()
    raw = mail(sent.reply).replace(b"\n", b"\r\n") + b"\x00\xff\r\n"
    accept(raw, sent.reply)
    assert bytes(Raw.objects.get().data) == raw


def test_a_second_message_joins_the_first_and_opens_it_again(post: Post) -> None:
    from newsletter.replies.models import Conversation

    sent = post.sent_to()
    accept(mail(sent.reply), sent.reply)
    Conversation.objects.update(state="closed")
    accept(mail(sent.reply, "Are you still there?", message_id="<2@mail.example.net>"), sent.reply)
    [found] = conversations()
    assert found.state == "open" and found.messages.count() == 2


def test_a_forwarded_copy_answered_by_somebody_else_is_never_the_recipients(post: Post) -> None:
    sent = post.sent_to()
    accept(mail(sent.reply), sent.reply)
    verdict = accept(mail(sent.reply, "He hits me.", "Jo <jo@victim.example>", message_id="<9@v>"), sent.reply)
    first, second = conversations()
    assert first.subscriber is not None and first.messages.count() == 1
    assert second.someone_else and second.subscriber is None and second.delivery == sent.delivery
    assert verdict.reason == "from someone else, via ameera@example.net"


def test_a_forged_address_is_kept_but_linked_to_nobody(post: Post) -> None:
    sent = post.sent_to()
    wrong = sent.reply.replace("reply+", "reply+", 1)
    token = wrong.split("+")[1].split("@")[0]
    wrong = wrong.replace(token, ("a" if token[0] != "a" else "b") + token[1:])
    verdict = accept(mail(wrong, "Please help me", in_reply_to=sent.message_id), wrong)
    [found] = conversations()
    assert verdict.kind == "person"
    assert (found.mailing, found.delivery, found.subscriber, found.verified) == (None, None, None, False)
    assert "not verified" in verdict.reason


@pytest.mark.parametrize("purpose", [Purpose.VIEW, Purpose.CONFIRM])
def test_a_token_for_something_else_is_no_reply_address(post: Post, purpose: Purpose) -> None:
    sent = post.sent_to()
    other = address("reply", sent.token(purpose), "reply.council.example")
    accept(mail(other), other)
    [found] = conversations()
    assert not found.verified and found.delivery is None


def test_a_signed_address_that_we_have_no_record_of_still_reaches_a_person(post: Post) -> None:
    sent = post.sent_to()
    lost = address("reply", sent.keyring.make(Purpose.REPLY, new_id()), "reply.council.example")
    assert accept(mail(lost), lost).kind == "person"
    [found] = conversations()
    assert not found.verified


def test_an_address_in_capitals_is_the_same_address(post: Post) -> None:
    sent = post.sent_to()
    accept(mail(sent.reply.upper()), sent.reply.upper())
    assert conversations()[0].delivery == sent.delivery


def test_without_an_envelope_the_headers_are_asked(post: Post) -> None:
    sent = post.sent_to()
    accept(mail("news@council.example", X_Original_To=sent.reply), "")
    assert conversations()[0].delivery == sent.delivery


def test_a_retyped_address_is_matched_by_the_message_it_answers(post: Post) -> None:
    sent = post.sent_to()
    raw = mail("news@council.example", in_reply_to=sent.message_id)
    accept(raw, "news@council.example")
    [found] = conversations()
    assert found.delivery == sent.delivery and found.identified == "message-id"


def test_an_answer_to_a_test_copy_is_kept_and_says_so(post: Post) -> None:
    sent = post.sent_to()
    test = address("reply", sent.token(Purpose.TEST), "reply.council.example")
    assert accept(mail(test), test).reason == "answers a test copy"
    [found] = conversations()
    assert found.identified == "test" and found.subscriber is None


def test_somebody_who_left_is_still_heard(post: Post) -> None:
    from newsletter.audience import subscribing

    sent = post.sent_to()
    subscribing.leave("ameera@example.net", ["all-residents"], "page")
    assert accept(mail(sent.reply), sent.reply).kind == "person"


def test_somebody_who_was_removed_is_still_heard(post: Post) -> None:
    from newsletter.audience.models import Subscriber

    sent = post.sent_to()
    Subscriber.objects.all().delete()
    assert accept(mail(sent.reply), sent.reply).kind == "person"
    [found] = conversations()
    assert found.verified and found.subscriber is None and found.delivery == sent.delivery


def test_the_same_message_twice_is_one_message_and_a_counted_duplicate(post: Post) -> None:
    from newsletter import replies

    sent = post.sent_to()
    for _ in range(3):
        verdict = accept(mail(sent.reply), sent.reply)
    assert verdict.kind == "duplicate"
    assert conversations()[0].messages.count() == 1
    found = replies.balance()
    assert (found["received"], found["person"], found["duplicate"], found["adds_up"]) == (3, 1, 2, True)


def test_the_same_message_by_another_way_is_a_duplicate(post: Post) -> None:
    sent = post.sent_to()
    accept(mail(sent.reply), sent.reply)
    again = b"Received: from elsewhere\n" + mail(sent.reply)
    assert accept(again, sent.reply).kind == "duplicate"


def test_a_program_that_uses_one_message_id_for_two_messages_loses_neither(post: Post) -> None:
    sent = post.sent_to()
    accept(mail(sent.reply, "One"), sent.reply)
    assert accept(mail(sent.reply, "Two"), sent.reply).kind == "person"
    assert conversations()[0].messages.count() == 2


@pytest.mark.parametrize(
    "headers",
    [{}, {"Auto_Submitted": "auto-replied", "X_Apple_Unsubscribe": "true"}, {"Precedence": "bulk"}],
    ids=["plain", "apple", "bulk"],
)
def test_mail_to_the_unsubscribe_address_leaves_whatever_is_in_it(post: Post, headers: dict[str, str]) -> None:
    from newsletter.audience import subscribing
    from newsletter.audience.models import ConsentEvent

    sent = post.sent_to()
    assert accept(mail(sent.leave, "whatever", **headers), sent.leave).kind == "unsubscribe"
    assert accept(mail(sent.leave, "again", **headers), sent.leave).kind == "unsubscribe"
    assert subscribing.has_left("ameera@example.net", ["all-residents"])
    assert ConsentEvent.objects.filter(event="left", channel="mail").count() == 1
    assert conversations() == []


def test_the_unsubscribe_address_works_after_the_mailing_is_gone(post: Post) -> None:
    from newsletter.audience import subscribing

    sent = post.sent_to()
    sent.delivery.delete()
    post.mailing.delete()
    assert accept(mail(sent.leave, "whatever"), sent.leave).kind == "unsubscribe"
    assert subscribing.has_left("ameera@example.net", ["all-residents"])


def test_the_unsubscribe_address_of_a_test_copy_takes_nobody_off(post: Post) -> None:
    from newsletter.audience.models import ConsentEvent

    sent = post.sent_to()
    test = address("unsubscribe", sent.token(Purpose.TEST), "reply.council.example")
    assert accept(mail(test), test).kind == "unsubscribe"
    assert not ConsentEvent.objects.exists()


def test_a_forged_unsubscribe_address_takes_nobody_off_and_is_shown(post: Post) -> None:
    from newsletter.audience.models import ConsentEvent

    sent = post.sent_to()
    last = sent.leave[43:44]
    wrong = sent.leave[:43] + ("a" if last != "a" else "b") + sent.leave[44:]
    assert accept(mail(wrong), wrong).kind == "person"
    assert not ConsentEvent.objects.exists()


def test_an_out_of_office_notice_is_kept_and_opens_nothing_again(post: Post) -> None:
    from newsletter.replies.models import Conversation, Raw

    sent = post.sent_to()
    accept(mail(sent.reply), sent.reply)
    Conversation.objects.update(state="closed")
    raw = mail(sent.reply, "Back on Monday", message_id="<3@x>", Auto_Submitted="auto-replied")
    verdict = accept(raw, sent.reply)
    assert verdict.kind == "auto" and "Auto-Submitted" in verdict.reason
    assert conversations()[0].state == "closed"
    assert [one.kind for one in conversations()[0].messages.all()] == ["person", "auto"]
    assert Raw.objects.get(kind="auto").delivery == sent.delivery


def test_a_bounce_is_kept_with_the_delivery_it_speaks_of(post: Post) -> None:
    from newsletter.replies.models import Raw

    sent = post.sent_to()
    raw = mail(
        sent.bounce,
        "550 no such user",
        "MAILER-DAEMON@mx.example.net",
        "Undelivered mail",
        Auto_Submitted="auto-replied",
    )
    assert accept(raw, sent.bounce, "").kind == "bounce"
    assert Raw.objects.get().delivery == sent.delivery


def test_an_absence_notice_at_the_bounce_address_is_no_bounce(post: Post) -> None:
    sent = post.sent_to()
    raw = mail(sent.bounce, "Back on Monday", Auto_Submitted="auto-replied")
    assert accept(raw, sent.bounce, "").kind == "auto"


def test_the_person_whose_program_answers_the_bounce_address_is_heard(post: Post) -> None:
    sent = post.sent_to()
    assert accept(mail(sent.bounce), sent.bounce).kind == "person"
    assert conversations()[0].subscriber is not None


def test_our_own_mail_that_comes_back_to_us_disturbs_nobody(post: Post) -> None:
    sent = post.sent_to()
    assert accept(mail(sent.reply, message_id=sent.message_id), sent.reply).kind == "auto"


def test_when_our_own_mail_comes_back_again_and_again_staff_see_it(post: Post) -> None:
    for number in range(5):
        assert "mail-loop" not in post.workspace.run("replies", "list").out
        sent = post.sent_to(f"n{number}@example.net")
        accept(mail(sent.reply, message_id=sent.message_id), sent.reply)
    for command in (("replies", "list"), ("doctor",)):
        assert "5 mails of ours came back to us" in post.workspace.run(*command).out
    assert conversations() == [], "and it disturbs nobody"


def test_what_cannot_be_read_is_set_aside_and_shown(post: Post) -> None:
    from newsletter.replies import showing

    sent = post.sent_to()
    head = mail(sent.reply).split(b"\n\n")[0].replace(b"text/plain", b"multipart/mixed; boundary=x")
    assert (
        accept(head + b"\n\n" + b"--x\nContent-Type: multipart/mixed; boundary=x\n\n" * 2000, sent.reply).kind
        == "quarantine"
    )
    [found] = showing.set_aside()
    assert found["reason"] and found["recipient"] == sent.reply


def test_a_crash_between_keeping_and_sorting_is_finished_by_the_next_command(post: Post) -> None:
    from newsletter import replies
    from newsletter.replies import intake

    sent = post.sent_to()
    with mock.patch.object(intake, "_sort_or_leave", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        accept(mail(sent.reply), sent.reply)
    assert conversations() == [] and replies.balance()["unread"] == 1
    assert intake.finish_unread() == 0
    assert conversations()[0].delivery == sent.delivery and replies.balance()["adds_up"]


def test_the_mail_server_trying_again_after_a_crash_finishes_it_too(post: Post) -> None:
    from newsletter.replies import intake

    sent = post.sent_to()
    with mock.patch.object(intake, "_sort_or_leave", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        accept(mail(sent.reply), sent.reply)
    assert accept(mail(sent.reply), sent.reply).kind == "duplicate"
    assert len(conversations()) == 1


def test_a_message_that_twice_broke_the_reader_is_set_aside_and_the_next_is_read(post: Post) -> None:
    from newsletter.replies import intake, reading

    sent = post.sent_to()
    with mock.patch.object(reading, "read", side_effect=MemoryError):
        assert accept(mail(sent.reply), sent.reply).kind == ""
        assert intake.finish_unread() == 1
    assert intake.finish_unread() == 0
    assert accept(mail(sent.reply, "next", message_id="<2@x>"), sent.reply).kind == "person"


def test_a_lost_key_keeps_the_mail_until_the_key_is_back(post: Post) -> None:
    from newsletter.replies import intake

    sent = post.sent_to()
    key = post.workspace.root / "var" / "secret.key"
    key.rename(key.with_suffix(".away"))
    for number in range(4):
        assert accept(mail(sent.reply, f"Help {number}", message_id=f"<{number}@x>"), sent.reply).kind == ""
    assert intake.finish_unread() == 4
    key.with_suffix(".away").rename(key)
    assert intake.finish_unread() == 0
    assert conversations()[0].messages.count() == 4


def test_sorting_twice_at_once_gives_one_message(post: Post) -> None:
    from newsletter.replies import reading, sorting
    from newsletter.replies.models import Raw

    sent = post.sent_to()
    accept(mail(sent.reply), sent.reply)
    raw = Raw.objects.get()
    raw.kind = ""  # as another process read it a moment ago
    again = sorting.sort(raw, reading.read(bytes(raw.data)))
    assert again.kind == "person" and conversations()[0].messages.count() == 1
