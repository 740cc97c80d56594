"""The process that reads for us: within its limits, replaced after a failure, and unable to make us do anything."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from newsletter.mail import child
from newsletter.mail.incoming import Incoming
from newsletter.problems import NewsletterError
from newsletter.replies import reader, reading
from newsletter.replies.reader import Reader, Unreadable
from tests.conftest import ROOT
from tests.replies.conftest import Post, mail

# The same start, with the tricks for tasks and less patience; -I keeps the tests' folder out unless it is said.
TRICKS = """
import sys
sys.path[:0] = [sys.argv[1], {root!r}]
from newsletter.mail import child
child.TASKS.update(play="tests.replies.tricks:play", read="tests.replies.tricks:read")
child.CPU = 1
child.main()
"""


@pytest.fixture
def tricked() -> Iterator[None]:
    """From here on the reading process knows the tricks."""
    reading.end()
    with mock.patch.object(reader, "START", TRICKS.format(root=str(ROOT))):
        yield
        reading.end()


@pytest.fixture
def play(tricked: None) -> Iterator[Reader]:
    mine = Reader()
    yield mine
    mine.end()


def do(mine: Reader, word: str, **arguments: object) -> object:
    return mine.run("play", word.encode(), arguments)


def test_one_process_reads_many_messages(play: Reader) -> None:
    assert len({do(play, "PID") for _ in range(20)}) == 1
    assert do(play, "PID") != os.getpid()


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("SPIN", "took more than 1 seconds of the processor"),
        ("SLEEP", "took more than 2 seconds"),
        ("HOARD", "took more than 512 MB of memory"),
        ("DIE", "ended the reading process (signal 11)"),
        ("FAIL", "failed (RecursionError)"),
        ("EVIL", "gave back what it must not (UnpicklingError)"),
        ("STRANGER", "gave back what it must not (UnpicklingError)"),
    ],
)
def test_what_goes_over_a_limit_is_ended_and_the_next_is_read_by_another(play: Reader, word: str, why: str) -> None:
    before = do(play, "PID")
    play._wall = 2.0 if word == "SLEEP" else child.WALL
    with mock.patch.object(child, "CPU", 1), pytest.raises(Unreadable) as error:
        do(play, word)
    assert str(error.value) == why
    play._wall = child.WALL
    assert do(play, "PID") != before
    assert not Path("/tmp/should-never-be-there").exists()


def test_the_limits_are_those_that_the_design_names() -> None:
    assert (child.MEMORY, child.CPU, child.WALL) == (512 * 1024 * 1024, 10, 20)


def test_what_is_printed_there_spoils_no_answer(play: Reader) -> None:
    assert do(play, "PRINT") == "printed"
    assert do(play, "x", a=(1, "b", b"c", {"d": None})) == {"a": (1, "b", b"c", {"d": None})}


def test_it_gets_no_secret_of_ours_and_can_write_no_file(play: Reader, tmp_path: Path) -> None:
    with mock.patch.dict(os.environ, {"NEWSLETTER_DATABASE__PASSWORD": "secret"}):
        found = do(play, "SECRETS")
    assert isinstance(found, list) and set(found) <= {"PATH", "LC_ALL", "LC_CTYPE"}
    with pytest.raises(Unreadable):
        do(play, "WRITE", path=str(tmp_path / "file"))
    assert not (tmp_path / "file").exists() or (tmp_path / "file").read_bytes() == b""


def test_it_knows_no_django(play: Reader) -> None:
    command = [reader.sys.executable, "-I", "-c", "import sys; sys.path.insert(0, sys.argv[1])\n"]
    command[-1] += "from newsletter.mail import child\nfor place in child.TASKS.values(): child._function(place)\n"
    command[-1] += "print([name for name in sys.modules if name.startswith(('django', 'newsletter.config'))])"
    done = reader.subprocess.run([*command, str(ROOT)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_process_that_died_meanwhile_is_no_message_s_fault(play: Reader) -> None:
    number = do(play, "PID")
    assert isinstance(number, int)
    os.kill(number, 9)
    while play._process and play._process.poll() is None:
        time.sleep(0.001)
    assert do(play, "x") == Incoming(text="read")


def test_a_process_that_cannot_be_started_is_said(play: Reader) -> None:
    with mock.patch.object(reader, "START", "raise SystemExit(1)"), pytest.raises(NewsletterError) as error:
        do(play, "x")
    assert error.value.problems[0].code == "no-reader"


def test_a_forked_process_has_a_reader_of_its_own() -> None:
    reading.read(b"From: a@b.example\n\nx")
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if reading.read(b"Subject: child\n\nx").subject == "child" else 1
            reading.end()
        finally:
            os._exit(code)
    for _ in range(50):
        assert reading.read(b"Subject: parent\n\nx").subject == "parent"
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("SPIN", "reading it took more than 10 seconds of the processor"),
        ("DIE", "reading it ended the reading process (signal 11)"),
        ("FAIL", "reading it failed (RecursionError)"),
    ],
)
def test_a_message_that_harms_its_reader_twice_is_set_aside_with_the_reason(
    post: Post, tricked: None, word: str, why: str
) -> None:
    from newsletter import replies
    from newsletter.replies import intake
    from newsletter.replies.models import Raw

    sent = post.sent_to()
    verdict = intake.accept(mail(sent.reply, word), sent.reply)
    assert (verdict.kind, verdict.reason) == ("quarantine", why)
    assert Raw.objects.get().attempts == 2
    assert intake.accept(mail(sent.reply, "Help me", message_id="<2@x>"), sent.reply).kind == "person"
    assert replies.balance()["adds_up"]
    assert why in post.workspace.run("replies", "list").out


def test_where_no_reader_can_be_started_the_message_waits_unread_and_blameless(post: Post) -> None:
    from newsletter.replies import intake
    from newsletter.replies.models import Raw

    sent = post.sent_to()
    reading.end()
    for _ in range(3):
        with mock.patch.object(reader, "START", "raise SystemExit(1)"):
            verdict = intake.accept(mail(sent.reply), sent.reply)
            assert verdict.kind in ("", "duplicate")
    assert Raw.objects.get(kind="").attempts == 0
    assert intake.finish_unread() == 0
    assert Raw.objects.filter(kind="person").count() == 1


def test_a_locked_database_is_no_fault_of_the_message(post: Post) -> None:
    from django.db import OperationalError

    from newsletter.replies import intake, sorting

    sent = post.sent_to()
    with mock.patch.object(sorting, "sort", side_effect=OperationalError("database is locked")):
        for _ in range(4):
            intake.accept(mail(sent.reply), sent.reply)
    assert intake.finish_unread() == 0
    from newsletter.replies.models import Raw

    assert Raw.objects.filter(kind="person").count() == 1


def test_the_worker_sorts_what_was_left_unread(post: Post) -> None:
    from newsletter.replies import chores, intake
    from newsletter.replies.models import Raw

    sent = post.sent_to()
    intake.store(mail(sent.reply), sent.reply, "ameera@example.net", "lmtp")  # and then its process was killed
    assert chores.unread(post.workspace.config) == ""
    assert Raw.objects.get().kind == "person"
