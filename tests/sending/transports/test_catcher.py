"""The catcher: every mail whole on disk before its 250, with its envelope, and nothing goes any further."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.config import Relay
from newsletter.mail import outgoing
from newsletter.problems import NewsletterError
from newsletter.sending.transports import catcher as module
from newsletter.sending.transports.catcher import Catcher, is_ours
from newsletter.sending.transports.connection import Connection
from newsletter.sending.transports.outcome import Accepted, Deferred, Refused
from tests.mail.examples import COMMON, person

MAIL = b"From: a@x.example\r\nTo: ann@example.org\r\nSubject: Hello\r\n\r\nWords.\r\n"


def caught(folder: Path) -> list[tuple[str, list[str], bytes]]:
    """Sender, recipients and mail of every file, in the order of their names."""
    found = []
    for path in sorted(folder.glob("*.eml")):
        lines = path.read_bytes().split(b"\r\n")
        head = [line for line in lines[:1002] if line.startswith(b"X-Envelope-")]
        assert lines[: len(head)] == head
        addresses = [line.partition(b"<")[2].rstrip(b">").decode() for line in head]
        found.append((addresses[0], addresses[1:], b"\r\n".join(lines[len(head) :])))
    return found


def link_to(catcher: Catcher) -> Connection:
    return Connection(Relay(host="127.0.0.1", port=catcher.port))


def test_a_mail_is_kept_byte_for_byte_with_its_envelope(tmp_path: Path) -> None:
    with Catcher(tmp_path, port=0) as catcher, link_to(catcher) as link:
        assert isinstance(link.send("b@x.example", "ann@example.org", MAIL), Accepted)
        assert isinstance(link.send("", "jörg@münchen.example", MAIL), Accepted)
    assert caught(tmp_path) == [
        ("b@x.example", ["ann@example.org"], MAIL),
        ("", ["jörg@xn--mnchen-3ya.example"], MAIL),
    ]
    assert not list(tmp_path.glob(".*")), "no half-written file stays"


def test_its_name_for_the_mail_is_the_files_name(tmp_path: Path) -> None:
    with Catcher(tmp_path, port=0) as catcher, link_to(catcher) as link:
        outcome = link.send("b@x.example", "ann@example.org", MAIL)
    assert isinstance(outcome, Accepted)
    assert [path.stem for path in tmp_path.glob("*.eml")] == [outcome.remote_id]


def test_five_hundred_mails_take_a_moment_and_sort_as_they_came(tmp_path: Path) -> None:
    compiled = outgoing.compile(COMMON, ("Hello",), ("Dear ", 0, "\n"), ("<p>Dear ", 0, "</p>" + "<p>Words</p>" * 3000))
    with Catcher(tmp_path, port=0) as catcher, link_to(catcher) as link:
        started = time.process_time()
        for number in range(500):
            to = f"person{number}@example.org"
            assert isinstance(link.send("b@x.example", to, compiled.build(("Ann",), person(to=to))), Accepted)
        spent = time.process_time() - started  # of both ends; the wall clock of a shared machine says nothing
    assert [recipients for _, recipients, _ in caught(tmp_path)] == [[f"person{n}@example.org"] for n in range(500)]
    assert spent < 10, f"{spent:.1f} s of processor time for 500 mails of 38 KB"


def test_the_hook_is_called_before_the_mail_is_acknowledged(tmp_path: Path) -> None:
    seen: list[tuple[bytes, str, list[str]]] = []
    with Catcher(tmp_path, port=0, on_mail=lambda *mail: seen.append(mail)) as catcher, link_to(catcher) as link:
        assert isinstance(link.send("b@x.example", "reply+abc@reply.example", MAIL), Accepted)
        assert seen == [(MAIL, "b@x.example", ["reply+abc@reply.example"])]


def test_the_hook_may_use_the_database(tmp_path: Path) -> None:
    """Django refuses to where an event loop runs."""
    loops = []

    def hook(*_: object) -> None:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        loops.append("none")

    with Catcher(tmp_path, port=0, on_mail=hook) as catcher, link_to(catcher) as link:
        assert isinstance(link.send("b@x.example", "ann@example.org", MAIL), Accepted)
    assert loops == ["none"]


def test_a_mail_that_the_hook_could_not_take_is_the_senders_to_repeat(tmp_path: Path) -> None:
    fail = [True]

    def hook(raw: bytes, sender: str, recipients: list[str]) -> None:
        if fail.pop():
            fail.append(False)
            raise OSError("disk full")
        fail.append(False)

    with Catcher(tmp_path, port=0, on_mail=hook) as catcher, link_to(catcher) as link:
        outcome = link.send("b@x.example", "ann@example.org", MAIL)
        assert isinstance(outcome, Deferred) and outcome.code == 451
        assert list(tmp_path.iterdir()) == []
        assert isinstance(link.send("b@x.example", "ann@example.org", MAIL), Accepted)


def test_an_unwritable_folder_is_said_before_listening(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NewsletterError) as error:
        Catcher(tmp_path / "file" / "mail", port=0).start()
    assert error.value.problems[0].code == "cannot-write"


def test_a_mail_with_many_recipients_is_one_file(tmp_path: Path) -> None:
    with Catcher(tmp_path, port=0) as catcher, smtplib.SMTP("127.0.0.1", catcher.port, "localhost") as smtp:
        smtp.sendmail("a@x.example", ["ann@example.org", "bob@example.org"], MAIL)
    assert caught(tmp_path) == [("a@x.example", ["ann@example.org", "bob@example.org"], MAIL)]


def test_a_stranger_program_with_an_ordinary_library_is_served(tmp_path: Path) -> None:
    with Catcher(tmp_path, port=0) as catcher, smtplib.SMTP("127.0.0.1", catcher.port, "localhost") as smtp:
        smtp.sendmail("a@x.example", ["ann@example.org"], "Subject: dots\n\n.one\n..two\n.\nlast\n")
    assert caught(tmp_path)[0][2] == b"Subject: dots\r\n\r\n.one\r\n..two\r\n.\r\nlast\r\n"


def talk(port: int, data: bytes) -> bytes:
    """Say `data` after DATA's 354, then QUIT; all that the catcher answered since."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        stream = sock.makefile("rwb")
        for line in (b"", b"HELO x\r\n", b"MAIL FROM:<a@x.example>\r\n", b"RCPT TO:<ann@example.org>\r\n", b"DATA\r\n"):
            stream.write(line)
            stream.flush()
            stream.readline()
        stream.write(data + b"QUIT\r\n")
        stream.flush()
        return stream.read()


ENDS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\n\r.\r\n",
    b"\r\n.\r",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
]


@pytest.mark.parametrize("end", ENDS)
def test_no_mail_can_smuggle_in_another(tmp_path: Path, end: bytes) -> None:
    evil = (
        b"Subject: one\r\n\r\nwords"
        + end
        + b"MAIL FROM:<eve@x.example>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nSubject: two\r\n"
    )
    with Catcher(tmp_path, port=0) as catcher:
        answers = talk(catcher.port, evil + b"\r\n.\r\n")
    assert answers.count(b"queued as") == 1
    assert [recipients for _, recipients, _ in caught(tmp_path)] == [["ann@example.org"]]


@given(st.lists(st.sampled_from([b"\r", b"\n", b".", b"\0", b"x", b"\r\n", b"."]), max_size=12).map(b"".join))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_our_own_sender_lets_one_mail_be_one_mail(tmp_path: Path, odd: bytes) -> None:
    """Any bytes: either they are refused before they leave, or exactly one mail arrives, with exactly these bytes."""
    for old in tmp_path.glob("*.eml"):
        old.unlink()
    data = b"Subject: x\r\n\r\n" + odd + b"\r\nMAIL FROM:<eve@x.example>\r\n"
    with Catcher(tmp_path, port=0) as catcher, link_to(catcher) as link:
        outcome = link.send("b@x.example", "ann@example.org", data)
    mails = caught(tmp_path)
    assert mails == ([("b@x.example", ["ann@example.org"], data)] if isinstance(outcome, Accepted) else [])
    assert isinstance(outcome, Accepted | Refused)


odd_people = st.lists(
    st.tuples(
        st.one_of(
            st.emails(),
            st.sampled_from(
                [
                    "jörg@example.org",
                    "a@例え.jp",
                    "o'neill@example.org",
                    "ann+tag@example.org",
                    "x" * 64 + "@example.org",
                ]
            ),
        ),
        st.text(st.characters(exclude_categories=()), max_size=30),
    ),
    min_size=1,
    max_size=6,
)


@given(odd_people)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_same_people_arrive_at_a_real_server(tmp_path: Path, people: list[tuple[str, str]]) -> None:
    """Whatever people are called, a mail is refused in words or arrives for exactly that person."""
    for old in tmp_path.glob("*.eml"):
        old.unlink()
    compiled = outgoing.compile(COMMON, ("Hello ", 0), ("Dear ", 0, "\n"), ("<p>Dear ", 0, "</p>"))
    wanted = []
    with Catcher(tmp_path, port=0) as catcher, link_to(catcher) as link:
        for address, name in people:
            try:
                raw = compiled.build((name,), person(to=address, name=name))
            except NewsletterError:
                continue
            assert isinstance(link.send("b@x.example", address, raw), Accepted)
            wanted.append((outgoing.parse(address).wire, raw))
    assert [(recipients, raw) for _, recipients, raw in caught(tmp_path)] == [([to], raw) for to, raw in wanted]


def test_too_big_a_mail_is_refused_and_the_next_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SIZE_LIMIT", 100_000)
    big = MAIL + (b"x" * 70 + b"\r\n") * 3000
    with Catcher(tmp_path, port=0) as catcher:
        plain = Relay(host="127.0.0.1", port=catcher.port)
        with Connection(plain) as link:
            outcome = link.send("b@x.example", "ann@example.org", big)
            assert isinstance(outcome, Refused) and outcome.code == 552 and outcome.ours
            assert isinstance(link.send("b@x.example", "ann@example.org", MAIL), Accepted)
        # One that does not say its size beforehand is read to its end, and then refused.
        answers = talk(catcher.port, big + b".\r\n")
        assert answers.startswith(b"552 5.3.4")
    assert len(caught(tmp_path)) == 1


def test_a_mail_cut_off_before_its_dot_is_not_kept(tmp_path: Path) -> None:
    with Catcher(tmp_path, port=0) as catcher:
        with socket.create_connection(("127.0.0.1", catcher.port), timeout=10) as sock:
            sock.sendall(b"HELO x\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n" + MAIL)
        assert is_ours("127.0.0.1", catcher.port, tmp_path), "it goes on listening"
    assert list(tmp_path.iterdir()) == []


def test_an_empty_mail_and_commands_sent_along_are_understood(tmp_path: Path) -> None:
    with Catcher(tmp_path, port=0) as catcher:
        answers = talk(catcher.port, b".\r\nNOOP\r\n")
    assert answers.splitlines()[0].startswith(b"250") and answers.splitlines()[-1].startswith(b"221")
    assert caught(tmp_path)[0][2] == b""


def test_a_second_catcher_is_told_that_there_is_one(tmp_path: Path) -> None:
    with Catcher(tmp_path, port=0) as catcher:
        assert is_ours("127.0.0.1", catcher.port, tmp_path)
        with pytest.raises(NewsletterError, match="already running") as error:
            Catcher(tmp_path, port=catcher.port).start()
        assert error.value.problems[0].code == "port-taken"
    assert not is_ours("127.0.0.1", catcher.port, tmp_path)


def test_the_catcher_of_another_folder_is_not_ours(tmp_path: Path) -> None:
    with Catcher(tmp_path / "theirs", port=0) as catcher:
        assert not is_ours("127.0.0.1", catcher.port, tmp_path / "ours")
        with pytest.raises(NewsletterError, match="another newsletter folder"):
            Catcher(tmp_path / "ours", port=catcher.port).start()


def test_another_programs_port_is_named_with_a_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(NewsletterError) as error:
            Catcher(tmp_path, port=port).start()
        problem = error.value.problems[0]
        assert problem.code == "port-taken" and f'smtp = "127.0.0.1:{port + 1}"' in problem.hint


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "mail.example.org"])
def test_it_listens_on_this_computer_only(tmp_path: Path, host: str) -> None:
    with pytest.raises(NewsletterError) as error:
        Catcher(tmp_path, host=host, port=0).start()
    assert error.value.problems[0].code == "catch-not-local"


def test_it_can_be_stopped_twice_and_started_again(tmp_path: Path) -> None:
    catcher = Catcher(tmp_path, port=0).start()
    catcher.stop()
    catcher.stop()
    catcher.start()
    assert is_ours("127.0.0.1", catcher.port, tmp_path)
    catcher.stop()
