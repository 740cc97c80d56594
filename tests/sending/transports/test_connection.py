"""Real sockets, real servers: what each fault does to a mail, and that the next mail is not touched by it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.config import Relay
from newsletter.sending.transports.connection import Connection
from newsletter.sending.transports.opening import Timeouts
from newsletter.sending.transports.outcome import Accepted, Deferred, Outcome, Phase, Refused, Uncertain
from tests.sending.transports.conftest import Certificates
from tests.sending.transports.faults import HANG_UP, RESET, SILENT, USUAL, FaultServer

MAIL = b"From: a@x.example\r\nTo: ann@example.org\r\nSubject: Hello\r\n\r\nWords.\r\n"
QUICK = Timeouts(connect=2, opening=1, command=0.4, data=0.4, body=0.4, dot=0.4)
OFFERS_TLS = b"250-faults.example\r\n250 STARTTLS\r\n"


def connection(server: FaultServer, **more: object) -> Connection:
    relay = Relay(host="127.0.0.1", port=server.port, **more)  # type: ignore[arg-type]
    return Connection(relay, timeouts=QUICK)


def send(link: Connection, to: str = "ann@example.org", data: bytes = MAIL) -> Outcome:
    return link.send("b@x.example", to, data)


def test_many_mails_go_over_one_connection() -> None:
    with FaultServer() as server, connection(server) as link:
        for number in range(20):
            assert send(link, f"person{number}@example.org") == Accepted(250, "2.0.0 Ok: queued as ABC123", "ABC123")
        assert server.connections == 1
        assert server.texts == [MAIL] * 20
        assert b"MAIL FROM:<b@x.example> SIZE=%d\r\n" % len(MAIL) in server.commands


def test_the_hook_runs_after_354_and_before_the_first_byte() -> None:
    order: list[str] = []
    with FaultServer(on_data=lambda: order.append("354")) as server, connection(server) as link:
        link.send("", "ann@example.org", MAIL, lambda: order.append(f"hook, texts: {len(server.texts)}"))
        assert sorted(order) == ["354", "hook, texts: 0"]
        assert server.texts == [MAIL]


def test_the_hook_does_not_run_for_a_refused_person() -> None:
    def never() -> None:
        raise AssertionError("nothing was going to leave")

    with FaultServer({"rcpt": b"550 5.1.1 no such user\r\n"}) as server, connection(server) as link:
        assert isinstance(link.send("", "ann@example.org", MAIL, never), Refused)


def test_when_the_hook_fails_nothing_leaves_and_the_next_mail_goes() -> None:
    def full_disk() -> None:
        raise OSError("disk full")

    with FaultServer() as server, connection(server) as link:
        with pytest.raises(RuntimeError, match="no ledger"):
            link.send("", "ann@example.org", MAIL, lambda: (_ for _ in ()).throw(RuntimeError("no ledger")))
        assert isinstance(send(link), Accepted)
        assert server.texts == [MAIL]
        # An OSError of the ledger is not one of the network: it must not be read as "try again".
        with pytest.raises(OSError, match="disk full"):
            link.send("", "ann@example.org", MAIL, full_disk)
        assert server.texts == [MAIL]


PHASES = {"mail": Phase.MAIL, "rcpt": Phase.RCPT, "data": Phase.DATA, "dot": Phase.DOT}


@pytest.mark.parametrize(
    "fault", [HANG_UP, RESET, SILENT, b"\x00\xff garbage \xfe\r\n", b"HTTP/1.1 400 Bad\r\n", b"25"]
)
@pytest.mark.parametrize("phase", PHASES)
def test_a_broken_talk_is_safe_before_the_dot_and_uncertain_after(phase: str, fault: bytes) -> None:
    with FaultServer({phase: [fault, USUAL[phase]]}) as server, connection(server) as link:
        outcome = send(link)
        assert type(outcome) is (Uncertain if phase == "dot" else Deferred)
        assert outcome.phase is PHASES[phase]
        assert isinstance(send(link), Accepted), "a new connection carries the next mail"
        assert server.connections == 2
        assert len(server.texts) == (2 if phase == "dot" else 1)


@pytest.mark.parametrize("code", [b"421 4.3.2 closing\r\n", b"451 4.3.0 later\r\n", b"550 5.0.0 no\r\n"])
@pytest.mark.parametrize("phase", PHASES)
def test_one_persons_refusal_does_not_touch_the_next(phase: str, code: bytes) -> None:
    with FaultServer({phase: [code, USUAL[phase]]}) as server, connection(server) as link:
        first, second = send(link), send(link, "bob@example.org")
        kind = Deferred if code[:1] == b"4" or phase == "mail" else Refused
        assert (type(first), first.phase, first.code) == (kind, PHASES[phase], int(code[:3]))
        assert isinstance(second, Accepted)
        assert server.connections == (2 if code.startswith(b"421") else 1)
        reset = [line for line in server.commands if line == b"RSET\r\n"]
        assert len(reset) == (0 if code.startswith(b"421") or phase == "dot" else 1)


def test_forty_people_after_one_refusal_are_all_served() -> None:
    """Without RSET every later MAIL got 503, and 38 of 40 people were filed as dead."""
    answers = {"rcpt": [b"550 5.1.1 no such user\r\n", USUAL["rcpt"]]}
    with FaultServer(answers) as server, connection(server) as link:
        outcomes = [type(send(link, f"p{number}@example.org")) for number in range(40)]
        assert outcomes == [Refused] + [Accepted] * 39


def test_the_server_hanging_up_in_the_text_is_safe_to_try_again() -> None:
    big = MAIL + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 60_000
    with FaultServer({"half": RESET}) as server, connection(server) as link:
        outcome = send(link, data=big)
        # Either our kernel said so while writing, or it had taken all of it: then nobody can know.
        assert isinstance(outcome, Deferred | Uncertain)
        assert server.texts == []


def test_a_server_that_takes_no_bytes_is_given_up_in_time() -> None:
    big = MAIL + (b"y" * 70 + b"\r\n") * 200_000
    with FaultServer({"half": SILENT}) as server, connection(server) as link:
        started = time.monotonic()
        outcome = send(link, data=big)
        assert (type(outcome), outcome.phase) == (Deferred, Phase.BODY)
        assert time.monotonic() - started < 5


def test_a_server_that_answers_a_byte_at_a_time_is_given_up_in_time() -> None:
    with FaultServer(drip=0.05) as server, connection(server) as link:
        started = time.monotonic()
        outcome = send(link)
        assert isinstance(outcome, Deferred) and outcome.phase in (Phase.CONNECT, Phase.HELLO)
        assert time.monotonic() - started < 5


def test_a_server_that_speaks_before_it_is_asked_is_not_believed() -> None:
    """One answer too many would be read as the answer to the next command, and then to the next person's dot."""
    answers = {"mail": [b"250 Ok\r\n250 Ok\r\n", USUAL["mail"]], "rcpt": b"550 5.1.1 no\r\n"}
    with FaultServer(answers) as server, connection(server) as link:
        assert isinstance(send(link), Deferred)
        assert isinstance(send(link), Refused)
        assert server.texts == [] and server.connections == 2


def test_a_goodbye_after_a_long_pause_costs_nobody_anything() -> None:
    with (
        FaultServer({"dot": [USUAL["dot"] + b"421 4.4.2 idle\r\n", USUAL["dot"]]}) as server,
        connection(server) as link,
    ):
        assert isinstance(send(link), Accepted)
        assert isinstance(send(link), Accepted)
        assert server.connections == 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"a\nb\r\n", "not CRLF"),
        (b"a\rb\r\n", "not CRLF"),
        (b"a\r\n.\rb\r\n", "not CRLF"),
        (b"a\r\n\n.\n\r\n", "not CRLF"),
        (b"a\0b\r\n", "NUL"),
        (b"no end", "does not end"),
        (b"", "does not end"),
    ],
)
def test_bytes_that_servers_read_differently_never_leave(data: bytes, words: str) -> None:
    with FaultServer() as server, connection(server) as link:
        outcome = send(link, data=data)
        assert isinstance(outcome, Refused) and outcome.ours and words in outcome.text
        assert server.connections == 0


def test_a_line_of_one_dot_does_not_end_the_mail() -> None:
    data = b"Subject: x\r\n\r\n.\r\n..\r\nMAIL FROM:<eve@example.org>\r\n.last\r\n"
    with FaultServer() as server, connection(server) as link:
        assert isinstance(send(link, data=data), Accepted)
        assert server.texts == [data]
        link.close()
        assert [line[:4] for line in server.commands] == [b"ehlo", b"MAIL", b"RCPT", b"DATA", b"QUIT"]


@pytest.mark.parametrize("bad", ["ann@example.org>\r\nRCPT TO:<eve@example.org", "ann", "", "a b@example.org"])
def test_what_is_no_address_never_reaches_the_server(bad: str) -> None:
    with FaultServer() as server, connection(server) as link:
        assert isinstance(link.send("b@x.example", bad, MAIL), Refused)
        assert server.connections == 0


def test_an_address_beyond_ascii_needs_a_server_that_takes_it() -> None:
    with FaultServer() as server, connection(server) as link:
        assert isinstance(send(link, "jörg@example.org"), Accepted)
        assert "RCPT TO:<jörg@example.org>\r\n".encode() in server.commands
    with FaultServer({"ehlo": b"250 plain.example\r\n"}) as server, connection(server) as link:
        outcome = send(link, "jörg@example.org")
        assert isinstance(outcome, Refused) and "SMTPUTF8" in outcome.text and not outcome.ours
        assert isinstance(send(link, "info@münchen.example"), Accepted)
        assert b"RCPT TO:<info@xn--mnchen-3ya.example>\r\n" in server.commands


OPENING = [
    ({"greeting": HANG_UP}, Phase.CONNECT, False),
    ({"greeting": SILENT}, Phase.CONNECT, False),
    ({"greeting": b"554 go away\r\n"}, Phase.CONNECT, True),
    ({"greeting": b"421 too busy\r\n"}, Phase.CONNECT, False),
    ({"greeting": b"SSH-2.0-OpenSSH_9.2\r\n"}, Phase.CONNECT, True),
    ({"ehlo": HANG_UP}, Phase.HELLO, False),
    ({"ehlo": b"421 too busy\r\n"}, Phase.HELLO, False),
    ({"ehlo": b"550 no\r\n", "helo": b"550 no\r\n"}, Phase.HELLO, True),
]


@pytest.mark.parametrize(("answers", "phase", "ours"), OPENING)
def test_a_relay_that_does_not_open_is_a_reason_to_wait(answers: dict[str, bytes], phase: Phase, ours: bool) -> None:
    with FaultServer(dict(answers)) as server, connection(server) as link:
        outcome = send(link)
        assert isinstance(outcome, Deferred)
        assert (outcome.phase, outcome.ours) == (phase, ours)
        assert link.check() is not None


def test_a_relay_that_is_not_there_is_named() -> None:
    with FaultServer() as server:
        port = server.port
    outcome = Connection(Relay(host="127.0.0.1", port=port), timeouts=QUICK).check()
    assert outcome and f"127.0.0.1:{port}" in outcome.text and not outcome.ours


def test_an_old_server_that_knows_only_helo_is_served() -> None:
    with FaultServer({"ehlo": b"502 what\r\n", "helo": b"250 old.example\r\n"}) as server, connection(server) as link:
        assert isinstance(send(link), Accepted)
        assert b"MAIL FROM:<b@x.example>\r\n" in server.commands


Secure = Callable[..., Connection]


@pytest.fixture
def secure(certificates: Certificates) -> Secure:
    def make(server: FaultServer, tls: str, **more: object) -> Connection:
        relay = Relay(host="127.0.0.1", port=server.port, tls=tls, **more)  # type: ignore[arg-type]
        return Connection(relay, timeouts=QUICK, context=certificates.client())

    return make


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_mail_goes_encrypted(tls: str, certificates: Certificates, secure: Secure) -> None:
    server = FaultServer(
        {"ehlo": [OFFERS_TLS, USUAL["ehlo"]]}, tls=certificates.server("good"), implicit=tls == "implicit"
    )
    with server, secure(server, tls) as link:
        assert isinstance(send(link), Accepted)
        assert isinstance(send(link), Accepted)
        assert server.texts == [MAIL, MAIL] and server.connections == 1


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize(("certificate", "words"), [("expired", "expired"), ("stranger", "mismatch")])
def test_a_bad_certificate_ends_it(
    tls: str, certificate: str, words: str, certificates: Certificates, secure: Secure
) -> None:
    server = FaultServer({"ehlo": OFFERS_TLS}, tls=certificates.server(certificate), implicit=tls == "implicit")
    with server, secure(server, tls) as link:
        outcome = send(link)
        assert isinstance(outcome, Deferred) and outcome.phase is Phase.TLS and outcome.ours
        assert words in outcome.text
        assert server.texts == []


def test_a_certificate_of_nobody_we_trust_ends_it(certificates: Certificates) -> None:
    with FaultServer({"ehlo": OFFERS_TLS}, tls=certificates.server("good")) as server:
        link = Connection(Relay(host="127.0.0.1", port=server.port, tls="starttls"), timeouts=QUICK)
        outcome = send(link)
        assert isinstance(outcome, Deferred) and "certificate" in outcome.text and outcome.ours


@pytest.mark.parametrize(
    "answers",
    [
        {"ehlo": b"250 faults.example\r\n"},  # stripped on the way
        {"ehlo": OFFERS_TLS, "starttls": b"454 4.7.0 not now\r\n"},
        {"ehlo": OFFERS_TLS, "starttls": b"250 but no TLS follows\r\n"},
        {"ehlo": OFFERS_TLS, "starttls": b"220 go\r\nthis is not a handshake\r\n"},
        {"ehlo": OFFERS_TLS, "starttls": HANG_UP},
    ],
)
def test_without_the_encryption_that_was_asked_for_nothing_leaves(answers: dict[str, bytes], secure: Secure) -> None:
    with FaultServer(dict(answers)) as server, secure(server, "starttls") as link:
        outcome = send(link)
        assert isinstance(outcome, Deferred) and outcome.phase is Phase.TLS
        assert not any(line.startswith((b"MAIL", b"AUTH")) for line in server.commands)


def login(tmp_path: Path, **more: object) -> dict[str, object]:
    (tmp_path / "password").write_text("open sesame\n")
    return {"user": "desk", "password_file": str(tmp_path / "password"), **more}


def test_a_password_goes_over_tls(tmp_path: Path, certificates: Certificates, secure: Secure) -> None:
    offers = b"250-faults.example\r\n250 AUTH PLAIN\r\n"
    server = FaultServer({"ehlo": [OFFERS_TLS, offers]}, tls=certificates.server("good"))
    with server, secure(server, "starttls", **login(tmp_path)) as link:
        assert isinstance(send(link), Accepted)
        assert any(line.startswith(b"AUTH PLAIN ") for line in server.commands)


def test_a_token_goes_over_tls(tmp_path: Path, certificates: Certificates, secure: Secure) -> None:
    server = FaultServer({"ehlo": b"250-x\r\n250 AUTH XOAUTH2\r\n"}, tls=certificates.server("good"), implicit=True)
    with server, secure(server, "implicit", **login(tmp_path, auth="xoauth2")) as link:
        assert isinstance(send(link), Accepted)
        (line,) = [line for line in server.commands if line.startswith(b"AUTH")]
        assert line == b"AUTH XOAUTH2 dXNlcj1kZXNrAWF1dGg9QmVhcmVyIG9wZW4gc2VzYW1lAQE=\r\n"


def test_a_password_never_goes_in_clear_to_another_computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultServer({"ehlo": b"250-x\r\n250 AUTH PLAIN\r\n"}) as server:
        link = connection(server, **login(tmp_path))
        assert isinstance(send(link), Accepted)  # this very computer: nobody listens in between
        link.close()
        monkeypatch.setattr("newsletter.sending.transports.opening._is_loopback", lambda sock: False)
        commands = len(server.commands)
        outcome = send(link)
        assert isinstance(outcome, Deferred) and outcome.phase is Phase.AUTH and outcome.ours
        assert "never goes out in clear" in outcome.text
        assert [line[:4] for line in server.commands[commands:]] == [b"ehlo"]


@pytest.mark.parametrize(
    ("answers", "ours"),
    [
        ({"ehlo": b"250-x\r\n250 AUTH PLAIN\r\n", "auth": b"535 5.7.8 wrong password\r\n"}, True),
        ({"ehlo": b"250-x\r\n250 AUTH PLAIN\r\n", "auth": b"454 4.7.0 not now\r\n"}, False),
        ({"ehlo": b"250 no auth here\r\n"}, True),
        ({"ehlo": b"250-x\r\n250 AUTH PLAIN\r\n", "auth": HANG_UP}, False),
    ],
)
def test_a_login_that_fails_is_said_in_words(answers: dict[str, bytes], ours: bool, tmp_path: Path) -> None:
    with FaultServer(dict(answers)) as server, connection(server, **login(tmp_path)) as link:
        outcome = link.check()
        assert outcome and (outcome.phase, outcome.ours) == (Phase.AUTH, ours)
        assert "open sesame" not in outcome.text


def test_a_missing_password_is_said_in_words(tmp_path: Path) -> None:
    with FaultServer({"ehlo": b"250-x\r\n250 AUTH PLAIN\r\n"}) as server:
        for password_file in (str(tmp_path / "nowhere"), ""):
            relay = Relay(host="127.0.0.1", port=server.port, user="desk", password_file=password_file)
            outcome = Connection(relay, timeouts=QUICK).check()
            assert outcome and "password" in outcome.text and outcome.ours and outcome.phase is Phase.AUTH
