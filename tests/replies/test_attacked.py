"""Ways in which a reply could be lost, or somebody harmed by it, each tried once."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default
from unittest import mock

import pytest

from newsletter.replies import answering, intake
from newsletter.replies.models import Conversation, Message
from newsletter.sending.models import Notice
from tests.replies.conftest import Post, mail
from tests.replies.desk_made import Desk, desk_of

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


@pytest.mark.parametrize(
    "broken",
    [
        "newsletter.replies.rules.look",
        "newsletter.replies.clock.start",
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
