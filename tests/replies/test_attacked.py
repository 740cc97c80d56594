"""Ways in which a reply could be lost, or somebody harmed by it, each tried once."""

from __future__ import annotations

import base64
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from unittest import mock

import pytest
from django.utils import timezone

from newsletter.mail import addresses, page_mail
from newsletter.mail.page_mail import Written
from newsletter.replies import acknowledging, answering, intake
from newsletter.replies.models import Attachment, Conversation, DeskEntry, Message
from newsletter.sending import notices
from newsletter.sending.models import Notice
from tests.replies.conftest import Post, Sent, mail
from tests.replies.desk_made import Desk, desk_of

PNG = bytes.fromhex("89504e470d0a1a0a") + b"0" * 40
PLUS = 'mailbox = "news@mail.council.example"\n'


def plus_desk(post: Post) -> Desk:
    """One mailbox whose plus addresses bring everything back: nothing arrives at the reply domain."""
    desk = desk_of(post)
    from tests.replies.desk_made import STAFF
    from tests.workspace import TOML

    return Desk(post, post.workspace.toml(STAFF.replace("[replies]\n", f"[replies]\n{PLUS}"), TOML), desk.numbers)


def answer(desk: Desk, found: Conversation, text: str = "We come today.") -> Notice:
    planned = answering.plan(desk.config, found.pk, desk.jo, text, version=found.version)
    return Notice.objects.get(pk=answering.send(desk.config, planned, desk.jo))


def reply_to(notice: Notice) -> str:
    return str(message_from_bytes(bytes(notice.data), policy=default)["Reply-To"])


def test_with_plus_addresses_of_one_mailbox_the_way_back_of_an_answer_is_that_mailbox(post: Post) -> None:
    desk = plus_desk(post)
    sent = answer(desk, desk.asks())
    assert "<news+" in reply_to(sent) and "@mail.council.example>" in reply_to(sent)
    assert sent.sender.startswith("news+")


def test_with_plus_addresses_who_left_by_mail_can_answer_the_confirmation(post: Post) -> None:
    plus_desk(post)
    sent = post.sent_to()
    assert intake.accept(mail(sent.reply, "unsubscribe", subject="unsubscribe"), sent.reply).kind == "unsubscribe"
    confirmed = Notice.objects.get(kind=Notice.Kind.CONFIRMATION)
    assert reply_to(confirmed).startswith("news+")


@pytest.mark.parametrize("wrote_before", [False, True])
def test_whoever_answers_that_they_have_left_is_the_person_we_know(post: Post, wrote_before: bool) -> None:
    sent = post.sent_to()
    before = intake.accept(mail(sent.reply, "Thanks", message_id="<0@x>"), sent.reply) if wrote_before else None
    assert intake.accept(mail(sent.reply, "unsubscribe", subject="unsubscribe"), sent.reply).kind == "unsubscribe"
    to = reply_to(Notice.objects.get(kind=Notice.Kind.CONFIRMATION))
    verdict = intake.accept(mail(to, "That was a mistake!", message_id="<2@x>"), to, "ameera@example.net")
    found = Conversation.objects.get(pk=verdict.conversation_id)
    assert found.verified and found.delivery == sent.delivery and found.subscriber == sent.delivery.subscriber
    assert before is None or found.pk == before.conversation_id
    stranger = intake.accept(mail(to, "Who is this?", "sam@example.net", message_id="<3@x>"), to, "sam@example.net")
    other = Conversation.objects.get(pk=stranger.conversation_id)
    assert other.pk != found.pk and other.someone_else and other.subscriber is None


@pytest.mark.parametrize(
    "broken",
    [
        "newsletter.replies.rules.look",
        "newsletter.replies.clock.Calendar.add",
        "newsletter.replies.acknowledging.consider",
        "newsletter.replies.telling.tell_team",
        "newsletter.mail.quoting.new_words",
        "newsletter.mail.html_clean.clean",
        "newsletter.sending.copies.texts",
    ],
)
def test_a_fault_of_ours_in_what_follows_never_costs_the_words(post: Post, broken: str) -> None:
    desk = desk_of(post)
    sent = post.sent_to(attributes={"area": "Stafford North"})
    with mock.patch(broken, side_effect=RuntimeError("a fault of ours")):
        verdict = intake.accept(mail(sent.reply, "He is at the door again."), sent.reply)
    assert verdict.kind == "person", verdict
    message = Message.objects.get(raw__isnull=False)
    assert "at the door again" in message.new_words
    assert message.conversation.state == "new" and desk.config


def with_a_picture(to: str, data: bytes, message_id: str = "<1@mail.example.net>") -> bytes:
    message = message_from_bytes(mail(to, "Look at this.", message_id=message_id), policy=default)
    assert isinstance(message, EmailMessage)
    message.add_attachment(data, "image", "png", filename="him.png")
    return message.as_bytes()


def on_the_page(sent: Sent, words: str, once: str = "a" * 20, **facts: str) -> bytes:
    written = Written(
        words, once, sent.reply, "reply.council.example", timezone.now(), address=sent.delivery.address, **facts
    )
    return page_mail.build(written)


def test_the_same_words_with_a_picture_through_the_other_door_are_kept(post: Post) -> None:
    sent = post.sent_to()
    assert intake.accept(on_the_page(sent, "Look at this."), sent.reply, sent.delivery.address, "page").kind == "person"
    assert intake.accept(with_a_picture(sent.reply, PNG), sent.reply).kind == "person"
    assert Attachment.objects.count() == 1


def test_the_same_number_and_words_with_a_picture_are_kept(post: Post) -> None:
    sent = post.sent_to()
    assert intake.accept(mail(sent.reply, "Look at this."), sent.reply).kind == "person"
    assert intake.accept(with_a_picture(sent.reply, PNG), sent.reply).kind == "person"
    assert intake.accept(with_a_picture(sent.reply, PNG) + b"\n", sent.reply).kind == "duplicate"


def test_what_the_page_asks_is_kept_also_when_the_words_came_by_mail_before(post: Post) -> None:
    sent = post.sent_to()
    assert intake.accept(mail(sent.reply, "He is here."), sent.reply).kind == "person"
    pressed = on_the_page(sent, "He is here.", phone="0123", call="no")
    assert intake.accept(pressed, sent.reply, sent.delivery.address, "page").kind == "duplicate"
    found = Conversation.objects.get()
    assert (found.phone, found.safe_to_phone) == ("0123", "no")


def test_facts_of_the_page_in_a_mail_mean_nothing(post: Post) -> None:
    sent = post.sent_to()
    raw = b"X-Page-Call: yes\r\nX-Page-Write: yes\r\nX-Page-Phone: 0666\r\nX-Page-Name: Police\r\n" + mail(sent.reply)
    intake.accept(raw, sent.reply)
    found = Conversation.objects.get()
    assert (found.phone, found.safe_to_phone, found.safe_to_write, found.from_name) == ("", "", "", "Ameera K.")


def test_a_later_yes_on_the_page_does_not_take_back_that_it_is_not_safe(post: Post) -> None:
    sent = post.sent_to()
    intake.accept(on_the_page(sent, "Help.", write="no", call="no"), sent.reply, sent.delivery.address, "page")
    later = on_the_page(sent, "All is well.", "b" * 20, write="yes", call="yes")
    intake.accept(later, sent.reply, sent.delivery.address, "page")
    found = Conversation.objects.get()
    assert (found.safe_to_write, found.safe_to_phone) == ("unsure", "unsure")


def test_two_who_say_no_address_on_one_copy_stay_apart_and_each_with_their_files(post: Post) -> None:
    sent = post.sent_to()

    def press(words: str, once: str, **facts: str) -> int | None:
        written = Written(words, once, sent.reply, "reply.council.example", timezone.now(), **facts)
        return intake.accept(page_mail.build(written), sent.reply, "", "page").conversation_id

    victim = press("He beats me.", "a" * 20, phone="0123", call="no")
    other = press("I am her husband.", "b" * 20, phone="0666", call="yes")
    files = press("Files", "c" * 20, follows=page_mail.message_id("a" * 20, "reply.council.example"))
    assert victim != other and files == victim
    found = Conversation.objects.get(pk=victim)
    assert (found.phone, found.safe_to_phone) == ("0123", "no")


def test_an_answer_to_what_was_written_on_the_page_quotes_nothing_for_the_address_is_only_claimed(post: Post) -> None:
    desk, sent = desk_of(post), post.sent_to()
    pressed = on_the_page(sent, "My husband beats me.", write="yes", name="Nadia")
    number = intake.accept(pressed, sent.reply, sent.delivery.address, "page").conversation_id
    found = Conversation.objects.get(pk=number)
    planned = answering.plan(desk.config, found.pk, desk.jo, "We come.", version=found.version)
    assert "beats" not in planned.letter.text and planned.letter.to_name == ""
    assert any("whoever holds the link" in one for one in planned.warnings)


@pytest.mark.parametrize("sender", ["other@example.org", "ameera@example.net"])
def test_a_person_who_answers_to_the_return_path_is_a_person(post: Post, sender: str) -> None:
    sent = post.sent_to()
    raw = mail(sent.bounce, "Please come, he is at the door.", sender=sender, in_reply_to=sent.message_id)
    assert intake.accept(raw, sent.bounce, sender, "lmtp").kind == "person"


def test_a_report_with_a_return_address_at_the_bounce_address_is_still_a_bounce(post: Post) -> None:
    sent = post.sent_to()
    text = "Your message could not be delivered.\n\n<ameera@example.net>: 550 5.1.1 User unknown\n"
    raw = mail(sent.bounce, text, sender="gateway@example.net", subject="Undeliverable: news")
    assert intake.accept(raw, sent.bounce, "gateway@example.net", "lmtp").kind == "bounce"


def test_words_before_more_than_can_be_read_reach_a_person(post: Post) -> None:
    sent = post.sent_to()
    forwarded = b"".join(b"--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n" % (n, n + 1) for n in range(12))
    head = b"From: ameera@example.net\nTo: %s\nContent-Type: multipart/mixed; boundary=b0\n\n" % sent.reply.encode()
    words = b"--b0\nContent-Type: text/plain\n\nHe is at the door.\n"
    verdict = intake.accept(head + words + forwarded + b"x\n" * 500_000, sent.reply)
    assert verdict.kind == "person" and "nested too deeply" in verdict.reason
    assert Message.objects.get().new_words.startswith("He is at the door.")


@pytest.mark.parametrize("address", ["zoë@example.org", "ann@bücher.example"])
def test_an_address_in_any_letters_that_was_typed_on_the_page_is_answered_there(post: Post, address: str) -> None:
    desk, sent = desk_of(post), post.sent_to()
    written = Written("Help.", "a" * 20, sent.reply, "reply.council.example", timezone.now(), address=address)
    number = intake.accept(page_mail.build(written), sent.reply, address, "page").conversation_id
    found = Conversation.objects.get(pk=number)
    planned = answering.plan(desk.config, found.pk, desk.jo, "We come.", to=address, version=found.version)
    assert planned.letter.to == addresses.parse(address).wire


def report_of_a_complaint(to: str, sent: Sent) -> bytes:
    head = f"From: evil@example.org\nTo: {to}\nMessage-ID: <arf@example.org>\n".encode()
    kind = b"Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n"
    fields = b"--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\n\n"
    original = f"--b\nContent-Type: message/rfc822\n\nMessage-ID: {sent.message_id}\nTo: x@y.example\n\nhi\n--b--\n"
    return head + kind + b"--b\nContent-Type: text/plain\n\nspam\n" + fields + original.encode()


def test_whoever_holds_a_copy_cannot_take_its_owner_off_with_a_forged_report(post: Post) -> None:
    from newsletter.audience.models import Suppression

    sent = post.sent_to()
    verdict = intake.accept(report_of_a_complaint(sent.reply, sent), sent.reply, "evil@example.org", "lmtp")
    assert verdict.kind == "person" and not Suppression.objects.exists()


@pytest.mark.parametrize("to", ["owner-list@example.org", "news@council.example", "reply@reply.council.example"])
def test_a_copy_by_mail_that_was_ticked_goes_to_no_machine_and_not_to_ourselves(post: Post, to: str) -> None:
    desk = desk_of(post)
    sender = next(iter(desk.config.senders.values())).address
    acknowledging.reference_only(desk.asks(), sender if to.startswith("news@") else to, "en")
    assert not Notice.objects.exists() and DeskEntry.objects.filter(what="not-thanked").exists()


def test_the_breaker_holds_for_copies_that_were_ticked_too(post: Post) -> None:
    desk = desk_of(post)
    with mock.patch.object(acknowledging, "MOST", 1):
        for number in range(3):
            acknowledging.reference_only(desk.asks(f"p{number}@example.net"), f"safe{number}@example.org", "en")
    assert Notice.objects.count() == 1


def test_emergency_words_of_the_sender_stand_in_the_thanks(post: Post) -> None:
    desk = desk_of(post)
    key, sender = next(iter(desk.config.senders.items()))
    desk = desk_of(post, f'[emergency.own]\nsender = "{key}"\ntext = "Ring 0123 456."\n')
    post.mailing.settings = {"sender_address": sender.address}
    post.mailing.save()
    acknowledging.reference_only(desk.asks(), "safe@example.org", "en")
    assert b"Ring 0123 456." in bytes(Notice.objects.get().data)


def test_thanks_are_signed_as_every_other_mail_of_ours(post: Post) -> None:
    desk = desk_of(post)
    with mock.patch("newsletter.replies.telling.signed", lambda config, data: b"DKIM-Signature: x\r\n" + data):
        acknowledging.reference_only(desk.asks(), "safe@example.org", "en")
    assert bytes(Notice.objects.get().data).startswith(b"DKIM-Signature")


def test_thanks_never_stand_before_a_notice_to_staff(post: Post) -> None:
    desk = desk_of(post)
    acknowledging.reference_only(desk.asks(), "safe@example.org", "en")
    notices.queue(Notice.Kind.STAFF, "jo@council.example", b"Subject: look\r\n\r\nnow\r\n")
    order: list[str] = []
    with mock.patch.object(
        notices, "_carry", lambda link, number: order.append(Notice.objects.get(pk=number).kind) or 0
    ):
        notices.deliver(desk.config)
    assert order == ["staff", "acknowledgement"]


def test_words_beside_a_wish_to_leave_reach_a_person_and_the_wish_is_done(post: Post) -> None:
    from newsletter.audience import subscribing

    sent = post.sent_to()
    verdict = intake.accept(mail(sent.leave, "He is at the door with a knife, please come."), sent.leave)
    assert verdict.kind == "person" and "asked to leave" in verdict.reason
    assert "knife" in Message.objects.get().new_words
    assert subscribing.has_left("ameera@example.net", ["all-residents"])


@pytest.mark.parametrize(
    "body",
    ["", "unsubscribe", "Ann Oakley", "This message was automatically generated by a mail program to unsubscribe."],
)
def test_a_wish_to_leave_alone_disturbs_nobody(post: Post, body: str) -> None:
    sent = post.sent_to()
    assert intake.accept(mail(sent.leave, body, subject="unsubscribe"), sent.leave).kind == "unsubscribe"


def test_a_plea_of_six_words_under_the_subject_unsubscribe_is_read_by_a_person(post: Post) -> None:
    sent = post.sent_to()
    raw = mail(sent.reply, "help me he has a knife", subject="Unsubscribe")
    assert intake.accept(raw, sent.reply, "ameera@example.net").kind == "person"
    raw = mail(sent.reply, "please, thank you", subject="Unsubscribe", message_id="<2@x.example>")
    assert intake.accept(raw, sent.reply, "ameera@example.net").kind == "unsubscribe"


def test_a_field_that_people_do_not_see_decides_nothing_and_is_in_the_log(post: Post) -> None:
    sent = post.sent_to()
    pressed = on_the_page(sent, "Help.", trap="https://spam.example")
    assert intake.accept(pressed, sent.reply, sent.delivery.address, "page").kind == "person"
    assert DeskEntry.objects.filter(what="odd").count() == 1 and Conversation.objects.get().state == "new"


def test_a_mail_from_sendgrid_without_its_envelope_is_not_taken_for_a_machines() -> None:
    from newsletter.config.inward import Hook
    from newsletter.replies.hooks import sendgrid
    from newsletter.replies.hooks.calls import Call, Letter

    body = b'--b\r\nContent-Disposition: form-data; name="email"\r\n\r\nFrom: a@x.example\r\n\r\nhi\r\n'
    body += b'--b\r\nContent-Disposition: form-data; name="from"\r\n\r\nAnn <a@x.example>\r\n--b--\r\n'
    login = "Basic " + base64.b64encode(b"u:p").decode()
    headers = {"content-type": "multipart/form-data; boundary=b", "authorization": login}
    [letter] = sendgrid.read(Hook("sendgrid", secret="u:p"), Call(headers, body))
    assert isinstance(letter, Letter) and letter.sender == "a@x.example"
