"""Mail in a Maildir: taken once, moved only when it is on our disk, never deleted; one bad file stops no other."""

from __future__ import annotations

import json
import os
from pathlib import Path
from unittest import mock

import pytest

from newsletter.problems import NewsletterError
from tests.replies.conftest import Post, mail


@pytest.fixture
def maildir(post: Post) -> Path:
    """An empty Maildir that newsletter.toml names as `inbox`."""
    folder = post.workspace.root / "mail"
    for name in ("new", "cur", "tmp"):
        (folder / name).mkdir(parents=True)
    post.workspace.toml('[mailboxes.inbox]\nkind = "maildir"\npath = "mail"\n')
    return folder


def put(folder: Path, name: str, raw: bytes, where: str = "new") -> Path:
    """A message as a mail server delivers it: whole in tmp, then renamed."""
    (folder / "tmp" / name).write_bytes(raw)
    return (folder / "tmp" / name).rename(folder / where / name)


def fetch(post: Post):  # type: ignore[no-untyped-def]
    from newsletter.replies import fetching

    return fetching.fetch(post.workspace.config, "inbox")


def counts() -> tuple[int, int]:
    from newsletter import replies

    found = replies.balance()
    assert found["adds_up"]
    return found["person"], found["duplicate"]


def test_a_message_is_taken_in_and_moved_to_cur(post: Post, maildir: Path) -> None:
    from newsletter.replies.models import Conversation

    sent = post.sent_to()
    put(maildir, "1.M1.host", b"Return-Path: <ameera@example.net>\n" + mail(sent.reply))
    assert fetch(post).taken == 1
    assert [path.name for path in (maildir / "cur").iterdir()] == ["1.M1.host:2,S"]
    assert not any((maildir / "new").iterdir())
    assert Conversation.objects.get().delivery == sent.delivery


def test_the_sender_of_the_envelope_comes_from_return_path(post: Post, maildir: Path) -> None:
    from newsletter.replies.models import Raw

    sent = post.sent_to()
    put(maildir, "1.M1.host", b"Return-Path: <>\n" + mail(sent.bounce, sender="x@y.example"))
    fetch(post)
    assert Raw.objects.get().sender == "" and Raw.objects.get().kind == "bounce"


def test_nothing_is_moved_before_it_is_on_our_disk(post: Post, maildir: Path) -> None:
    from django.db import OperationalError

    from newsletter.replies.models import Raw

    path = put(maildir, "1.M1.host", mail(post.sent_to().reply))
    with (
        mock.patch.object(Raw.objects, "create", side_effect=OperationalError("database or disk is full")),
        pytest.raises((NewsletterError, OperationalError)),
    ):
        fetch(post)
    assert path.exists()
    assert fetch(post).taken == 1


def test_a_crash_before_the_move_neither_loses_nor_doubles(post: Post, maildir: Path) -> None:
    path = put(maildir, "1.M1.host", mail(post.sent_to().reply))
    with mock.patch("newsletter.replies.maildir.seen", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        fetch(post)
    assert path.exists()
    fetch(post)
    assert counts() == (1, 0) and not path.exists()


def test_what_a_mail_program_moved_to_cur_is_taken_too_and_only_once(post: Post, maildir: Path) -> None:
    sent = post.sent_to()
    path = put(maildir, "1.M1.host:2,RS", mail(sent.reply), "cur")
    assert fetch(post).taken == 1
    assert fetch(post).taken == 0
    path.rename(path.with_name("1.M1.host:2,FRS"))  # somebody sets a flag
    put(maildir, "2.M1.host", mail(sent.reply, "More", message_id="<2@x>"))
    assert fetch(post).taken == 1
    assert counts() == (2, 0)


def test_one_bad_file_stops_no_other(post: Post, maildir: Path) -> None:
    sent = post.sent_to()
    secret = post.workspace.write("secret", b"Subject: not for you\n\nsecret")
    (maildir / "new" / "0.link").symlink_to(secret)
    (maildir / "new" / "1.folder").mkdir()
    os.mkfifo(maildir / "new" / "2.pipe")
    put(maildir, "3.gone", mail(sent.reply, "Gone"))
    put(maildir, "4.big", b"x" * 2000)
    put(maildir, "9.good", mail(sent.reply, "Help me"))
    from newsletter.replies import intake
    from newsletter.replies import maildir as reading

    real = reading.contents

    def vanishing(path: Path) -> bytes | None:
        if path.name == "3.gone":
            path.unlink()
        return real(path)

    with mock.patch.object(reading, "contents", vanishing), mock.patch.object(intake, "BIGGEST", 1999):
        found = fetch(post)
    assert found.taken == 1 and counts() == (1, 0)
    assert [trouble.split()[0] for trouble in found.trouble] == ["0.link", "1.folder", "2.pipe", "4.big"]
    assert sorted(path.name for path in (maildir / "new").iterdir()) == ["0.link", "1.folder", "2.pipe", "4.big"]


def test_the_same_bytes_in_two_files_are_one_message_and_one_duplicate(post: Post, maildir: Path) -> None:
    raw = mail(post.sent_to().reply)
    put(maildir, "1.M1.host", raw)
    put(maildir, "2.M1.host", raw)
    found = fetch(post)
    assert (found.taken, found.duplicates) == (1, 1) and counts() == (1, 1)


def test_the_same_message_by_pipe_and_by_maildir_is_one_message(post: Post, maildir: Path) -> None:
    """Each way puts Received lines of its own on top, so the bytes differ; the Message-ID and the words do not."""
    from newsletter.replies import intake
    from newsletter.replies.models import Message

    sent = post.sent_to()
    intake.accept(b"Received: from a by b; today\n" + mail(sent.reply), sent.reply, "ameera@example.net", "pipe")
    put(maildir, "1.M1.host", b"Received: from c by d; today\n" + mail(sent.reply))
    found = fetch(post)
    assert (found.taken, found.duplicates) == (0, 1) and counts() == (1, 1)
    assert Message.objects.count() == 1


def test_a_maildir_that_is_none_is_said_and_the_next_mailbox_is_read(post: Post, maildir: Path) -> None:
    put(maildir, "1.M1.host", mail(post.sent_to().reply))
    post.workspace.toml(
        '[mailboxes.lost]\nkind = "maildir"\npath = "nowhere"\n[mailboxes.inbox]\nkind = "maildir"\npath = "mail"\n'
    )
    ran = post.workspace.run("replies", "fetch", "--json")
    found = {one["key"]: one for one in json.loads(ran.out)["mailboxes"]}
    assert ran.exit == 5 and found["inbox"]["taken"] == 1 and "nowhere" in found["lost"]["trouble"][0]


def test_the_command_says_what_it_took(post: Post, maildir: Path) -> None:
    put(maildir, "1.M1.host", mail(post.sent_to().reply))
    ran = post.workspace.run("replies", "fetch", "inbox")
    assert ran.exit == 0 and "inbox: 1 message taken in" in ran.out


@pytest.mark.parametrize("arguments", [("outbox",), ()])
def test_a_mailbox_that_is_not_there_is_a_wrong_use(post: Post, arguments: tuple[str, ...]) -> None:
    if arguments:
        post.workspace.toml('[mailboxes.inbox]\nkind = "maildir"\npath = "mail"\n')
    ran = post.workspace.run("replies", "fetch", *arguments)
    assert ran.exit == 2 and "no-such-mailbox" in ran.err


def test_the_worker_looks_into_it(post: Post, maildir: Path) -> None:
    from newsletter.replies import fetching

    put(maildir, "1.M1.host", mail(post.sent_to().reply))
    assert fetching.in_the_worker(post.workspace.config) == "inbox: 1 taken in"
    assert counts() == (1, 0)


def test_the_worker_says_a_trouble_once(post: Post, maildir: Path) -> None:
    from newsletter.replies import fetching

    (maildir / "new" / "1.folder").mkdir()
    assert "1.folder" in fetching.in_the_worker(post.workspace.config)
    assert fetching.in_the_worker(post.workspace.config) == ""
    (maildir / "new" / "2.folder").mkdir()
    said = fetching.in_the_worker(post.workspace.config)
    assert "2.folder" in said and "1.folder" not in said
