"""`newsletter replies`: what staff see, and what a mail server gets back."""

from __future__ import annotations

import json
import stat
import sys
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest

from tests.replies.conftest import Post, mail


def receive(post: Post, raw: bytes, *more: str):  # type: ignore[no-untyped-def]
    return post.workspace.run("replies", "receive", *more, stdin=raw)


def test_a_message_on_standard_input_is_kept_and_the_server_told_so(post: Post) -> None:
    sent = post.sent_to()
    ran = receive(post, mail(sent.reply), "--recipient", sent.reply, "--sender", "ameera@example.net")
    assert ran.exit == 0 and "answers the copy sent to ameera@example.net" in ran.out


def test_without_a_recipient_the_headers_are_searched(post: Post) -> None:
    sent = post.sent_to()
    ran = receive(post, mail("team@council.example", Delivered_To=sent.reply), "--json")
    assert json.loads(ran.out)["kind"] == "person"
    assert json.loads(post.workspace.run("replies", "list", "--json").out)["conversations"][0]["verified"]


def test_no_message_is_a_wrong_use(post: Post) -> None:
    ran = receive(post, b"")
    assert ran.exit == 2 and "empty-message" in ran.err


def test_a_message_over_50_mb_goes_back_to_its_sender(post: Post) -> None:
    from newsletter.replies import intake

    with mock.patch.object(intake, "BIGGEST", 1000):
        ran = receive(post, mail(post.sent_to().reply, "x" * 2000))
    assert ran.exit == 1 and "message-too-big" in ran.err


@pytest.mark.parametrize("trouble", ["config", "option", "database", "bug"])
def test_every_fault_of_ours_leaves_the_message_with_the_mail_server(post: Post, trouble: str) -> None:
    from newsletter.replies import intake

    raw, more = mail(post.sent_to().reply), ["--recipient", "x@y.example"]
    if trouble == "config":
        (post.workspace.root / "newsletter.toml").write_text("[site\n")
    elif trouble == "option":
        more = ["--recipent", "x@y.example"]
    elif trouble == "database":
        (post.workspace.root / "var" / "newsletter.db").write_bytes(b"not a database at all" * 100)
    with mock.patch.object(intake, "store", side_effect=RuntimeError("boom" if trouble == "bug" else "not reached")):
        ran = receive(post, raw, *more)
    assert ran.exit == 75
    assert "Traceback" not in ran.err + ran.out and ran.err


@pytest.mark.parametrize("trouble", ["an option of the group", "an import", "the report of a bug", "a closed pipe"])
def test_what_goes_wrong_around_the_command_leaves_the_message_with_the_mail_server(post: Post, trouble: str) -> None:
    from newsletter.cli import output, replies_receive
    from newsletter.replies import intake

    raw = mail(post.sent_to().reply)
    if trouble == "an option of the group":
        assert post.workspace.run("--colour", "replies", "receive", stdin=raw).exit == 75
    elif trouble == "an import":
        with mock.patch.dict(sys.modules, {"newsletter.cli.replies": None}):
            assert receive(post, raw).exit == 75
    elif trouble == "the report of a bug":
        full = mock.patch.object(output.Output, "config", side_effect=MemoryError)
        with full, mock.patch.object(replies_receive, "_not_kept", side_effect=OSError(28, "No space left on device")):
            assert receive(post, raw).exit == 75
    else:
        with (
            mock.patch.object(intake, "store", side_effect=RuntimeError),
            mock.patch.object(replies_receive.click, "echo", side_effect=BrokenPipeError),
        ):
            assert receive(post, raw).exit == 75


def test_a_full_disk_leaves_the_message_with_the_mail_server(post: Post) -> None:
    from django.db import OperationalError

    from newsletter.replies.models import Raw

    with mock.patch.object(Raw.objects, "create", side_effect=OperationalError("database or disk is full")):
        assert receive(post, mail(post.sent_to().reply)).exit == 75


def test_the_list_begins_with_who_has_waited_longest(post: Post) -> None:
    from newsletter.replies.models import Conversation

    for number, name in enumerate(("Ameera", "Robert", "Tom")):
        sent = post.sent_to(f"{name}@example.net")
        receive(post, mail(sent.reply, f"Words of {name}", f"{name} <{name}@example.net>", message_id=f"<{number}@x>"))
    tom = Conversation.objects.get(from_name="Tom")
    Conversation.objects.filter(pk=tom.pk).update(waiting_since=tom.created - timedelta(hours=3))
    Conversation.objects.filter(from_name="Robert").update(state="closed")
    ran = post.workspace.run("replies", "list")
    assert ran.out.index("Words of Tom") < ran.out.index("Words of Ameera")
    assert "3 hours" in ran.out and "2026-11-24-asb" in ran.out and "Robert" not in ran.out
    assert "Words of Robert" in post.workspace.run("replies", "list", "--all").out
    assert f"newsletter replies show {tom.pk}" in ran.out


def test_nobody_waiting_is_said(post: Post) -> None:
    assert "Nobody waits for an answer." in post.workspace.run("replies", "list").out


def test_show_says_who_how_sure_where_and_what(post: Post) -> None:
    sent = post.sent_to(name="Ameera Khan", attributes={"areas": ["Stafford North"]})
    receive(post, mail(sent.reply, "Can I ask?\n\nOn Mon, Council wrote:\n> Hello Ameera"))
    ran = post.workspace.run("replies", "show", "1")
    assert "Ameera Khan <ameera@example.net>" in ran.out and "Stafford North" in ran.out
    assert "the sender's address matches" in ran.out
    assert "    Can I ask?" in ran.out and "Hello Ameera" not in ran.out
    assert "> Hello Ameera" in post.workspace.run("replies", "show", "1", "--full").out


def test_show_says_what_our_mail_server_found_out_about_the_sender(post: Post) -> None:
    """Only under the name that newsletter.toml says; and a signature is never called checked."""
    sent = post.sent_to()
    check = "mx.council.example; dmarc={} header.from=example.net"
    post.workspace.toml('[replies]\nchecked_by = "mx.council.example"\n')
    receive(post, mail(sent.reply, "One", Authentication_Results=check.format("pass")))
    assert "Sender" in (said := post.workspace.run("replies", "show", "1").out) and "comes from example.net" in said
    assert "Signature" not in said
    receive(post, mail(sent.reply, "Two", message_id="<2@x>", Authentication_Results=check.format("fail")))
    assert "NOT PROVED: example.net says" in post.workspace.run("replies", "show", "1").out
    signed = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nThree\n"
    other = check.format("pass").replace("mx.council", "mx.evil")
    receive(post, mail(sent.reply, signed, message_id="<3@x>", Authentication_Results=other))
    said = post.workspace.run("replies", "show", "1").out
    assert "Sender  " not in said and "there is one, not checked" in said and "Three" in said


def test_show_says_what_it_does_not_show(post: Post) -> None:
    from email.message import EmailMessage

    message = EmailMessage()
    message["From"], message["To"], message["Message-ID"] = "ameera@example.net", post.sent_to().reply, "<7@x>"
    message.set_content("Can I ask?\n\nOn 1 Nov 2026 10:00, X <x@y.example> wrote:\n> Hello")
    message.add_alternative('<p>Can I ask?<img src="https://t.example/a"><img src="http://t.example/b"></p>', "html")
    receive(post, message.as_bytes())
    said = post.workspace.run("replies", "show", "1").out
    assert "[quoted text hidden, --full shows it]" in said
    assert "[2 pictures on other servers not loaded" in said
    assert "quoted text hidden" not in post.workspace.run("replies", "show", "1", "--full").out
    [found] = json.loads(post.workspace.run("replies", "show", "1", "--json").out)["conversation"]["messages"]
    assert found["html_blocked"] == 2 and "t.example" not in found["html"] and found["files"] == []


def test_show_says_how_to_answer_and_that_the_person_has_left(post: Post) -> None:
    from newsletter.audience import subscribing

    receive(post, mail(post.sent_to().reply))
    said = post.workspace.run("replies", "show", "1").out
    assert "Answer    from your own mail program, to ameera@example.net" in said and "has left" not in said
    subscribing.leave("ameera@example.net", ("all-residents",), "page")
    assert "has left every list, the last one on" in post.workspace.run("replies", "show", "1").out


def test_show_says_that_somebody_left_everything_at_once_though_they_stand_on_a_list(post: Post) -> None:
    from newsletter.audience import subscribing

    receive(post, mail(post.sent_to().reply))
    subscribing.leave("ameera@example.net", (), "page")
    assert "gets no mailings since " in (said := post.workspace.run("replies", "show", "1").out)
    assert said.count("unsubscribed") == 1
    assert "gets nothing; on it since" in post.workspace.run("recipients", "show", "ameera@example.net").out


def test_show_warns_that_a_forwarded_copy_was_answered(post: Post) -> None:
    sent = post.sent_to()
    receive(post, mail(sent.reply, sender="Jo <jo@other.example>"))
    ran = post.workspace.run("replies", "show", "1")
    assert "From someone else, via the copy sent to ameera@example.net" in ran.out
    assert "Person " not in ran.out
    assert "(someone else)" in post.workspace.run("replies", "list").out


def test_show_raw_writes_the_bytes_for_our_eyes_only(post: Post) -> None:
    raw = mail(post.sent_to().reply)
    receive(post, raw)
    ran = post.workspace.run("replies", "show", "1", "--raw", "--json")
    [path] = json.loads(ran.out)["raw_files"]
    assert Path(path).read_bytes() == raw
    assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["99", "0", "-1", "abc", "q7", "9" * 30])
def test_an_unknown_number_is_a_problem(post: Post, name: str) -> None:
    ran = post.workspace.run("replies", "show", "--", name)
    assert ran.exit == 2 and "no-such-conversation" in ran.err


def test_what_could_not_be_read_is_listed_and_can_be_saved(post: Post) -> None:
    receive(post, b"\x00\x01\x02\x03" * 50)
    ran = post.workspace.run("replies", "list")
    assert "could not be read" in ran.out and "q1" in ran.out
    assert "Raw " in post.workspace.run("replies", "show", "q1", "--raw").out


def test_the_balance_adds_up_over_every_kind(post: Post) -> None:
    sent = post.sent_to()
    receive(post, mail(sent.reply))
    receive(post, mail(sent.reply))
    receive(post, mail(sent.reply, "away", message_id="<2@x>", Auto_Submitted="auto-replied"))
    receive(post, mail(sent.leave, "unsubscribe", message_id="<3@x>"))
    receive(post, mail(sent.bounce, sender="MAILER-DAEMON@x.example", message_id="<4@x>"), "--recipient", sent.bounce)
    receive(post, b"\x00\x01" * 50)
    ran = post.workspace.run("replies", "balance", "--json")
    found = json.loads(ran.out)
    assert ran.exit == 0 and found["adds_up"]
    assert found["received"] == 6
    for kind in ("person", "duplicate", "auto", "unsubscribe", "bounce", "quarantine"):
        assert found[kind] == 1, kind
    assert "it adds up" in post.workspace.run("replies", "balance").out


def test_a_lost_message_makes_the_balance_fail(post: Post) -> None:
    from newsletter.replies.models import Message

    receive(post, mail(post.sent_to().reply))
    Message.objects.all().delete()
    ran = post.workspace.run("replies", "balance")
    assert ran.exit == 5 and "replies-do-not-add-up" in ran.out


def test_a_lost_key_is_said_above_the_list(post: Post) -> None:
    sent = post.sent_to()
    (post.workspace.root / "var" / "secret.key").unlink()
    assert receive(post, mail(sent.reply)).exit == 0
    assert "1 message came in and could not be sorted yet" in post.workspace.run("replies", "list").out


HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil\u2066\x00 <script>alert(1)</script>"


def test_control_characters_never_reach_the_terminal(post: Post) -> None:
    sent = post.sent_to()
    head = (
        f'From: "{HOSTILE}" <ameera@example.net>\nTo: {sent.reply}\nSubject: Re: {HOSTILE}\n'
        "Message-ID: <5@x>\nContent-Type: text/plain; charset=utf-8\n\n"
    )
    receive(post, (head + f"Hello {HOSTILE}\r\x0bthere").encode())
    for arguments in (("list",), ("show", "1"), ("show", "1", "--full"), ("list", "--json"), ("show", "1", "--json")):
        out = post.workspace.run("replies", *arguments).out
        bad = [letter for letter in out if (ord(letter) < 32 and letter != "\n") or 127 <= ord(letter) < 160]
        assert not bad, (arguments, bad)
        if "--json" not in arguments:
            assert "\u202e" not in out and "\u2066" not in out
    assert "Hello" in post.workspace.run("replies", "show", "1").out


def test_the_list_reads_no_frozen_rendering(post: Post) -> None:
    """Forty replies to one mailing took three seconds: each read 200 KB of JSON that nobody looked at. What was sent is
    read once, for all answers to it."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from newsletter.replies import intake, listing, showing

    sent = post.sent_to()
    intake.accept(mail(sent.reply, message_id="<first@x>"), sent.reply)
    with CaptureQueriesContext(connection) as asked:
        intake.accept(mail(sent.reply, "Another"), sent.reply)
        assert showing.conversation(1)
    with CaptureQueriesContext(connection) as listed:
        assert len(listing.page(post.workspace.config, listing.Filter()).rows) == 1
    read = [query["sql"] or "" for query in listed]  # None: a prepared one of quickly.py
    assert not [sql for sql in (*read, *(query["sql"] or "" for query in asked)) if '"rendered"' in sql]
    assert not [sql for sql in read if '"full_text"' in sql]
