"""The talk about one mail, answer by answer, without a socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.sending.transports.outcome import Accepted, Deferred, Phase, Refused, Uncertain, remote_id
from newsletter.sending.transports.reply import GARBAGE, Reply, ReplyReader
from newsletter.sending.transports.session import LONE_DOT, Extensions, Next, Transaction

OK, GO_ON = Reply(250, "Ok"), Reply(354, "Go on")


def reply(text: str) -> Reply:
    reader = ReplyReader()
    reader.feed(text.encode() + b"\r\n")
    found = reader.next()
    assert found
    return found


def begun(**more: bool) -> Transaction:
    return Transaction("b@x.example", "ann@example.org", 1000, **more)


def at(phase: Phase, **more: bool) -> Transaction:
    """A transaction whose answer for `phase` is awaited."""
    talk = begun(reset_first=phase is Phase.RESET, **more)
    talk.start()
    for passed, answer in ((Phase.MAIL, OK), (Phase.RCPT, OK), (Phase.DATA, GO_ON)):
        if phase in (Phase.RESET, passed):
            return talk
        talk.answer(answer)
    talk.body_sent()
    return talk


def test_one_command_at_a_time_up_to_the_dot() -> None:
    talk = begun()
    assert talk.start() == b"MAIL FROM:<b@x.example>\r\n"
    assert talk.answer(OK) == b"RCPT TO:<ann@example.org>\r\n"
    assert talk.answer(OK) == b"DATA\r\n"
    assert talk.answer(GO_ON) is Next.BODY
    talk.body_sent()
    assert talk.phase is Phase.DOT
    assert talk.answer(reply("250 2.0.0 Ok: queued as 4XyZ")) is Next.DONE
    assert talk.outcome == Accepted(250, "2.0.0 Ok: queued as 4XyZ", "4XyZ")
    assert talk.usable and not talk.needs_reset


def test_what_the_server_offers_is_used() -> None:
    talk = Transaction("b@x.example", "jörg@example.org", 1234, Extensions(smtputf8=True, eight_bit=True, size=True))
    assert talk.start() == b"MAIL FROM:<b@x.example> SIZE=1234 SMTPUTF8 BODY=8BITMIME\r\n"
    assert talk.answer(OK) == "RCPT TO:<jörg@example.org>\r\n".encode()


def test_a_null_sender_is_written_as_such() -> None:
    assert Transaction("", "ann@example.org", 1).start() == b"MAIL FROM:<>\r\n"


# phase, answer → kind, ours, usable afterwards. The table of RELIABILITY 3.4, and the traps of the field.
TABLE = [
    (Phase.RESET, "250 Ok", None, False, True),
    (Phase.RESET, "421 closing", Deferred, False, False),
    (Phase.RESET, "500 what", Deferred, True, False),
    (Phase.MAIL, "421 4.3.0 closing", Deferred, False, False),
    (Phase.MAIL, "452 4.3.1 disk full", Deferred, False, True),
    (Phase.MAIL, "530 5.7.0 log in first", Deferred, True, True),
    (Phase.MAIL, "550 5.1.8 bad sender", Deferred, True, True),
    (Phase.MAIL, "552 too big", Refused, True, True),
    (Phase.MAIL, "503 nested MAIL", Deferred, True, False),
    (Phase.MAIL, "354 what", Deferred, True, False),
    (Phase.RCPT, "421 4.7.28 rate", Deferred, True, False),
    (Phase.RCPT, "450 4.2.1 slow down", Deferred, False, True),
    (Phase.RCPT, "450 4.7.1 greylisted", Deferred, False, True),
    (Phase.RCPT, "451 try later", Deferred, False, True),
    (Phase.RCPT, "452 4.2.2 full", Deferred, False, True),
    (Phase.RCPT, "550 5.1.1 no such user", Refused, False, True),
    (Phase.RCPT, "550 no such user", Refused, False, True),
    (Phase.RCPT, "550 5.5.0 mailbox unavailable", Refused, False, True),
    (Phase.RCPT, "552 5.2.2 mailbox full", Refused, False, True),
    (Phase.RCPT, "553 5.1.3 bad address", Refused, False, True),
    (Phase.RCPT, "501 5.1.3 bad address", Refused, False, False),
    (Phase.RCPT, "554 5.7.1 relaying denied", Refused, True, True),
    (Phase.RCPT, "500 what", Deferred, True, False),
    (Phase.RCPT, "501 syntax", Deferred, True, False),
    (Phase.RCPT, "503 need MAIL", Deferred, True, False),
    (Phase.RCPT, "251 will forward", None, False, True),
    (Phase.RCPT, "220 what", Deferred, True, False),
    (Phase.DATA, "250 what", Deferred, True, False),
    (Phase.DATA, "451 later", Deferred, False, True),
    (Phase.DATA, "554 no valid recipients", Refused, False, True),
    (Phase.DATA, "503 no recipients", Deferred, True, False),
    (Phase.DATA, "421 closing", Deferred, False, False),
    (Phase.DOT, "250 Ok", Accepted, False, True),
    (Phase.DOT, "251 Ok", Accepted, False, True),
    (Phase.DOT, "421 4.4.2 closing", Deferred, False, False),
    (Phase.DOT, "451 4.3.0 try later", Deferred, False, True),
    (Phase.DOT, "452 4.3.1 disk full", Deferred, False, True),
    (Phase.DOT, "500 line too long", Deferred, True, True),
    (Phase.DOT, "550 5.7.515 not authenticated", Refused, True, True),
    (Phase.DOT, "550 5.7.26 unauthenticated", Refused, True, True),
    (Phase.DOT, "552 5.3.4 too big", Refused, True, True),
    (Phase.DOT, "552 5.2.2 mailbox full", Refused, False, True),
    (Phase.DOT, "554 5.6.0 content", Refused, False, True),
    (Phase.DOT, "354 what", Uncertain, False, False),
    (Phase.DOT, "I am a teapot", Uncertain, False, False),
    (Phase.MAIL, "I am a teapot", Deferred, True, False),
    (Phase.RCPT, "I am a teapot", Deferred, True, False),
    (Phase.DATA, "I am a teapot", Deferred, True, False),
]


@pytest.mark.parametrize(("phase", "answer", "kind", "ours", "usable"), TABLE)
def test_each_answer_at_each_phase_means_one_thing(
    phase: Phase, answer: str, kind: type | None, ours: bool, usable: bool
) -> None:
    talk = at(phase)
    talk.answer(reply(answer))
    if kind is None:
        assert talk.outcome is None
        return
    assert talk.outcome is not None and type(talk.outcome) is kind
    assert talk.outcome.phase is phase
    assert getattr(talk.outcome, "ours", False) is ours
    assert talk.usable is usable


@pytest.mark.parametrize("phase", [Phase.RESET, Phase.MAIL, Phase.RCPT, Phase.DATA])
def test_a_broken_connection_before_the_dot_is_safe_to_try_again(phase: Phase) -> None:
    talk = at(phase)
    assert talk.lost("hung up") == Deferred(phase, None, "hung up")
    assert not talk.usable


def test_a_broken_connection_while_the_text_leaves_is_safe_to_try_again() -> None:
    talk = at(Phase.DATA)
    talk.answer(GO_ON)
    assert talk.lost("hung up") == Deferred(Phase.BODY, None, "hung up")


def test_a_broken_connection_after_the_dot_leaves_it_open() -> None:
    assert at(Phase.DOT).lost("hung up") == Uncertain(Phase.DOT, None, "hung up")


@pytest.mark.parametrize("answer", ["450 4.2.1 later", "550 5.1.1 no such user"])
@pytest.mark.parametrize("phase", [Phase.MAIL, Phase.RCPT, Phase.DATA])
def test_after_a_refusal_the_next_mail_begins_with_rset(phase: Phase, answer: str) -> None:
    talk = at(phase)
    assert talk.answer(reply(answer)) is Next.DONE
    assert talk.needs_reset
    following = begun(reset_first=True)
    assert following.start() == b"RSET\r\n"
    assert following.answer(OK).startswith(b"MAIL FROM")  # type: ignore[union-attr]


def test_after_an_answered_dot_no_rset_is_needed() -> None:
    talk = at(Phase.DOT)
    talk.answer(reply("550 5.7.1 content"))
    assert not talk.needs_reset and talk.usable


def test_grouped_commands_leave_together() -> None:
    talk = begun(grouped=True)
    assert talk.start() == b"MAIL FROM:<b@x.example>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n"
    assert [talk.answer(OK), talk.answer(OK)] == [Next.WAIT, Next.WAIT]
    assert talk.answer(GO_ON) is Next.BODY


def test_grouped_a_refused_person_is_refused_even_if_data_is_welcome() -> None:
    talk = begun(grouped=True)
    talk.start()
    talk.answer(OK)
    assert talk.answer(reply("550 5.1.1 no such user")) is Next.WAIT
    assert talk.answer(GO_ON) == LONE_DOT  # the server waits for a text: give it none
    assert talk.answer(OK) is Next.DONE
    assert isinstance(talk.outcome, Refused) and talk.outcome.phase is Phase.RCPT


def test_grouped_the_503_after_a_refusal_changes_nothing_for_the_person() -> None:
    talk = begun(grouped=True)
    talk.start()
    talk.answer(OK)
    talk.answer(reply("450 4.2.1 later"))
    talk.answer(reply("503 5.5.1 need RCPT"))
    assert talk.outcome == Deferred(Phase.RCPT, 450, "4.2.1 later", "4.2.1")


def test_a_connection_lost_after_a_lone_dot_is_still_the_refusal() -> None:
    talk = begun(grouped=True)
    talk.start()
    talk.answer(OK)
    talk.answer(reply("550 5.1.1 no such user"))
    talk.answer(GO_ON)
    assert isinstance(talk.lost("hung up"), Refused)


replies = st.builds(Reply, st.one_of(st.just(GARBAGE), st.integers(200, 599)), st.text(max_size=20), st.just(""))


@given(st.lists(replies, min_size=1, max_size=8), st.booleans(), st.booleans())
def test_whatever_a_server_says_there_is_one_outcome(answers: list[Reply], grouped: bool, reset: bool) -> None:
    talk = begun(grouped=grouped, reset_first=reset)
    talk.start()
    dotted = False
    for answer in answers:
        step = talk.answer(answer)
        if step is Next.DONE:
            break
        if step is Next.BODY:
            talk.body_sent()
            dotted = True
    outcome = talk.outcome or talk.lost("hung up")
    assert isinstance(outcome, Accepted | Deferred | Refused | Uncertain)
    if isinstance(outcome, Accepted | Uncertain):
        assert dotted, "nobody can have a mail whose text never left"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2.0.0 Ok: queued as 4XyZ12", "4XyZ12"),
        ("OK id=1vN5Xy-000000001aB-2cDe", "1vN5Xy-000000001aB-2cDe"),
        ("2.6.0 <m@x> [InternalId=12345678, Hostname=a.example] 9000 bytes Queued mail for delivery", "12345678"),
        ("2.0.0 v4B8Viav016285 Message accepted for delivery", "v4B8Viav016285"),
        (
            "2.0.0 OK  1764000000 a1-20020a05600c0a0100b003f1si123wme.45 - gsmtp",
            "1764000000 a1-20020a05600c0a0100b003f1si123wme.45",
        ),
        (
            "Ok 0102018f3a2b4c5d-6e7f8091-a2b3-c4d5-e6f7-8091a2b3c4d5-000000",
            "0102018f3a2b4c5d-6e7f8091-a2b3-c4d5-e6f7-8091a2b3c4d5-000000",
        ),
        ("Ok", ""),
        ("", ""),
    ],
)
def test_the_servers_own_name_for_the_mail_is_kept(text: str, expected: str) -> None:
    assert remote_id(text) == expected
