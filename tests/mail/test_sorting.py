"""What a mail is, by the ordered rules: the traps first, because a person taken for a machine waits for ever."""

from __future__ import annotations

import pytest

from newsletter.mail import sorting
from newsletter.mail.sorting import Facts, Kind
from newsletter.mail.tokens import Purpose
from tests.mail.traps import ASKING, LEAVING, MACHINES, PEOPLE

REPORT = """\
Return-Path: <>
From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
To: bounce+token@bounce.council.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=B

--B
Content-Type: text/plain

It could not be delivered.

--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

{blocks}
--B
Content-Type: text/rfc822-headers

From: news@council.example
To: ameera@example.net

--B--
"""


def a_mail(subject: str, body: str, headers: str = "", sender: str = "Pat Lee <pat@example.org>") -> bytes:
    more = f"{headers}\n" if headers else ""
    return (
        f"From: {sender}\nTo: reply+x@reply.council.example\nSubject: {subject}\n{more}"
        f"Content-Type: text/plain; charset=utf-8\n\n{body}\n"
    ).encode()


def a_report(*blocks: str) -> bytes:
    return REPORT.replace("{blocks}", "\n\n".join(blocks)).encode()


def a_block(address: str = "ameera@example.net", action: str = "failed", status: str = "5.1.1", said: str = "") -> str:
    said = said or "smtp; 550 5.1.1 user unknown"
    return f"Final-Recipient: rfc822; {address}\nAction: {action}\nStatus: {status}\nDiagnostic-Code: {said}"


def test_there_are_enough_traps() -> None:
    assert len(PEOPLE) >= 60 and len(MACHINES) >= 30


@pytest.mark.parametrize("trap", PEOPLE, ids=lambda trap: trap[0][:40] or "no subject")
def test_a_person_who_sounds_like_a_machine_is_a_person(trap: tuple[str, ...]) -> None:
    found = sorting.sort(a_mail(*trap))
    assert found.kind in (Kind.PERSON, Kind.ASK), found.reason


@pytest.mark.parametrize("case", MACHINES, ids=lambda case: case[2][:30] or case[0][:30])
def test_a_machine_is_known_and_its_sign_is_named(case: tuple[str, str, str]) -> None:
    found = sorting.sort(a_mail(*case))
    assert found.kind is Kind.AUTO and found.reason and found.detail


@pytest.mark.parametrize("case", LEAVING, ids=lambda case: case[1][:30] or case[0])
def test_a_whole_reply_that_is_a_command_is_a_wish_to_leave(case: tuple[str, str]) -> None:
    assert sorting.sort(a_mail(*case)).kind is Kind.UNSUBSCRIBE


@pytest.mark.parametrize("case", ASKING, ids=lambda case: case[1][:30])
def test_a_softer_wish_is_for_a_colleague_to_decide(case: tuple[str, str]) -> None:
    assert sorting.sort(a_mail(*case)).kind is Kind.ASK


@pytest.mark.parametrize("name", ["Village Postmaster", "System Administrator", "Mail Administrator", "Bounce House"])
def test_a_person_may_be_called_so(name: str) -> None:
    raw = a_mail("Parcels", "They were not delivered, 550 of them, and came back.", "", f"{name} <jane@example.org>")
    assert sorting.sort(raw).kind is Kind.PERSON


def test_the_word_in_what_they_quote_is_nobodys_wish() -> None:
    quoted = "Very useful, thank you.\n\nOn Mon, 3 Nov 2025 at 10:00, Council <news@x.example> wrote:\n> Unsubscribe"
    assert sorting.sort(a_mail("Re: Your area", quoted)).kind is Kind.PERSON


def test_apples_wish_to_leave_comes_before_the_signs_of_a_machine() -> None:
    headers = "Auto-Submitted: auto-replied\nX-Apple-Unsubscribe: true"
    assert sorting.sort(a_mail("unsubscribe", "Apple Mail sent this", headers)).kind is Kind.UNSUBSCRIBE
    at_address = sorting.sort(a_mail("x", "x", "Auto-Submitted: auto-replied"), facts=Facts(Purpose.UNSUBSCRIBE))
    assert at_address.kind is Kind.UNSUBSCRIBE


def test_one_exchange_header_alone_is_no_sign() -> None:
    for header in ("X-Auto-Response-Suppress: All", "X-MS-Exchange-Inbox-Rules-Loop: a@b.example"):
        assert sorting.sort(a_mail("Re: Your area", "I saw it", header)).kind is Kind.PERSON


def test_an_absence_notice_of_microsoft_365_from_a_postmaster_envelope_is_no_bounce() -> None:
    headers = "Return-Path: <postmaster@x.outbound.protection.outlook.com>\nAuto-Submitted: auto-generated"
    assert (
        sorting.sort(a_mail("Automatic reply: x", "Away. Undeliverable letters: see below", headers)).kind is Kind.AUTO
    )


def test_a_report_gives_every_recipient_its_own_outcome() -> None:
    raw = a_report(
        a_block("a@example.net"),
        a_block("b@example.net", status="5.2.2", said="smtp; 552 5.2.2 over quota"),
        a_block("c@example.net", action="delivered", status="2.0.0", said="smtp; 250 ok"),
        a_block("d@example.net", status="5.7.1", said="smtp; 550 5.7.1 blocked by spamhaus"),
        a_block("e@example.net", status="4.4.1", said="smtp; connection timed out"),
    )
    found = sorting.sort(raw)
    assert found.kind is Kind.BOUNCE
    assert [(one.address[0], one.outcome) for one in found.recipients] == [
        ("a", "gone"), ("b", "full"), ("d", "blocked"), ("e", "transient"),
    ]  # fmt: skip


def test_a_report_of_delay_says_so_and_kills_nobody() -> None:
    found = sorting.sort(a_report(a_block(action="delayed", status="4.0.0")))
    assert found.kind is Kind.BOUNCE and found.recipients[0].delayed
    assert found.recipients[0].outcome == "transient"


def test_a_report_that_it_was_delivered_is_automatic() -> None:
    found = sorting.sort(a_report(a_block(action="relayed", status="2.0.0", said="smtp; 250 ok")))
    assert (found.kind, found.detail) == (Kind.AUTO, "delivered")


def test_an_action_with_a_comment_and_opensmtpds_error_are_understood() -> None:
    for action in ("failed (permanent)", "error"):
        assert sorting.sort(a_report(a_block(action=action))).recipients[0].outcome == "gone"


def test_a_report_under_a_lying_type_is_found_all_the_same() -> None:
    raw = a_report(a_block()).replace(b"multipart/report; report-type=delivery-status;", b"multipart/mixed;")
    assert sorting.sort(raw).recipients[0].address == "ameera@example.net"


def test_an_international_report_in_base64_is_read() -> None:
    import base64

    block = base64.encodebytes(f"Reporting-MTA: dns; x\n\n{a_block('jöra@example.net')}\n".encode()).decode()
    raw = a_report("").decode().replace("Reporting-MTA: dns; mx.example.net\n\n\n", block)
    raw = raw.replace("message/delivery-status", "message/global-delivery-status\nContent-Transfer-Encoding: base64")
    assert [one.address for one in sorting.sort(raw.encode()).recipients] == ["jöra@example.net"]


def test_a_person_who_sends_a_bounce_on_to_us_is_a_person() -> None:
    raw = a_report(a_block()).decode().replace("Return-Path: <>\n", "").replace("Auto-Submitted: auto-replied\n", "")
    raw = raw.replace("MAILER-DAEMON@mx.example.net (Mail Delivery System)", "Pat Lee <pat@example.org>")
    raw = raw.replace("Undelivered Mail Returned to Sender", "Fwd: Undelivered Mail").replace(
        "multipart/report; report-type=delivery-status;", "multipart/mixed;"
    )
    assert sorting.sort(raw.encode()).kind is Kind.PERSON


@pytest.mark.parametrize(
    ("status", "said", "outcome"),
    [
        ("5.1.1", "550 5.1.1 No such user here", "gone"),
        ("5.1.2", "Host unknown", "gone"),
        ("5.0.0", "550 The recipient's mailbox does not exist", "gone"),
        ("5.4.1", "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)", "gone"),
        ("4.1.1", "450 4.1.1 user unknown", "transient"),
        ("5.1.1", "550 5.1.1 user unknown; your IP is on a blacklist", "blocked"),
        ("5.7.26", "550-5.7.26 This mail is unauthenticated", "blocked"),
        ("5.0.0", "554 Message rejected as spam", "blocked"),
        ("5.2.2", "552 mailbox is over its quota", "full"),
        ("4.2.2", "452 4.2.2 mailbox full", "full"),
        ("5.4.7", "delivery expired (message too old)", "transient"),
        ("5.0.0", "550 no", "unknown"),
    ],
)
def test_what_a_status_and_its_words_mean(status: str, said: str, outcome: str) -> None:
    assert sorting.sort(a_report(a_block(status=status, said=f"smtp; {said}"))).recipients[0].outcome == outcome


def test_a_server_without_reports_is_read_by_its_words() -> None:
    body = (
        "Sorry, we were unable to deliver your message to the following address.\n\n"
        "<ameera@example.net>:\n550 5.1.1 User unknown\n\n--- Below this line is a copy of the message.\n\n"
        "Received: from x\nFrom: news@council.example\nTo: other@example.net\nSubject: x\n"
    )
    found = sorting.sort(a_mail("failure notice", body, "Return-Path: <>", "MAILER-DAEMON@mx.example.net"))
    assert [(one.address, one.outcome, one.status) for one in found.recipients] == [
        ("ameera@example.net", "gone", "5.1.1")
    ]


def test_a_warning_in_words_that_a_server_still_tries_is_a_delay() -> None:
    body = (
        "A message that you sent has not yet been delivered to one or more of its recipients after 4 hours.\n\n"
        "  ameera@example.net\n\nNo action is required. Delivery attempts will continue for some time.\n"
    )
    found = sorting.sort(a_mail("Warning: message delayed 4 hours", body, "", "Mailer-Daemon@mx.example.net"))
    assert [(one.address, one.delayed) for one in found.recipients] == [("ameera@example.net", True)]
    assert found.recipients[0].outcome == "transient"


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        ("User mailbox exceeds allowed size: ameera@example.net", "full"),
        ("undeliverable to ameera@example.net", "unknown"),
        ("ameera@example.net: Benutzer unbekannt, die Nachricht wurde nicht zugestellt", "gone"),
        ("Votre message n'a pas pu être remis.\n\n<ameera@example.net>: utilisateur inconnu (550 5.1.1)", "gone"),
        ("could not be delivered to:\n\n  ameera@example.net on 12/5/2020\n     The account does not exist", "gone"),
        ("Recipient address: ameera@example.net\nDiagnostic code: smtp;554 blocked by RBL", "blocked"),
    ],
)
def test_servers_say_it_in_many_ways(words: str, outcome: str) -> None:
    found = sorting.sort(
        a_mail("Mail System Error", words, "Return-Path: <>", "Postmaster <postmaster@mx.example.net>")
    )
    assert [(one.address, str(one.outcome)) for one in found.recipients] == [("ameera@example.net", outcome)]


def test_an_abuse_report_is_a_complaint_with_its_type() -> None:
    raw = (
        "From: fbl@provider.example\nSubject: Report\nMIME-Version: 1.0\n"
        "Content-Type: multipart/report; report-type=feedback-report; boundary=B\n\n"
        "--B\nContent-Type: text/plain\n\nA report\n--B\nContent-Type: message/feedback-report\n\n"
        "Feedback-Type: opt-out\nUser-Agent: x/1\nVersion: 1\nOriginal-Rcpt-To: <ameera@example.net>\n"
        "--B\nContent-Type: message/rfc822\n\nFrom: news@council.example\n\nHello\n--B--\n"
    )
    found = sorting.sort(raw.encode())
    assert found.kind is Kind.COMPLAINT and found.complaint
    assert (found.complaint.feedback, found.complaint.address) == ("opt-out", "ameera@example.net")


def test_hotmails_older_complaint_is_one_too() -> None:
    raw = (
        "From: staff@hotmail.example\nSubject: complaint about message\nMIME-Version: 1.0\n"
        "Content-Type: multipart/mixed; boundary=B\n\n--B\nContent-Type: message/rfc822\n\n"
        "X-HmXmrOriginalRecipient: ameera@example.net\nFrom: news@council.example\n\nHello\n--B--\n"
    )
    assert sorting.sort(raw.encode()).kind is Kind.COMPLAINT


def test_a_read_receipt_is_automatic() -> None:
    raw = (
        "From: pat@example.org\nSubject: Read: x\nMIME-Version: 1.0\n"
        "Content-Type: multipart/report; report-type=disposition-notification; boundary=B\n\n--B\n\nread\n"
        "--B\nContent-Type: message/disposition-notification\n\nDisposition: manual-action; displayed\n--B--\n"
    )
    assert (sorting.sort(raw.encode()).kind, sorting.sort(raw.encode()).detail) == (Kind.AUTO, "receipt")


def test_a_calendar_that_answers_without_words_is_automatic_and_one_with_words_is_a_person() -> None:
    raw = (
        "From: pat@example.org\nSubject: Accepted: x\nMIME-Version: 1.0\n"
        "Content-Type: multipart/alternative; boundary=B\n\n"
        "--B\nContent-Type: text/plain\n\n{}\n"
        "--B\nContent-Type: text/calendar; method=REPLY\n\nBEGIN:VCALENDAR\n--B--\n"
    )
    assert sorting.sort(raw.format("").encode()).detail == "calendar"
    assert sorting.sort(raw.format("I come, but I am afraid of him").encode()).kind is Kind.PERSON


def test_what_is_encrypted_reaches_a_person_as_unreadable() -> None:
    raw = b"From: pat@example.org\nSubject: x\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data\n\nMIIB"
    found = sorting.sort(raw)
    assert (found.kind, found.detail) == (Kind.PERSON, "unreadable")


def test_the_same_delivered_to_twice_is_a_loop_only_at_our_own_address() -> None:
    headers = "Delivered-To: reply+x@reply.council.example\nDelivered-To: reply+x@reply.council.example"
    facts = Facts(Purpose.REPLY, recipient="reply+x@reply.council.example")
    assert sorting.sort(a_mail("Re: x", "Hello", headers), facts=facts).detail == "loop"
    elsewhere = headers.replace("reply+x@reply.council", "pat@mail")
    assert sorting.sort(a_mail("Re: x", "Hello", elsewhere), facts=facts).kind is Kind.PERSON


def test_an_automatic_answer_that_speaks_of_another_address_proposes_it() -> None:
    body = "I have left the company. My new address is pat@elsewhere.example."
    assert sorting.sort(a_mail("Automatic reply: x", body)).detail == "moved"


@pytest.mark.parametrize("raw", [b"", b"\0", b"\n\n\n", b"\xff" * 5000, b"From: " + b"(" * 5000, b"a:b\n" * 9000])
def test_any_bytes_get_a_verdict(raw: bytes) -> None:
    assert sorting.sort(raw).kind
