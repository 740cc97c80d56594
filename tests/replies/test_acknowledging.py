"""The automatic thanks: to people, once, and never a loop, whatever the other side says of itself."""

from __future__ import annotations

import email
from datetime import timedelta
from email.message import EmailMessage
from email.policy import default

import pytest
from django.utils import timezone

from newsletter import settings
from newsletter.replies import acknowledging, intake
from newsletter.replies.models import Conversation, DeskEntry, Kind, Message
from newsletter.sending.models import Notice
from tests.replies.conftest import Post, Sent, mail

THANKFUL = "[replies]\nacknowledge = true\nhours = 48\n"


@pytest.fixture
def thankful(post: Post) -> Post:
    """A workspace that acknowledges what people write."""
    post.workspace.toml(THANKFUL)
    settings.setup(post.workspace.config)
    return post


def thanks() -> list[EmailMessage]:
    found = []
    for notice in Notice.objects.filter(kind=Notice.Kind.ACKNOWLEDGEMENT).order_by("id"):
        made = email.message_from_bytes(bytes(notice.data), policy=default)
        assert isinstance(made, EmailMessage)
        found.append(made)
    return found


def comes(
    sent: Sent, words: str = "Can you help?", number: int = 1, sender: str = "ameera@example.net", **more: str
) -> str:
    """A mail from a person; the kind it was sorted as."""
    subject = more.pop("subject", "Re: Is anti-social behaviour a problem?")
    returned = more.pop("returned", sender)
    raw = mail(sent.reply, words, sender=sender, subject=subject, message_id=f"<{number}@mail.example.net>", **more)
    return str(intake.accept(raw, sent.reply, returned).kind)


def not_thanked() -> list[str]:
    return list(DeskEntry.objects.filter(what="not-thanked").order_by("id").values_list("words", flat=True))


def test_nobody_is_thanked_unless_it_is_switched_on(post: Post) -> None:
    comes(post.sent_to())
    assert not Notice.objects.exists()


def test_a_person_is_thanked_to_the_letter_of_rfc_3834(thankful: Post) -> None:
    comes(thankful.sent_to(), References="<0@mail.example.net>")
    [made] = thanks()
    notice, talk = Notice.objects.get(), Conversation.objects.get()
    assert notice.sender == ""  # section 3.3: from <>
    assert made["To"] == "ameera@example.net"
    assert made["Auto-Submitted"] == "auto-replied"
    assert made["In-Reply-To"] == "<1@mail.example.net>"
    assert made["References"] == "<0@mail.example.net> <1@mail.example.net>"
    assert made["Subject"] == "We have your message: Re: Is anti-social behaviour a problem?"
    assert made["List-Id"] is None and made["Precedence"] is None
    words = made.get_content()
    assert "within 48 hours" in words and talk.reference in words and "999" in words
    assert "Can you help?" not in words  # nothing of theirs goes back


def test_it_stands_in_the_conversation(thankful: Post) -> None:
    comes(thankful.sent_to())
    kinds = list(Message.objects.order_by("id").values_list("kind", flat=True))
    assert kinds == [Message.Kind.PERSON, Message.Kind.ACKNOWLEDGEMENT]


def test_what_should_be_looked_at_first_gets_the_emergency_words_and_no_promise(
    thankful: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    from newsletter.replies import arriving

    monkeypatch.setattr(arriving.rules, "are_on", lambda config: True)
    monkeypatch.setattr(arriving.rules, "look", lambda talk, message: setattr(talk, "look_first", "danger"))
    comes(thankful.sent_to())
    words = thanks()[0].get_content()
    assert "999" in words and "hours" not in words


def test_the_organisations_own_emergency_words_are_used(thankful: Post) -> None:
    thankful.workspace.toml(THANKFUL + '[emergency.all]\ntext = "Ring 112 at once."\n')
    settings.setup(thankful.workspace.config)
    comes(thankful.sent_to())
    words = thanks()[0].get_content()
    assert "Ring 112 at once." in words and "999" not in words


def test_once_a_day_for_one_issue_however_much_they_write(thankful: Post) -> None:
    sent = thankful.sent_to()
    for number in range(5):
        comes(sent, f"And another thing, {number}", number)
    assert len(thanks()) == 1
    assert not_thanked() == ["thanked already today"] * 4


def test_three_in_a_week_whatever_the_issues(thankful: Post) -> None:
    from newsletter.mail.tokens import new_id
    from newsletter.sending.models import Mailing

    for number in range(5):
        facts = {"rendered": {}, "checksum": "0" * 64, "audience": ["all-residents"], "settings": {}}
        thankful.mailing = Mailing.objects.create(slug=f"issue-{number}", public_id=new_id(), **facts)
        comes(thankful.sent_to(), f"About {number}", number)
    assert len(thanks()) == acknowledging.A_WEEKS
    assert not_thanked() == ["thanked 3 times in a week already"] * 2


def test_after_a_day_one_is_thanked_again(thankful: Post) -> None:
    sent = thankful.sent_to()
    comes(sent)
    Notice.objects.update(created=timezone.now() - timedelta(hours=25))
    comes(sent, "Still here", 2)
    assert len(thanks()) == 2


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"sender": "owner-list@lists.example"}, "machine or a list"),
        ({"sender": "desk-request@lists.example"}, "machine or a list"),
        ({"sender": "www-data@server.example"}, "machine or a list"),
        ({"returned": "somebody@elsewhere.example"}, "another address"),
        ({"X_Auto_Response_Suppress": "All"}, "asks for no automatic answers"),
        ({"X_Auto_Response_Suppress": "DR, OOF, AutoReply"}, "asks for no automatic answers"),
        ({"X_Loop": "helpdesk@other.example"}, "list or a machine"),
        ({"List_Unsubscribe": "<https://other.example/u>"}, "list or a machine"),
        ({"sender": "news@council.example"}, "our own"),
        ({"sender": "reply@reply.council.example"}, "our own"),
        ({"subject": "Re: We have your message: Re: Is it?"}, "answers an automatic answer of ours"),
    ],
)
def test_machines_lists_and_ourselves_are_never_thanked(thankful: Post, more: dict[str, str], why: str) -> None:
    comes(thankful.sent_to(), **more)
    assert thanks() == []
    [said] = not_thanked()
    assert why in said


@pytest.mark.parametrize("header", ["Auto_Submitted", "Precedence", "X_Autoreply"])
def test_automatic_mail_is_not_even_considered(thankful: Post, header: str) -> None:
    value = {"Auto_Submitted": "auto-replied", "Precedence": "bulk", "X_Autoreply": "yes"}[header]
    assert comes(thankful.sent_to(), **{header: value}) == Kind.AUTO
    assert thanks() == []


@pytest.mark.parametrize("sender", ["noreply@shop.example", "no-reply+7@shop.example"])
def test_an_address_that_takes_no_answers_gets_none(thankful: Post, sender: str) -> None:
    assert comes(thankful.sent_to(), sender=sender) == Kind.AUTO
    assert thanks() == []


def test_a_forged_address_is_kept_and_never_thanked(thankful: Post) -> None:
    sent = thankful.sent_to()
    letter = "a" if sent.reply[10] != "a" else "b"
    forged = sent.reply[:10] + letter + sent.reply[11:]
    intake.accept(mail(forged), forged, "ameera@example.net")
    assert Conversation.objects.get().verified is False
    assert thanks() == [] and not_thanked() == ["the sender is not verified"]


def test_a_forged_from_is_heard_and_never_thanked(thankful: Post) -> None:
    """Somebody holds her copy and writes under her name: a thank-you would tell her that she wrote."""
    thankful.workspace.toml(THANKFUL + 'checked_by = "mx.council.example"\n')
    settings.setup(thankful.workspace.config)
    comes(thankful.sent_to(), Authentication_Results="mx.council.example; dmarc=fail header.from=example.net")
    assert Conversation.objects.get().state == "new"
    assert thanks() == [] and not_thanked() == ["the check of the sender failed"]


def test_a_storm_stops_it_for_everybody_and_staff_can_see_why(thankful: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acknowledging, "MOST", 3)
    for number in range(6):
        address = f"person{number}@example{number}.net"
        comes(thankful.sent_to(address), f"Words {number}", number, sender=address)
    assert len(thanks()) == 3 and acknowledging.stopped()
    assert Conversation.objects.count() == 6  # everybody is heard
    for command in (("replies", "list"), ("doctor",)):
        assert "thanks-stopped" in thankful.workspace.run(*command).out
    later = timezone.now() + timedelta(minutes=61)
    monkeypatch.setattr(timezone, "now", lambda: later)
    assert "thanks-stopped" not in thankful.workspace.run("replies", "list").out


def test_one_domain_cannot_use_it_up(thankful: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acknowledging, "MOST_A_DOMAIN", 2)
    for number in range(4):
        address = f"person{number}@one.example"
        comes(thankful.sent_to(address), f"Words {number}", number, sender=address)
    comes(thankful.sent_to("other@two.example"), "Hello", 9, sender="other@two.example")
    assert [made["To"] for made in thanks()] == ["person0@one.example", "person1@one.example", "other@two.example"]


def stripped(made: EmailMessage, *headers: str) -> EmailMessage:
    """As a gateway passes it on that removes headers it does not know."""
    for header in headers:
        del made[header]
    return made


EVERY_SIGN = ("Auto-Submitted", "X-Auto-Response-Suppress", "Precedence", "References", "In-Reply-To")


@pytest.mark.parametrize("removed", [(), EVERY_SIGN[:1], EVERY_SIGN[:2], EVERY_SIGN], ids=len)
@pytest.mark.parametrize("rewritten", [False, True], ids=["from <>", "envelope rewritten"])
@pytest.mark.parametrize("growing", ["same", "grows"])
def test_two_installations_that_answer_each_other_stop_after_one_message_each(
    thankful: Post, removed: tuple[str, ...], rewritten: bool, growing: str
) -> None:
    """Both ends are this code: what one sends is handed to the other with addresses exchanged, twenty times."""
    sides = [thankful.sent_to("desk@here.example"), thankful.sent_to("desk@there.example")]
    senders = ("desk@here.example", "desk@there.example")
    comes(sides[0], "Hello", 1, sender=senders[0])
    for turn in range(1, 21):
        made = thanks()[-1]
        if len(thanks()) < turn:
            break
        side = turn % 2
        again = stripped(made, *removed)
        words = again.get_content() + (f"\nTicket {turn}" if growing == "grows" else "")
        subject = f"{'Re: ' * turn}{again['Subject']}" if growing == "grows" else str(again["Subject"])
        kept = {name.replace("-", "_"): str(again[name]) for name in EVERY_SIGN if again[name]}
        raw = mail(sides[side].reply, words, senders[side], subject, f"<loop{turn}@{side}.example>", **kept)
        intake.accept(raw, sides[side].reply, senders[side] if rewritten else "")
    assert len(thanks()) <= 2
    assert [made["To"] for made in thanks()].count(senders[0]) <= 1


def test_a_ticket_system_with_headers_of_its_own_and_a_growing_subject_is_thanked_once(thankful: Post) -> None:
    sent = thankful.sent_to("help@tickets.example")
    for number in range(30):
        subject = "Re: " * number + f"[Ticket #{1000 + number}] Your request"
        comes(sent, f"Ticket {number} was opened.", number, sender="help@tickets.example", subject=subject)
    assert len(thanks()) == 1


@pytest.mark.parametrize("broken", ["<" + "x" * 2000 + "@y>", "<a b@c>", "<é@c>", "no brackets", "<<>>"])
def test_a_message_id_that_cannot_be_quoted_never_costs_the_message(thankful: Post, broken: str) -> None:
    sent = thankful.sent_to()
    raw = mail(sent.reply, message_id="<ok@x>", sender="ameera@example.net")
    head = f"Message-ID: {broken}\nReferences: {broken} {broken}\n".encode()
    raw = head + raw.replace(b"Message-ID: <ok@x>\n", b"")
    verdict = intake.accept(raw, sent.reply, "ameera@example.net")
    assert verdict.kind == Kind.PERSON and Conversation.objects.get().messages.filter(kind="person").count() == 1


def test_the_mail_that_was_ticked_on_the_page_holds_a_reference_only(post: Post) -> None:
    comes(post.sent_to(), "He hits me.")
    talk = Conversation.objects.get()
    acknowledging.reference_only(talk, "safe@example.org", "cy")
    [made] = thanks()
    assert made["To"] == "safe@example.org" and made["Subject"] == "Mae’ch neges gyda ni"
    words = made.get_content()
    assert talk.reference in words and "hits" not in words and "anti-social" not in words.lower()


@pytest.mark.parametrize("language", ["en", "cy", "ar", "ur"])
def test_every_language_has_every_sentence(language: str) -> None:
    words = acknowledging.all_words()
    assert words[language].keys() == words["en"].keys()
