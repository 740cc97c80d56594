"""What an answer means: for one person, for us, or for the connection."""

from __future__ import annotations

from datetime import timedelta

import pytest

from newsletter.sending.transports.outcome import Accepted, Deferred, Outcome, Phase, Refused, Uncertain, refusal
from newsletter.sending.transports.reply import ReplyReader
from newsletter.sending.verdicts import DELAYS, LATER, Fault, delay, judge, words


def answered(phase: Phase, code: int, text: str) -> Outcome:
    reader = ReplyReader()
    reader.feed(f"{code} {text}\r\n".encode())
    reply = reader.next()
    assert reply is not None
    return refusal(phase, reply)


@pytest.mark.parametrize(
    ("phase", "code", "text", "state", "fault"),
    [
        (Phase.RCPT, 550, "5.1.1 No such user", "failed", Fault.PERSON),
        (Phase.RCPT, 552, "5.2.2 Mailbox full", "failed", Fault.PERSON),
        (Phase.RCPT, 501, "5.1.3 Bad recipient address syntax", "failed", Fault.PERSON),
        (Phase.RCPT, 550, "no enhanced code at all", "failed", Fault.PERSON),
        (Phase.RCPT, 450, "4.2.1 Mailbox busy", "deferred", Fault.PERSON),
        (Phase.RCPT, 451, "4.7.1 Greylisted, come back", "deferred", Fault.PERSON),
        (Phase.DOT, 452, "4.3.1 Insufficient system storage", "deferred", Fault.RELAY),
        (Phase.DOT, 554, "5.7.1 Rejected as spam", "deferred", Fault.SENDER),
        (Phase.DOT, 550, "5.7.26 Unauthenticated mail", "deferred", Fault.SENDER),
        (Phase.DOT, 550, "5.7.515 Access denied, sending domain does not pass", "deferred", Fault.SENDER),
        (Phase.DOT, 451, "4.7.32 From header not aligned", "deferred", Fault.SENDER),
        (Phase.MAIL, 553, "5.1.8 Sender domain does not exist", "deferred", Fault.SENDER),
        (Phase.DOT, 450, "4.7.28 Unusual rate", "deferred", Fault.PERSON),
        (Phase.MAIL, 421, "4.3.2 Shutting down", "pending", Fault.RELAY),
        (Phase.RCPT, 421, "4.7.28 Too many messages", "pending", Fault.RELAY),
        (Phase.RCPT, 503, "5.5.1 Bad sequence of commands", "pending", Fault.RELAY),
        (Phase.MAIL, 451, "4.3.0 Try later", "pending", Fault.RELAY),
    ],
)
def test_an_answer_is_judged(phase: Phase, code: int, text: str, state: str, fault: Fault) -> None:
    verdict = judge(answered(phase, code, text), 0)
    assert (verdict.state, verdict.fault) == (state, fault)


def test_accepted_and_uncertain_need_no_thought() -> None:
    assert judge(Accepted(250, "Ok"), 0).state == "accepted"
    assert judge(Uncertain(Phase.DOT, None, "connection lost"), 0).state == "uncertain"


@pytest.mark.parametrize("phase", [Phase.CONNECT, Phase.HELLO, Phase.RESET])
def test_trouble_before_anybody_was_named_says_nothing_about_a_person(phase: Phase) -> None:
    verdict = judge(Deferred(phase, None, "refused"), 7)
    assert (verdict.state, verdict.fault, verdict.tried) == ("pending", Fault.RELAY, False)


@pytest.mark.parametrize(("phase", "code"), [(Phase.AUTH, 535), (Phase.TLS, None), (Phase.AUTH, None)])
def test_a_wrong_password_is_not_tried_again_and_again(phase: Phase, code: int | None) -> None:
    verdict = judge(Deferred(phase, code, "no", ours=True), 0)
    assert (verdict.state, verdict.fault) == ("pending", Fault.SETUP)


def test_a_sign_in_that_fails_for_now_is_tried_again() -> None:
    assert judge(Deferred(Phase.AUTH, 454, "Temporary authentication failure"), 0).fault is Fault.RELAY


def test_a_message_that_kills_every_connection_is_put_off_in_the_end() -> None:
    lost = Deferred(Phase.BODY, None, "connection lost")
    assert [judge(lost, tries).state for tries in range(4)] == ["pending", "pending", "deferred", "deferred"]


def test_an_address_that_cannot_be_written_fails_for_that_person_alone() -> None:
    verdict = judge(Refused(Phase.BUILD, None, "the relay does not offer SMTPUTF8"), 0)
    assert (verdict.state, verdict.fault) == ("failed", Fault.PERSON)
    assert "SMTPUTF8" in verdict.reason


def test_the_waits_grow_and_then_stay() -> None:
    waits = [delay(tries) for tries in range(10)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (timedelta(seconds=30), LATER)
    assert len(DELAYS) == 6


def test_the_words_come_before_the_code() -> None:
    refused = Refused(Phase.RCPT, 550, "5.1.1 <x@y.example>: Recipient address rejected", "5.1.1")
    assert words(refused) == "address does not exist (550 5.1.1 <x@y.example>: Recipient address rejected)"


def test_a_server_cannot_move_the_cursor() -> None:
    assert "\x1b" not in words(Refused(Phase.RCPT, 550, "no\x1b[2Jsuch\nuser", ""))
