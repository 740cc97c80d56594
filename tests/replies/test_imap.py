"""A real mailbox by IMAP: every message once, whatever happens to the server, the connection or ourselves."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest

from newsletter.problems import NewsletterError
from tests import dovecot
from tests.dovecot import Dovecot
from tests.replies.conftest import Post, mail

pytestmark = pytest.mark.integration
MAILBOX = """\
[mailboxes.inbox]
kind = "imap"
host = "127.0.0.1"
port = {port}
tls = "none"
user = "news@council.example"
password_file = "imap.password"
{more}
"""


@pytest.fixture(scope="module")
def shared_server() -> Iterator[Dovecot]:
    with dovecot.running() as server:
        yield server


@pytest.fixture
def server(shared_server: Dovecot) -> Dovecot:
    """Dovecot with empty folders."""
    shared_server.password(dovecot.PASSWORD)
    with shared_server.client() as client:
        for _, _, name in client.list_folders():
            client.select_folder(name)
            if found := client.search():
                client.delete_messages(found)
                client.expunge()
            client.unselect_folder()
    return shared_server


def use(post: Post, port: int, more: str = "") -> None:
    post.workspace.write("imap.password", dovecot.PASSWORD + "\n")
    post.workspace.toml(MAILBOX.format(port=port, more=more))


def fetch(post: Post):  # type: ignore[no-untyped-def]
    from newsletter.replies import fetching

    return fetching.fetch(post.workspace.config, "inbox")


def counts() -> tuple[int, int]:
    from newsletter import replies

    found = replies.balance()
    assert found["adds_up"]
    return found["person"], found["duplicate"]


def letter(sent, number: int = 1, body: str = "How do I ask for a review?") -> bytes:  # type: ignore[no-untyped-def]
    return mail(sent.reply, f"{body} ({number})", message_id=f"<{number}@mail.example.net>")


def test_a_message_is_taken_in_and_left_as_it_was(post: Post, server: Dovecot) -> None:
    from newsletter.replies.models import Conversation, Raw

    sent = post.sent_to()
    use(post, server.port)
    server.put(letter(sent))
    assert (fetch(post).taken, fetch(post).taken) == (1, 0)
    assert Conversation.objects.get().delivery == sent.delivery
    assert Raw.objects.get().source.startswith("inbox:INBOX:")
    with server.client() as client:
        client.select_folder("INBOX", readonly=True)
        assert client.search("UNSEEN") == client.search("ALL") != []


def test_what_the_provider_took_for_junk_is_read_too(post: Post, server: Dovecot) -> None:
    sent = post.sent_to()
    use(post, server.port)
    server.put(letter(sent), folder="Junk")
    assert fetch(post).taken == 1


def test_the_junk_folder_is_found_under_the_name_that_the_server_gives_it(post: Post) -> None:
    sent = post.sent_to()
    with dovecot.running(junk="Unwanted") as server:
        use(post, server.port)
        server.put(letter(sent), folder="Unwanted")
        fetched = fetch(post)
    assert fetched.taken == 1 and not fetched.trouble


def test_taken_mail_moves_to_the_done_folder_and_what_we_do_not_know_stays(post: Post, server: Dovecot) -> None:
    sent = post.sent_to()
    use(post, server.port, 'done = "Done"')
    server.put(
        letter(sent), mail("news@council.example", "Your invoice", "Shop <shop@example.com>", "Invoice", "<i@s>")
    )
    assert fetch(post).taken == 2
    assert len(server.names("INBOX")) == 1 and len(server.names("Done")) == 1
    assert fetch(post).taken == 0


def test_an_old_mailbox_does_not_become_a_thousand_conversations(post: Post, server: Dovecot) -> None:
    from datetime import UTC, datetime

    sent = post.sent_to()
    use(post, server.port)
    with server.client() as client:
        client.append("INBOX", letter(sent, 1), msg_time=datetime(2019, 5, 1, tzinfo=UTC))
    server.put(letter(sent, 2))
    assert fetch(post).taken == 1


def test_numbered_anew_everything_is_read_again_and_nobody_gets_a_second_conversation(
    post: Post, server: Dovecot
) -> None:
    sent = post.sent_to()
    use(post, server.port)
    server.put(*(letter(sent, number) for number in range(3)))
    assert fetch(post).taken == 3
    server.number_anew(int(time.time()) + 1000)
    fetched = fetch(post)
    assert (fetched.taken, fetched.duplicates) == (0, 3)
    server.put(letter(sent, 9))
    assert fetch(post).taken == 1
    assert counts() == (4, 3)


def test_a_connection_lost_in_the_middle_loses_nothing_and_doubles_nothing(post: Post, server: Dovecot) -> None:
    people = [post.sent_to(f"p{number}@example.net") for number in range(5)]
    server.put(*(letter(person, n, "x" * 70_000) for n, person in enumerate(people)))
    with cutting(server.port, after=200_000) as port:
        use(post, port)
        with mock.patch("newsletter.replies.imap.BATCH", 1), pytest.raises(NewsletterError) as told:
            fetch(post)
    assert told.value.problems[0].code == "imap-broke"
    before = counts()[0]
    assert 0 < before < 5
    use(post, server.port)
    fetch(post)
    assert counts() == (5, 0)


def test_a_wrong_password_is_kept_in_words_and_the_right_one_goes_on(post: Post, server: Dovecot) -> None:
    from newsletter.replies.models import MailboxState

    sent = post.sent_to()
    use(post, server.port)
    assert fetch(post).taken == 0
    server.password("changed at night")
    with pytest.raises(NewsletterError) as told:
        fetch(post)
    assert told.value.problems[0].code == "imap-login" and dovecot.PASSWORD not in str(told.value)
    assert "refused the login" in MailboxState.objects.get(mailbox="inbox", folder="").trouble
    ran = post.workspace.run("replies", "list")
    assert "refused the login" in ran.out + ran.err
    server.password(dovecot.PASSWORD)
    server.put(letter(sent))
    assert fetch(post).taken == 1
    assert MailboxState.objects.get(mailbox="inbox", folder="").trouble == ""
    assert "refused the login" not in post.workspace.run("replies", "list").out


def test_a_thousand_messages_come_in_once_each(post: Post, server: Dovecot) -> None:
    from newsletter.replies.models import Raw

    sent = post.sent_to()
    use(post, server.port)
    with server.client() as client:
        for number in range(1000):
            client.append("INBOX", letter(sent, number))
    with mock.patch("newsletter.replies.intake._sort_or_leave", lambda raw, wait=0: mock.Mock(kind="person")):
        assert fetch(post).taken == 1000
    assert Raw.objects.count() == 1000 == Raw.objects.values("sha256").distinct().count()


def test_killed_in_the_middle_each_message_comes_once(post: Post, server: Dovecot) -> None:
    from newsletter.replies.models import Raw

    people = [post.sent_to(f"p{number}@example.net") for number in range(60)]
    use(post, server.port)
    server.put(*(letter(person, n) for n, person in enumerate(people)))
    command = [sys.executable, "-m", "newsletter", "-C", str(post.workspace.root), "replies", "fetch"]
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, stdout=subprocess.DEVNULL
    )
    until(lambda: Raw.objects.count() >= 10)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert Raw.objects.count() < 60
    assert post.workspace.run("replies", "fetch").exit == 0
    assert counts() == (60, 0)


def test_a_message_that_is_too_large_is_set_aside_with_its_headers(post: Post, server: Dovecot) -> None:
    from newsletter.replies.models import Raw

    sent = post.sent_to()
    use(post, server.port, 'done = "Done"')
    server.put(letter(sent, 1, "y" * 40_000), letter(sent, 2))
    with mock.patch("newsletter.replies.intake.BIGGEST", 30_000):
        fetched = fetch(post)
    assert fetched.taken == 2
    [aside] = Raw.objects.filter(kind="quarantine")
    assert "too big" in aside.reason and b"Message-ID: <1@mail.example.net>" in bytes(aside.data)
    assert len(server.names("INBOX")) == 1, "it must stay where it is whole"


def test_without_encryption_no_password_leaves_this_computer(post: Post) -> None:
    from newsletter.config.inward import Mailbox
    from newsletter.replies.imap_session import opened

    silent = mock.Mock()
    silent.socket.return_value.getpeername.return_value = ("192.0.2.7", 143)
    with (
        mock.patch("newsletter.replies.imap_session.IMAPClient", return_value=silent),
        pytest.raises(NewsletterError) as told,
        opened("inbox", Mailbox(host="mail.example.org", tls="none", user="u", password="p")),
    ):
        raise AssertionError("it must not be open")
    assert told.value.problems[0].code == "imap-tls"
    silent.login.assert_not_called()


def test_a_server_without_starttls_gets_no_password(post: Post, server: Dovecot) -> None:
    use(post, server.port)
    toml = (post.workspace.root / "newsletter.toml").read_text().replace('tls = "none"', 'tls = "starttls"')
    post.workspace.write("newsletter.toml", toml)
    post.workspace.ready()
    with pytest.raises(NewsletterError) as told:
        fetch(post)
    assert told.value.problems[0].code == "imap-tls"


def test_a_token_from_a_file_logs_in_and_one_that_has_expired_is_told(post: Post, server: Dovecot) -> None:
    sent = post.sent_to()
    use(post, server.port, 'auth = "xoauth2"')
    server.put(letter(sent))
    post.workspace.write("imap.password", dovecot.token(-60))
    with pytest.raises(NewsletterError) as told:
        fetch(post)
    assert told.value.problems[0].code == "imap-login"
    post.workspace.write("imap.password", dovecot.token(3600) + "\n")
    assert fetch(post).taken == 1


def test_encrypted_it_reads_and_a_certificate_of_nobody_gets_no_password(
    post: Post, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = post.sent_to()
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout {key} -out {certificate}"
    subprocess.run([*made.split(), "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    with dovecot.running((certificate, key)) as server:
        for port, tls in ((server.tls_port, "implicit"), (server.port, "starttls")):
            use(post, port)
            text = (post.workspace.root / "newsletter.toml").read_text().replace('"127.0.0.1"', '"localhost"')
            post.workspace.write("newsletter.toml", text.replace('tls = "none"', f'tls = "{tls}"'))
            post.workspace.ready()
            monkeypatch.delenv("SSL_CERT_FILE", raising=False)
            with pytest.raises(NewsletterError) as told:
                fetch(post)
            assert told.value.problems[0].code == "imap-certificate"
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            with server.client() as client:
                client.append("INBOX", letter(sent, port))
            assert fetch(post).taken == 1


def test_the_watcher_hears_of_a_message_at_once_and_survives_a_cut(post: Post, server: Dovecot) -> None:
    from newsletter.replies.imap_watching import Watching
    from newsletter.replies.models import Raw

    sent = post.sent_to()
    use(post, server.port)
    watching = Watching(post.workspace.config)
    try:
        watching.ensure()
        until(lambda: watching.idling("inbox"))
        server.put(letter(sent, 1))
        until(lambda: Raw.objects.count() == 1)
        until(lambda: watching.idling("inbox"))
        server.kick()
        server.put(letter(sent, 2))
        until(lambda: Raw.objects.count() == 2)
    finally:
        watching.close()
    assert counts() == (2, 0)


def test_a_password_that_expires_at_night_is_told_once_and_the_watcher_goes_on_when_it_is_right(
    post: Post, server: Dovecot
) -> None:
    from newsletter.replies.imap_watching import Watching
    from newsletter.replies.models import Raw

    sent = post.sent_to()
    use(post, server.port)
    post.workspace.write("imap.password", "of yesterday\n")
    watching = Watching(post.workspace.config)
    told: list[str] = []
    trouble: list[str] = []

    def told_of(words: str) -> bool:
        happened, wrong = watching.ensure()
        told.extend(happened)
        trouble.extend(wrong)
        return any(words in one for one in (*told, *trouble))

    with mock.patch("newsletter.replies.imap_watching.FIRST_PAUSE", 0.05):
        try:
            until(lambda: told_of("refused the login"))
            server.put(letter(sent))
            post.workspace.write("imap.password", dovecot.PASSWORD + "\n")
            until(lambda: told_of("can be read again"))
            until(lambda: Raw.objects.count() == 1)
        finally:
            watching.close()
    assert len(trouble) == 1


def until(seen: Callable[[], bool]) -> None:
    """Until it is so; what is waited for happens in another process or thread."""
    for _ in range(1600):
        if seen():
            return
        time.sleep(0.0125)
    raise AssertionError("it did not happen within 20 s")


@contextmanager
def cutting(port: int, after: int) -> Iterator[int]:
    """A wire to the server that is cut after so many bytes of its answers."""
    listening = socket.create_server(("127.0.0.1", 0))

    def carry() -> None:
        ours, _ = listening.accept()
        theirs = socket.create_connection(("127.0.0.1", port))

        def there() -> None:
            try:
                while data := ours.recv(4096):
                    theirs.sendall(data)
            except OSError:
                pass

        asking = threading.Thread(target=there, daemon=True)
        asking.start()
        left = after
        while left > 0 and (data := theirs.recv(min(4096, left))):
            ours.sendall(data)
            left -= len(data)
        for end in (ours, theirs):
            end.shutdown(socket.SHUT_RDWR)
        asking.join()
        ours.close()
        theirs.close()

    thread = threading.Thread(target=carry, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        thread.join(20)
        listening.close()
