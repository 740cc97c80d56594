"""LMTP: 250 only for what is on our disk, refusals only for what can be no address of ours, nothing smuggled."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from newsletter.problems import NewsletterError
from tests.chaos.test_disk import fill, small_disk  # noqa: F401 (a fixture)
from tests.conftest import ROOT
from tests.replies.conftest import Post, mail
from tests.replies.speaking import Peer, all_sorted, until
from tests.workspace import Workspace


@pytest.fixture
def place(post: Post) -> Iterator[str]:
    """A server of this workspace, listening."""
    from newsletter.replies.lmtp_server import Server

    with Server(post.workspace.config, "127.0.0.1:0") as server:
        yield server.place


def forged(reply: str, number: int = 0) -> str:
    token = reply.split("+")[1].split("@")[0]
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    other = token[:-2] + letters[number % 32] + letters[(letters.index(token[-1]) + 1 + number // 32) % 32]
    return reply.replace(token, other if other != token else token[:-1] + "a")


def people() -> list[str]:
    from newsletter.replies.models import Message

    until(all_sorted)
    return list(Message.objects.order_by("raw_id").values_list("new_words", flat=True))


def test_a_message_is_kept_answered_and_then_sorted(post: Post, place: str) -> None:
    from newsletter.replies.models import Conversation, Raw

    sent = post.sent_to()
    with Peer(place) as peer:
        assert peer.greeting == "220 reply.council.example LMTP"
        assert "SIZE 52428800" in peer.hello and "SMTPUTF8" in peer.hello
        assert peer.send(mail(sent.reply, "Help me"), sent.reply) == ["250 2.0.0 Kept"]
        assert Raw.objects.count() == 1
        assert peer.say("QUIT").startswith("221")
    assert people() == ["Help me"]
    assert Conversation.objects.get().delivery == sent.delivery
    assert Raw.objects.get().channel == "lmtp"


def test_every_recipient_has_an_answer_of_its_own(post: Post, place: str) -> None:
    from newsletter.replies import intake

    one, two = post.sent_to(), post.sent_to("other@example.net")
    real = intake.store

    def store(raw: bytes, recipient: str, *more: str) -> object:
        if recipient == one.reply:
            raise RuntimeError("boom")
        return real(raw, recipient, *more)

    with Peer(place) as peer, mock.patch.object(intake, "store", store):
        assert peer.begin(one.reply, "x@elsewhere.example", two.reply)[1:] == [
            "250 2.1.5 Ok",
            mock.ANY,
            "250 2.1.5 Ok",
            "354 End with CR LF . CR LF",
        ]
        peer.raw(b"Subject: Re: hello\r\n\r\nHelp me\r\n.\r\n")
        assert [peer.answer()[:3], peer.answer()[:3]] == ["451", "250"]
    assert people() == ["Help me"]


@pytest.mark.parametrize(
    "address",
    ["news@council.example", "reply+abc@reply.council.example", "someone@reply.council.example", "x@elsewhere.example"],
)
def test_only_what_can_be_no_address_of_ours_is_refused_in_plain_words(post: Post, address: str) -> None:
    from newsletter.replies.lmtp_server import Server
    from tests.workspace import TOML

    base = TOML.replace("[site]", '[site]\nurl = "https://news.council.example"')
    with Server(post.workspace.toml("", base), "127.0.0.1:0") as server, Peer(server.place) as peer:
        peer.say("MAIL FROM:<a@b.example>")
        said = peer.say(f"RCPT TO:<{address}>")
        assert said.startswith("550 5.") and "https://news.council.example/r/" in said and "press reply" in said
        assert peer.say("DATA").startswith("503")


@pytest.mark.parametrize("local", ["postmaster", "Abuse"])
def test_postmaster_and_abuse_are_always_heard(post: Post, place: str, local: str) -> None:
    with Peer(place) as peer:
        to = f"{local}@reply.council.example"
        assert peer.send(mail(to, "Your server is open"), to) == ["250 2.0.0 Kept"]
    assert people() == ["Your server is open"]


def test_the_shared_mailbox_is_an_address_of_ours(post: Post) -> None:
    from newsletter.replies.lmtp_server import Server

    config = post.workspace.toml('[replies]\nmode = "shared"\nmailbox = "team@council.example"\n')
    with Server(config, "127.0.0.1:0") as server, Peer(server.place) as peer:
        assert peer.send(mail("team@council.example"), "Team@council.example") == ["250 2.0.0 Kept"]


def test_a_forged_token_with_a_real_plea_is_taken(post: Post, place: str) -> None:
    from newsletter.replies.models import Conversation

    wrong = forged(post.sent_to().reply)
    with Peer(place) as peer:
        assert peer.send(mail(wrong, "He hits me"), wrong) == ["250 2.0.0 Kept"]
    assert people() == ["He hits me"]
    assert not Conversation.objects.get().verified


def test_a_flood_of_forged_tokens_is_held_back_and_an_honest_one_goes_through(post: Post) -> None:
    from newsletter.replies.door import FORGED_A_MINUTE, Door

    now = 0.0
    sent = post.sent_to()
    door = Door(post.workspace.config, lambda: None, lambda: now)
    said = [door.recipient(forged(sent.reply, number))[:3] for number in range(FORGED_A_MINUTE + 5)]
    assert said == ["250"] * FORGED_A_MINUTE + ["450"] * 5
    assert door.recipient(sent.reply).startswith("250")
    now = 61.0
    assert door.recipient(forged(sent.reply)).startswith("250")


def test_without_the_key_everything_of_our_shape_is_kept(post: Post, place: str) -> None:
    sent = post.sent_to()
    key = post.workspace.root / "var" / "secret.key"
    kept = key.rename(key.with_name("elsewhere"))
    with Peer(place) as peer:
        assert peer.send(mail(sent.reply), sent.reply) == ["250 2.0.0 Kept"]
    kept.rename(key)
    assert people() == ["How do I ask for a case review?"]


def test_a_message_ends_only_at_its_end(post: Post, place: str) -> None:
    """CVE-2023-51764 and its kin: none of these begins a second message."""
    from newsletter.replies.models import Raw

    sent = post.sent_to()
    inner = f"MAIL FROM:<b@c.example>\r\nRCPT TO:<{sent.reply}>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n".encode()
    ends = [
        b"\n.\n",
        b"\n.\r\n",
        b"\r\n.\n",
        b"\r.\r",
        b"\r\n.\r",
        b"\r\r\n.\n",
        b"\n.\r\r\n",
        b"\r\n\0.\r\n",
        b"\r.\r\n",
    ]
    with Peer(place) as peer:
        for number, end in enumerate(ends):
            assert peer.begin(sent.reply)[-1].startswith("354")
            peer.raw(b"Subject: %d\r\n\r\nx" % number + end + inner + b"\r\n.\r\n")
            assert peer.answer() == "250 2.0.0 Kept", end
            assert peer.say("NOOP") == "250 2.0.0 Ok", end
    assert Raw.objects.count() == len(ends)
    for number, end in enumerate(ends):
        data = bytes(Raw.objects.get(pk=number + 1).data) if Raw.objects.filter(pk=number + 1).exists() else b""
        assert inner.rstrip() in data.replace(b"\n..", b"\n.") and data.startswith(b"Subject: %d" % number), end


def test_a_command_ended_by_a_lone_line_feed_ends_the_connection(post: Post, place: str) -> None:
    with Peer(place) as peer:
        assert peer.say(b"NOOP\nNOOP\r\n").startswith("500")
        assert peer.answer() == ""
    with Peer(place) as peer:
        assert peer.say(b"NOOP " + b"x" * 5000 + b"\r\n").startswith("500")


def test_dots_are_undone_and_every_other_byte_stays(post: Post, place: str) -> None:
    from newsletter.replies.models import Raw

    sent = post.sent_to()
    raw = b"Subject: x\r\n\r\n.one dot\r\n..two\r\n\xff\x00\r lone\n.feed\r\n" + b"long " * 50_000 + b"\r\n"
    with Peer(place) as peer:
        peer.begin(sent.reply)
        peer.raw(raw.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        assert peer.answer() == "250 2.0.0 Kept"
    assert bytes(Raw.objects.get().data) == raw


def test_commands_sent_all_at_once_are_answered_in_order(post: Post, place: str) -> None:
    sent = post.sent_to()
    with Peer(place, hello=False) as peer:
        peer.raw(f"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<{sent.bounce}>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n".encode())
        assert [peer.answer()[:3] for _ in range(5)] == ["250", "250", "250", "550", "354"]
        peer.raw(b"Subject: Undelivered\r\n\r\nx\r\n.\r\nQUIT\r\n")
        assert [peer.answer()[:3] for _ in range(2)] == ["250", "221"]
    until(all_sorted)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("EHLO x", "500"),
        ("WHAT", "500"),
        ("RCPT TO:<a@b>", "503"),
        ("DATA", "503"),
        ("MAIL TO:<a>", "501"),
        ("MAIL FROM:a@b", "501"),
        ("MAIL FROM:<a@b> SIZE=99999999999", "552"),
        ("VRFY x", "252"),
        ("RSET", "250"),
        ("", "500"),
        ("MAIL FROM:<é@übung.example> SMTPUTF8", "250"),
        ('MAIL FROM:<"a > b"@c.example>', "250"),
    ],
)
def test_a_command_has_its_answer(post: Post, place: str, line: str, code: str) -> None:
    with Peer(place) as peer:
        assert peer.say(line)[:3] == code


def test_a_sender_beyond_ascii_is_kept_as_it_is(post: Post, place: str) -> None:
    from newsletter.replies.models import Raw

    sent = post.sent_to()
    with Peer(place) as peer:
        assert peer.send("Subject: Grüße\n\nHallo".encode(), sent.reply, sender="jürgen@übung.example")[0][:3] == "250"
    assert Raw.objects.get().sender == "jürgen@übung.example"


def test_what_is_too_big_is_told_after_its_end_and_the_next_message_is_taken(post: Post, place: str) -> None:
    from newsletter.replies import lmtp

    sent = post.sent_to()
    with mock.patch.object(lmtp, "BIGGEST", 5000), Peer(place) as peer:
        assert peer.send(mail(sent.reply, "x" * 6000), sent.reply)[0].startswith("552 5.3.4")
        assert peer.send(mail(sent.reply, "Help me"), sent.reply) == ["250 2.0.0 Kept"]
    assert people() == ["Help me"]


def test_whoever_only_makes_mistakes_is_sent_away(post: Post, place: str) -> None:
    with Peer(place) as peer:
        said = [peer.say("WHAT")[:3] for _ in range(20)]
        assert set(said) == {"500"} and peer.answer().startswith("421")


def test_a_connection_that_ends_in_the_middle_leaves_nothing(post: Post, place: str) -> None:
    from newsletter.replies.models import Raw

    sent = post.sent_to()
    with Peer(place) as peer:
        peer.begin(sent.reply)
        peer.raw(b"Subject: half\r\n\r\nHel")
    with Peer(place) as peer:
        assert peer.say("NOOP")[:3] == "250"
    assert Raw.objects.count() == 0


@pytest.mark.parametrize(
    ("point", "rows"), [("before store", 1), ("after store", 2), ("before read", 2), ("before sort", 2)]
)
def test_killed_at_any_moment_the_mail_server_tries_again_and_it_is_there_once(
    post: Post, point: str, rows: int
) -> None:
    from django.db import connection

    from newsletter import replies

    sent = post.sent_to()
    connection.close()
    raw = mail(sent.reply, "Help me")
    answers = []
    for moment in (point, ""):
        command = [sys.executable, "-m", "tests.replies.lmtp_victim", str(post.workspace.root), moment]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            with Peer(process.stdout.readline().strip()) as peer:
                try:
                    answers += peer.send(raw, sent.reply)
                except OSError:
                    answers.append("")
                if moment:
                    assert process.wait(30) == -signal.SIGKILL
                else:
                    until(all_sorted)
            process.kill()
    assert answers[-1].startswith("250")
    assert people() == ["Help me"]
    found = replies.balance()
    assert found["adds_up"] and found["person"] == 1 and found["received"] == rows
    if point.endswith("store"):
        assert answers[0] == ""


@pytest.mark.sqlite
def test_a_locked_database_leaves_the_message_with_the_mail_server(post: Post, place: str) -> None:
    from django.db import connection, connections

    sent = post.sent_to()
    with mock.patch.dict(connections.databases["default"]["OPTIONS"], timeout=0.1), Peer(place) as peer:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            assert peer.send(mail(sent.reply), sent.reply)[0].startswith("452 4.3.2")
            cursor.execute("ROLLBACK")
        assert peer.send(mail(sent.reply), sent.reply) == ["250 2.0.0 Kept"]
    until(all_sorted)


def test_a_database_whose_disk_is_full_is_said_as_that_on_either(post: Post, place: str) -> None:
    """452 and not 451: the mail server's log then says what its own postmaster can see to."""
    from django.db import connection

    from newsletter.replies import intake

    store = intake.store

    def full(raw: bytes, *where: str) -> object:
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END $$")
            cursor.execute("PRAGMA page_count")
            cursor.execute(f"PRAGMA max_page_count = {cursor.fetchone()[0]}")  # as large as it may become
            try:
                return store(raw * 10_000, *where)
            finally:
                cursor.execute("PRAGMA max_page_count = 1073741823")

    sent = post.sent_to()
    with Peer(place) as peer:
        with mock.patch.object(intake, "store", full):
            assert peer.send(mail(sent.reply), sent.reply)[0].startswith("452 4.3.1")
        assert peer.send(mail(sent.reply), sent.reply) == ["250 2.0.0 Kept"]
    until(all_sorted)


@pytest.mark.integration
@pytest.mark.sqlite
def test_a_full_disk_leaves_the_message_with_the_mail_server(post: Post, small_disk: Path) -> None:  # noqa: F811
    from newsletter.replies.lmtp_server import Server

    sent = post.sent_to()
    raw = mail(sent.reply, "Help me\n" * 1000)
    with Server(post.workspace.config, "127.0.0.1:0") as server, Peer(server.place) as peer:
        fill(small_disk)
        said = [peer.send(raw + b"%d" % number, sent.reply)[0] for number in range(10)]
        assert said[-1].startswith("452 4.3.1")
        (small_disk / "filler").unlink()
        assert peer.send(raw + b"9", sent.reply)[0].startswith("250")
        until(all_sorted)


def test_it_listens_at_a_socket_too_and_takes_the_place_of_a_dead_server(workspace: Workspace) -> None:
    from newsletter.replies.lmtp_server import Server

    for _ in range(2):
        with Server(workspace.config, "var/lmtp.sock") as server, Peer(server.place) as peer:
            assert peer.say("NOOP")[:3] == "250"
            with pytest.raises(NewsletterError) as taken:
                Server(workspace.config, "var/lmtp.sock").start()
            assert taken.value.problems[0].code == "port-taken"
        with mock.patch.object(Path, "unlink"), Server(workspace.config, "var/lmtp.sock"):
            pass  # the server dies, and its socket stays


@pytest.mark.parametrize(
    ("place", "code"), [("0.0.0.0:0", "lmtp-not-local"), ("mail.example:24", "lmtp-not-local"), ("8024", "bad-value")]
)
def test_it_never_listens_where_others_could_reach_it(workspace: Workspace, place: str, code: str) -> None:
    from newsletter.replies.lmtp_server import Server

    with pytest.raises(NewsletterError) as refused:
        Server(workspace.config, place).start()
    assert refused.value.problems[0].code == code


def test_the_worker_listens_where_it_is_configured_and_says_once_what_is_in_the_way(post: Post) -> None:
    from newsletter.replies.listening import EVERY, Listening

    now = 0.0
    config = post.workspace.toml('[mailboxes.door]\nkind = "lmtp"\nlisten = "var/lmtp.sock"\n')
    first, second = Listening(config, lambda: now), Listening(config, lambda: now)
    try:
        [begun], trouble = first.ensure()
        assert "by LMTP at" in begun and not trouble
        assert len(second.ensure()[1]) == 1
        now += EVERY
        assert second.ensure() == ([], [])
        first.close()
        now += EVERY
        assert len(second.ensure()[0]) == 1
    finally:
        first.close()
        second.close()


def test_the_command_serves_until_it_is_told_to_end(post: Post) -> None:
    from django.db import connection

    sent = post.sent_to()
    connection.close()
    command = [sys.executable, "-m", "newsletter", "-C", str(post.workspace.root), "replies", "serve"]
    with subprocess.Popen([*command, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        with Peer(process.stdout.readline().split()[-1]) as peer:
            assert peer.send(mail(sent.reply, "Help me"), sent.reply) == ["250 2.0.0 Kept"]
        until(all_sorted)
        process.terminate()
        assert process.wait(30) == 0
    assert people() == ["Help me"]
