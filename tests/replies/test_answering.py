"""Answers: to whom, in which thread, once, and never over a colleague's."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from newsletter.audience import subscribing
from newsletter.problems import NewsletterError
from newsletter.replies import answering, answering_many, forwarding, intake, merging, returns
from newsletter.replies import desk as verbs
from newsletter.replies.models import Bounce, Conversation, DeskEntry, Message, Raw
from newsletter.sending.models import Notice
from tests.replies.conftest import mail
from tests.replies.desk_made import Desk, desk_of
from tests.replies.test_desk import refused


def reply(desk: Desk, found: Conversation, text: str = "Yes, you can.", **more: object) -> Notice:
    """Jo reads it and answers."""
    verbs.seen(found.pk, desk.jo, Conversation.objects.get(pk=found.pk).version)
    planned = answering.plan(desk.config, found.pk, desk.jo, text, **more)  # type: ignore[arg-type]
    number = answering.send(desk.config, planned, desk.jo)
    answering.deliver(desk.config, [number])
    return Notice.objects.get(pk=number)


def test_an_answer_is_ordinary_mail_in_the_same_thread(desk: Desk) -> None:
    found = desk.asks(subject="RE: Aw: Is it you?", References="<first@x.example> <second@x.example>")
    notice = reply(desk, found)
    [sent] = desk.mails()
    asked = Message.objects.get(kind="person").message_id
    assert sent["To"] == '"Ameera K." <ameera@example.net>'
    assert sent["Subject"] == "Re: Is it you?"
    assert sent["In-Reply-To"] == f"<{asked}>"
    assert sent["References"] == f"<first@x.example> <second@x.example> <{asked}>"
    assert sent["From"] == "Example Council <news@council.example>"
    assert sent["Message-ID"] == f"<{notice.message_id}>"
    assert "Auto-Submitted" not in sent and "List-Id" not in sent and "Precedence" not in sent
    assert sent["X-Envelope-From"].startswith("<bounce+")
    body = sent.get_content()
    assert body.startswith("Yes, you can.") and "> How do I ask for a case review?" in body
    now = Conversation.objects.get(pk=found.pk)
    assert (now.state, now.assignee, now.waiting_since) == ("waiting", "jo", None)
    assert now.answered_at is not None and now.answered_in_target is True


def test_the_answer_to_our_answer_comes_back_to_the_same_conversation(desk: Desk) -> None:
    found = desk.asks()
    reply(desk, found)
    [sent] = desk.mails()
    to = sent["Reply-To"].addresses[0].addr_spec
    verdict = intake.accept(mail(to, "Thank you!", message_id="<77@x>"), to)
    assert verdict.conversation_id == found.pk
    assert Conversation.objects.get(pk=found.pk).state == "open"
    # … also where the address was typed anew, and only the references are left.
    raw = mail("team@council.example", "P.S.", message_id="<78@x>", References=sent["Message-ID"])
    assert intake.accept(raw, "team@council.example").conversation_id == found.pk


def test_whoever_else_answers_our_answer_begins_a_conversation_of_their_own(desk: Desk) -> None:
    found = desk.asks()
    reply(desk, found)
    to = desk.mails()[0]["Reply-To"].addresses[0].addr_spec
    verdict = intake.accept(mail(to, "I am her son", sender="Ali <ali@other.example>", message_id="<8@x>"), to)
    other = Conversation.objects.get(pk=verdict.conversation_id)
    assert other.pk != found.pk and other.someone_else and other.subscriber is None
    more = intake.accept(mail(to, "And more", sender="Ali <ali@other.example>", message_id="<9@x>"), to)
    assert more.conversation_id == other.pk


def test_a_victim_who_answers_a_neighbours_copy_gets_the_answer_and_the_neighbour_does_not(desk: Desk) -> None:
    neighbours = desk.post.sent_to("neighbour@example.net", name="Ned Bour")
    found = desk.writes(neighbours, "He has hit me again", sender="Vi <vi@safe.example>")
    with refused("choose-recipient"):
        reply(desk, found)
    with refused("not-on-this-message"):
        reply(desk, found, to="neighbour@example.net")
    reply(desk, found, to="vi@safe.example")
    [sent] = desk.mails()
    assert sent["X-Envelope-To"] == "<vi@safe.example>"
    assert b"neighbour" not in sent.as_bytes() and b"Ned" not in sent.as_bytes()


def test_somebody_in_cc_is_asked_about_and_gets_nothing_by_themselves(desk: Desk) -> None:
    found = desk.asks(Cc="Boss <boss@work.example>")
    with refused("choose-recipient"):
        reply(desk, found)
    reply(desk, found, to="Boss@work.example")
    [sent] = desk.mails()
    assert sent["X-Envelope-To"] == "<boss@work.example>" and "case review" not in sent.get_content()


def test_a_merge_of_two_writers_asks_whom_it_goes_to(desk: Desk) -> None:
    one, two = desk.asks(), desk.asks("bo@example.net", "Bo")
    merging.merge(two.pk, one.pk, desk.jo, two_writers=True)
    with refused("choose-recipient"):
        reply(desk, one)


@pytest.mark.parametrize("said", ["no", "unsure"])
def test_where_writing_is_not_safe_somebody_must_say_that_they_know(desk: Desk, said: str) -> None:
    found = desk.asks()
    Conversation.objects.filter(pk=found.pk).update(safe_to_write=said)
    with refused("not-safe-to-write"):
        reply(desk, found)
    reply(desk, found, anyway=True)
    assert len(desk.mails()) == 1


def test_a_sensitive_conversation_is_answered_under_a_neutral_subject_without_a_quote(desk: Desk) -> None:
    found = desk.asks(body="He has hit me", subject="Re: Domestic abuse")
    Conversation.objects.filter(pk=found.pk).update(sensitive=True, team="asb")
    reply(desk, found)
    [sent] = desk.mails()
    assert sent["Subject"] == f"Your message to Example Council ({found.reference})"
    whole = sent.as_string()
    assert "hit me" not in whole and "abuse" not in whole and "Community safety" not in whole and "Ameera" not in whole


def test_who_left_the_lists_is_answered_and_who_was_erased_is_not(desk: Desk) -> None:
    found = desk.asks()
    subscribing.suppress("ameera@example.net", "bulk", "unsubscribed", "page")
    assert reply(desk, found).state == "accepted"
    subscribing.suppress("ameera@example.net", "all", "erased", "staff")
    with refused("never-written-to"):
        reply(desk, found)
    assert len(desk.mails()) == 1


def test_what_was_not_read_is_not_answered(desk: Desk) -> None:
    found = desk.asks()
    with refused("not-read-yet"):
        answering.plan(desk.config, found.pk, desk.jo, "Yes")


def test_an_answer_is_refused_when_a_colleague_was_quicker_and_says_who(desk: Desk) -> None:
    found = desk.asks()
    verbs.seen(found.pk, desk.sam, found.version)
    planned = answering.plan(desk.config, found.pk, desk.sam, "Mine")
    reply(desk, found)
    with pytest.raises(NewsletterError, match="Jo Malik answered it at"):
        answering.send(desk.config, planned, desk.sam)
    with refused("conversation-moved"):
        answering.plan(desk.config, found.pk, desk.sam, "Mine")
    assert len(desk.mails()) == 1


def test_an_answer_is_refused_when_something_has_arrived(desk: Desk) -> None:
    sent = desk.post.sent_to()
    found = desk.writes(sent)
    verbs.seen(found.pk, desk.jo, found.version)
    desk.writes(sent, "It is settled, thank you")
    with pytest.raises(NewsletterError, match="newsletter took in a new message"):
        answering.plan(desk.config, found.pk, desk.jo, "Yes", version=found.version)


def test_two_who_answer_in_the_same_moment_send_one_answer(desk: Desk) -> None:
    found = desk.asks()
    planned = {}
    for by in (desk.jo, desk.sam):
        verbs.seen(found.pk, by, found.version)
        planned[by] = answering.plan(desk.config, found.pk, by, f"From {by.name}")
    ready, ended = threading.Barrier(2, timeout=20), []

    def answer(by: object) -> None:
        ready.wait()
        try:
            ended.append(answering.send(desk.config, planned[by], by))  # type: ignore[index,arg-type]
        except NewsletterError as error:
            ended.append(error.problems[0].code)
        finally:
            connection.close()

    threads = [threading.Thread(target=answer, args=(by,)) for by in planned]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(map(str, ended)) == sorted([str(Notice.objects.get().pk), "conversation-moved"])
    assert Message.objects.filter(kind="answer").count() == 1


def test_many_alike_each_get_a_mail_of_their_own(desk: Desk) -> None:
    numbers = [desk.asks(f"p{n}@example.net", f"P {n}").pk for n in range(3)]
    urgent = desk.asks("danger@example.net").pk
    Conversation.objects.filter(pk=urgent).update(look_first="it says threatened")
    copied = desk.asks("cc@example.net", Cc="boss@work.example").pk
    text = desk.config.answers["lights"].text
    many = answering_many.plan(desk.config, [*numbers, urgent, copied, numbers[0]], desk.jo, text)
    assert many.people == 3 and [number for number, _ in many.left] == [urgent, copied]
    verbs.note(numbers[2], desk.sam, "I rang them")  # meanwhile
    queued, left = answering_many.send(desk.config, many, desk.jo, close=True)
    answering.deliver(desk.config, queued)
    assert [number for number, _ in left] == [numbers[2]]
    said = [(one["To"].addresses[0].addr_spec, one.get_content().splitlines()[0]) for one in desk.mails()]
    references = dict(Conversation.objects.values_list("pk", "reference"))
    assert said == [
        (f"p{n}@example.net", f"Dear P {n}, the lights are mended on Monday. Reference {references[numbers[n]]}.")
        for n in range(2)
    ]
    assert Conversation.objects.get(pk=numbers[0]).state == "closed"


def test_a_field_that_is_not_known_is_said_and_one_that_there_is_not_stops_all(desk: Desk) -> None:
    found = desk.asks("x@example.net", "")
    many = answering_many.plan(desk.config, [found.pk], desk.jo, "Dear {name},")
    assert not many.plans and "{name} is not known" in many.left[0][1]
    with refused("unknown-answer-field"):
        answering_many.plan(desk.config, [found.pk], desk.jo, "Dear {nmae},")


def test_a_forward_holds_no_word_of_the_person_unless_asked(desk: Desk) -> None:
    found = desk.asks(body="He has hit me")
    for words in (False, True):
        letter = forwarding.letter(desk.config, found.pk, "unit@police.example", "Please look at this.", words=words)
        answering.deliver(desk.config, [forwarding.forward(desk.config, found.pk, desk.jo, letter, words=words)])
    plain, with_words = (one.as_string() for one in desk.mails())
    assert "hit me" not in plain and "ameera" not in plain.lower() and found.reference in plain
    assert "> He has hit me" in with_words and "ameera@example.net" in with_words
    assert Conversation.objects.get(pk=found.pk).state == "new"
    assert DeskEntry.objects.filter(what="forwarded").first().words == (  # type: ignore[union-attr]
        "to unit@police.example, without the person's words"
    )
    to = desk.mails()[0]["Reply-To"].addresses[0].addr_spec
    back = mail(to, "We know of it", sender="Unit <unit@police.example>", message_id="<u1@police.example>")
    assert intake.accept(back, to).conversation_id != found.pk


def test_an_answer_that_comes_back_brings_the_conversation_back(desk: Desk) -> None:
    found = desk.asks()
    notice = reply(desk, found)
    raw = Raw.objects.create(sha256="0" * 64, recipient="b", channel="test", data=b"x", kind="bounce")
    Bounce.objects.create(raw=raw, notice=notice, canonical="x", outcome="full", words="mailbox is full")
    assert returns.look() == 1 and returns.look() == 0
    now = Conversation.objects.get(pk=found.pk)
    assert (now.state, now.waiting_since, now.answered_at) == ("open", found.waiting_since, None)
    assert "did not arrive: it came back: mailbox is full" in Message.objects.get(kind="note").new_words


def test_an_answer_that_is_refused_at_once_says_so_and_stays_open(post: object) -> None:
    from tests.replies.test_desk import state
    from tests.sending.servers import Sink

    with Sink(lambda phase, to: "550 5.1.1 no such user" if phase == "rcpt" else "") as sink:
        desk = desk_of(post)  # type: ignore[arg-type]
        desk.config = to_a_relay(desk, sink.port)
        found = desk.asks()
        notice = reply(desk, found)
        assert notice.state == "failed" and state(found.pk) == "open"
        assert "address does not exist" in Message.objects.get(kind="note").new_words


def to_a_relay(desk: Desk, port: int) -> object:
    from tests.replies.desk_made import STAFF
    from tests.workspace import TOML

    base = TOML.replace("[site]\n", '[site]\nurl = "https://news.council.example"\n')
    base = base.replace("[mail]\n", '[mail]\ntransport = "smtp"\n')
    relay = f'[relays.main]\nhost = "127.0.0.1"\nport = {port}\nproviders = false\n'
    return desk.post.workspace.toml(STAFF + relay, base)
