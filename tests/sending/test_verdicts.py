"""What an answer means: for one person, for us, or for the connection."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from newsletter.sending.transports.outcome import Accepted, Deferred, Outcome, Phase, Refused, Uncertain, refusal
from newsletter.sending.transports.reply import ReplyReader
from newsletter.sending.verdicts import DELAYS, LATER, Fault, delay, judge, too_late, words


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
        # DELIVERABILITY 1.1: what each provider says. Gmail:
        (Phase.DOT, 421, "4.7.23 The IP address has no PTR record", "deferred", Fault.SENDER),
        (Phase.DOT, 550, "5.7.25 The IP address has no PTR record", "deferred", Fault.SENDER),
        (Phase.DOT, 451, "4.7.27 SPF did not pass", "deferred", Fault.SENDER),
        (Phase.DOT, 550, "5.7.27 SPF did not pass", "deferred", Fault.SENDER),
        (Phase.DOT, 451, "4.7.29 Not sent over TLS", "deferred", Fault.SENDER),
        (Phase.DOT, 451, "4.7.30 DKIM did not pass", "deferred", Fault.SENDER),
        (Phase.DOT, 550, "5.7.30 DKIM did not pass", "deferred", Fault.SENDER),
        (Phase.DOT, 451, "4.7.31 No DMARC record", "deferred", Fault.SENDER),
        (Phase.DOT, 451, "4.7.40 No DMARC policy", "deferred", Fault.SENDER),
        (Phase.RCPT, 450, "4.2.1 That mailbox gets mail at too high a rate", "deferred", Fault.PERSON),
        (Phase.RCPT, 452, "4.2.2 Over quota", "deferred", Fault.PERSON),
        # Yahoo
        (Phase.MAIL, 421, "4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred", "pending", Fault.RELAY),
        (Phase.MAIL, 553, "5.7.1 [BL21] Connections will not be accepted", "deferred", Fault.SENDER),
        (Phase.DOT, 554, "Message not allowed - [BL23]", "deferred", Fault.SENDER),
        # Outlook.com and Microsoft 365
        (
            Phase.DOT,
            451,
            "4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77719)",
            "deferred",
            Fault.PERSON,
        ),
        (Phase.RCPT, 550, "part of their network is on our block list (S3140)", "deferred", Fault.SENDER),
        (Phase.RCPT, 550, "5.5.0 Requested action not taken: mailbox unavailable", "failed", Fault.PERSON),
        (Phase.RCPT, 550, "5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup", "failed", Fault.PERSON),
        (Phase.RCPT, 550, "5.7.129 RESOLVER.RST.RestrictedToRecipients", "failed", Fault.PERSON),
        (Phase.RCPT, 550, "5.1.1 No such user (spamhaus member)", "failed", Fault.PERSON),
        # Our mail as such: its size, the bounce address's domain
        (Phase.DOT, 552, "5.3.4 Message too big", "deferred", Fault.SENDER),
        (Phase.MAIL, 552, "Message size exceeds fixed maximum", "deferred", Fault.SENDER),
        (Phase.RCPT, 550, "5.1.8 Sender address rejected: Domain not found", "deferred", Fault.SENDER),
        # The relay has had enough for now
        (Phase.DOT, 432, "4.3.2 concurrent connection limit exceeded", "pending", Fault.RELAY),
        (Phase.DOT, 454, "Throttling failure: Maximum sending rate exceeded.", "pending", Fault.RELAY),
    ],
)
def test_an_answer_is_judged(phase: Phase, code: int, text: str, state: str, fault: Fault) -> None:
    verdict = judge(answered(phase, code, text), 0)
    assert (verdict.state, verdict.fault) == (state, fault)


@pytest.mark.parametrize(
    ("phase", "code", "text"),
    [
        (Phase.RCPT, 550, "5.4.5 Daily SMTP relay limit exceeded for user"),
        (Phase.RCPT, 550, "5.7.1 Daily SMTP relay limit exceeded for customer"),
        (Phase.MAIL, 550, "5.4.5 Daily user sending limit exceeded"),
        (Phase.DOT, 454, "Throttling failure: Daily message quota exceeded."),
        (Phase.DOT, 554, "5.1.90 Your message can't be sent because you've reached your daily limit"),
    ],
)
def test_a_relay_whose_day_is_used_up_refuses_nobody(phase: Phase, code: int, text: str) -> None:
    verdict = judge(answered(phase, code, text), 0)
    assert (verdict.state, verdict.fault, verdict.day_used, verdict.tried) == ("pending", Fault.RELAY, True, False)


def test_a_mailbox_with_a_daily_limit_of_its_own_is_not_ours() -> None:
    verdict = judge(answered(Phase.RCPT, 452, "4.2.2 This mailbox has reached its daily limit"), 0)
    assert (verdict.state, verdict.fault, verdict.day_used) == ("deferred", Fault.PERSON, False)


STARTED = datetime(2026, 11, 24, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "useful", "late"), [(71, None, False), (73, None, True), (5, 6, False), (7, 6, True), (73, 100, True)]
)
def test_a_mail_is_given_up_at_the_earlier_of_its_ends(hours: float, useful: float | None, late: bool) -> None:
    until = STARTED + timedelta(hours=useful) if useful else None
    assert too_late(STARTED + timedelta(hours=hours), STARTED, 72, until) is late


def test_a_greylisting_server_sees_the_tries_it_wants() -> None:
    """postscreen takes the second try at once, postgrey one after 300 s; both within ten minutes."""
    tries = [sum((delay(n) for n in range(tries)), timedelta()) for tries in range(1, 4)]
    assert tries[0] < timedelta(minutes=1)
    assert timedelta(seconds=300) < tries[1] < timedelta(minutes=10)


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
