"""A real Postfix in front of us, set up as docs/how-to/receive-replies-with-postfix.md says: by LMTP and by pipe."""

from __future__ import annotations

import json
import smtplib
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest

from tests.postfix import Postfix, postfix
from tests.replies.conftest import Post, mail
from tests.replies.speaking import all_sorted, until
from tests.sending.servers import Sink

pytestmark = pytest.mark.integration
DOMAINS = ("reply.council.example", "bounce.council.example")
# What the how-to says, with a place of the test's own. The relayhost is where refusals go: back to their senders.
# Where a message is due again within a second, Postfix 3.7 may skip it ("still being delivered") and then forget it
# until it is started anew.
LEAD = """
relay_domains = reply.council.example, bounce.council.example
transport_maps = inline:{{ reply.council.example={way}, bounce.council.example={way} }}
lmtp_destination_concurrency_limit = 5
newsletter_destination_recipient_limit = 1
smtputf8_enable = no
fast_flush_domains =
minimal_backoff_time = 3s
maximal_backoff_time = 4s
"""
PIPE = """\
newsletter unix - n n - 4 pipe
  flags=RO user=nobody null_sender= size=52428800
  argv=/usr/bin/perl {script} {socket} ${{recipient}} ${{sender}}
"""
# Postfix's pipe changes to another user, who may not be allowed to reach this checkout's interpreter; so a few lines
# carry what Postfix gives to the test, and the exit code of the real command back.
CARRIER = r"""
use IO::Socket::UNIX; my $to = IO::Socket::UNIX->new(Peer => shift, Type => SOCK_STREAM) or exit 75;
local $/; my $mail = <STDIN>; print $to join("\0", $ARGV[0], $ARGV[1] // ""), "\n", $mail; $to->shutdown(1);
my $code = <$to>; exit($code eq "" ? 75 : $code);
"""


def put_in(hop: Postfix, raw: bytes, *recipients: str, sender: str = "ameera@example.net") -> None:
    with smtplib.SMTP("127.0.0.1", hop.port, timeout=30) as client:
        assert client.sendmail(sender, list(recipients), raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")) == {}


def kinds() -> dict[str, str]:
    """Recipient → kind of everything that came in."""
    from newsletter.replies.models import Raw

    until(all_sorted)
    return dict(Raw.objects.values_list("recipient", "kind"))


def test_by_lmtp_answers_and_bounces_come_in_and_a_refusal_is_told_to_the_writer(post: Post) -> None:
    from newsletter.replies.lmtp_server import Server
    from newsletter.replies.models import Message

    sent, other = post.sent_to(), post.sent_to("other@example.net")
    with Server(post.workspace.config, "127.0.0.1:0") as server, Sink() as back:
        with postfix(back.port, LEAD.format(way=f"lmtp:inet:{server.place}")) as hop:
            put_in(hop, mail(sent.reply, "Help me\n.\n..\nplease"), sent.reply)
            put_in(hop, mail(other.bounce, "No such user", "MAILER-DAEMON@x.example"), other.bounce, sender="")
            put_in(hop, mail(sent.leave, "", message_id="<3@x>"), sent.leave)
            put_in(
                hop, mail("someone@reply.council.example"), "someone@reply.council.example", sender="jo@home.example"
            )
            hop.until_empty()
        returned = back.mails[0] if back.mails else None
        assert kinds() == {sent.reply: "person", other.bounce: "bounce", sent.leave: "unsubscribe"}
    assert Message.objects.get().full_text == "Help me\n.\n..\nplease"
    assert list(back.copies()) == ["jo@home.example"] and "press reply" in str(returned)


def test_by_lmtp_what_we_could_not_keep_comes_again_and_is_there_once(post: Post) -> None:
    """The server is away, then its database fails, then it is well."""
    from newsletter import replies
    from newsletter.replies import intake
    from newsletter.replies.lmtp_server import Server

    sent = post.sent_to()
    real, tries = intake.store, []

    def store(*arguments: object) -> object:
        tries.append(1)
        if len(tries) < 3:
            raise RuntimeError("boom")
        return real(*arguments)  # type: ignore[arg-type]

    with (
        tempfile.TemporaryDirectory(dir="/tmp") as name,
        Sink() as back,
        postfix(back.port, LEAD.format(way=f"lmtp:unix:{name}/lmtp.sock")) as hop,
        mock.patch.object(intake, "store", store),
    ):
        Path(name).chmod(0o755)  # Postfix's user must get through
        put_in(hop, mail(sent.reply, "Help me"), sent.reply)
        until(lambda: "status=deferred" in hop.log.read_text())
        with Server(post.workspace.config, f"{name}/lmtp.sock"):
            hop.until_empty()
            assert kinds() == {sent.reply: "person"}
    found = replies.balance()
    assert len(tries) == 3 and found["received"] == 1 and found["adds_up"]
    assert not back.copies()


@contextmanager
def carried(post: Post, folder: Path) -> Iterator[tuple[Path, Path, list[int]]]:
    """The script for Postfix's pipe, its socket, and the exit codes of the real command, as they come."""
    codes: list[int] = []
    command = [sys.executable, "-m", "newsletter", "-C", str(post.workspace.root), "replies", "receive"]

    class Carry(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            recipient, _, sender = self.rfile.readline().decode().rstrip("\n").partition("\0")
            more = ["--recipient", recipient, "--sender", sender]
            done = subprocess.run([*command, *more], input=self.rfile.read(), capture_output=True, check=False)
            codes.append(done.returncode)
            self.wfile.write(str(done.returncode).encode())

    script, place = folder / "carry.pl", folder / "carry.sock"
    script.write_text(CARRIER)
    with socketserver.ThreadingUnixStreamServer(str(place), Carry) as server:
        place.chmod(0o666)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield script, place, codes
        finally:
            server.shutdown()
            thread.join()


def test_by_pipe_answers_come_in_and_a_fault_of_ours_is_tried_again(post: Post) -> None:
    from django.db import connection

    from newsletter import replies

    sent = post.sent_to()
    connection.close()
    key = post.workspace.root / "newsletter.toml"
    settings = key.read_text()
    with tempfile.TemporaryDirectory(dir="/tmp") as name, Sink() as back:
        Path(name).chmod(0o755)
        with carried(post, Path(name)) as (script, place, codes):
            more = PIPE.format(script=script, socket=place)
            with postfix(back.port, LEAD.format(way="newsletter:"), more) as hop:
                key.write_text("[site\n")
                put_in(hop, mail(sent.reply, "Help me"), sent.reply)
                until(lambda: 75 in codes)
                key.write_text(settings)
                put_in(hop, mail(sent.bounce, "No such user", "MAILER-DAEMON@x.example"), sent.bounce, sender="")
                hop.until_empty()
    assert kinds() == {sent.reply: "person", sent.bounce: "bounce"}
    assert set(codes) == {0, 75} and not back.copies()
    assert json.loads(post.workspace.run("replies", "balance", "--json").out)["adds_up"]
    assert replies.balance()["received"] == 2
