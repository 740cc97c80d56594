"""The desk shows exactly the mail that the person was sent, byte for byte."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from newsletter.sending import mailings
from newsletter.sending.drain import drain
from newsletter.sending.models import Delivery, Mailing
from newsletter.sending.transports.connection import Connection
from tests.replies.conftest import Post, mail
from tests.sending.made import a_rendered, an_issue
from tests.sending.servers import Sink
from tests.workspace import Workspace


def test_the_copy_is_the_bytes_that_left(workspace: Workspace) -> None:
    from newsletter.mail.tokens import Keyring, Purpose, address
    from newsletter.replies import intake

    workspace.people("ameera@example.net", first_name="Ameera")
    mailings.start(mailings.approve(workspace.config, {"": a_rendered()}, an_issue()))
    with Sink() as sink:
        drain(workspace.config, Mailing.objects.get(), lambda: Connection(sink.relay))
    [(_, _, left)] = sink.mails
    delivery = Delivery.objects.get()
    keyring = Keyring.load(workspace.root / "var" / "secret.key")
    to = address("reply", keyring.make(Purpose.REPLY, bytes(delivery.token)), "reply.council.example")
    intake.accept(mail(to), to)
    ran = workspace.run("replies", "show", "1", "--copy", "--json")
    path = Path(json.loads(ran.out)["copy"])
    assert path.read_bytes().replace(b"\r\n..", b"\r\n.") == left.replace(b"\r\n..", b"\r\n.")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_where_no_copy_is_known_that_is_said(post: Post) -> None:
    from newsletter.replies import intake

    intake.accept(mail("team@council.example"), "team@council.example")
    assert "nothing shows which mail" in post.workspace.run("replies", "show", "1", "--copy").out
