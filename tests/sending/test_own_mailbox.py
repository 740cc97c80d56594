"""A relay that takes mail only from the mailbox that logs in, as Microsoft 365 does."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from newsletter.config import Relay
from newsletter.replies import intake
from newsletter.replies.models import Kind
from newsletter.sending import mailings
from newsletter.sending.drain import How, drain
from newsletter.sending.models import Delivery
from newsletter.sending.transports.connection import Connection
from newsletter.sending.transports.outcome import Accepted
from tests.chaos.faulty import FaultyServer
from tests.sending.made import a_rendered, an_issue
from tests.sending.steps import put
from tests.workspace import Workspace

BOX = "news@council.example"
PEOPLE = tuple(f"person{number}@home.example" for number in range(6))


def strict(server: FaultyServer) -> None:
    """Every other envelope sender is refused; `<>` is taken."""

    def plan(phase: str, recipient: str) -> bytes | None:
        if phase == "mail" and not server.commands[-1].upper().startswith(
            (f"MAIL FROM:<{BOX}>".upper().encode(), b"MAIL FROM:<>")
        ):
            return b"550 5.7.60 SMTP; Client does not have permissions to send as this sender\r\n"
        return None

    server.plan = plan


@pytest.mark.parametrize("pipelining", ["auto", "off"])
def test_a_mailing_leaves_from_it_and_what_comes_back_finds_its_delivery(workspace: Workspace, pipelining: str) -> None:
    workspace.people(*PEOPLE)
    mailing = mailings.approve(workspace.config, {"": a_rendered()}, an_issue())
    mailings.start(mailing)
    with FaultyServer(auth=True) as server:
        strict(server)
        relay = server.relay(pipelining, user=BOX, password="secret", keeps=("message_id",))
        ended = drain(workspace.config, mailing, lambda: Connection(relay))
    assert (ended.how, ended.counts["accepted"]) == (How.DONE, 6), ended.words
    recipient, body = server.mails[0]
    mailings.Mailing.objects.update(state="sending", finished_at=None)
    put("uncertain", recipient)
    verdict = intake.accept(undelivered(recipient, body), BOX, "")
    row = Delivery.objects.get(canonical=recipient)
    assert verdict.kind == Kind.BOUNCE and (row.state, row.proof) == ("accepted", "bounce")


def undelivered(recipient: str, body: bytes) -> bytes:
    """What their mail server writes to the mailbox, with the headers of our mail in it."""
    report = EmailMessage()
    report["From"], report["To"], report["Subject"] = "postmaster@home.example", BOX, "Undeliverable: Is it you?"
    report.set_content(f"Your message to {recipient} could not be delivered: 552 5.2.2 the mailbox is full.")
    report.add_attachment(message_from_bytes(body, policy=policy.default))  # message/rfc822
    return report.as_bytes(policy=policy.SMTP.clone(max_line_length=998))


def test_a_single_mail_leaves_from_it_and_an_automatic_answer_from_nobody() -> None:
    with FaultyServer(auth=True) as server:
        strict(server)
        relay = server.relay(user=BOX, password="secret", keeps=("message_id",))
        with Connection(relay) as connection:
            for sender in ("bounce+x@bounce.council.example", ""):
                assert isinstance(connection.send(sender, PEOPLE[0], b"Subject: x\r\n\r\nx\r\n"), Accepted)
        said = [line for line in server.commands if line.startswith(b"MAIL")]
    assert [line.split()[1] for line in said] == [f"FROM:<{BOX}>".encode(), b"FROM:<>"]


@pytest.mark.parametrize(
    ("facts", "sender"),
    [
        ({"user": BOX, "keeps": ("message_id",)}, BOX),
        ({"user": BOX}, ""),  # it keeps ours
        ({"user": "AKIAEXAMPLE", "keeps": ()}, ""),  # a user that is no mailbox: it writes one of its own
    ],
)
def test_only_where_a_relay_replaces_ours_and_the_login_is_a_mailbox(facts: dict[str, object], sender: str) -> None:
    assert Relay(host="h", **facts).own_sender == sender  # type: ignore[arg-type]
