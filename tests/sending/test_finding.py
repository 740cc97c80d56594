"""A relay that replaces Message-ID and Date: settlement, bounces and replies still find their delivery."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage

import pytest

from newsletter.config import Relay
from newsletter.mail.tokens import Keyring, Purpose
from newsletter.replies import intake
from newsletter.replies.models import Bounce, Kind, Raw
from newsletter.sending import finding, laws, mailings, settling
from newsletter.sending.drain import drain
from newsletter.sending.mail_log import Evidence, Reader
from newsletter.sending.models import Delivery, Mailing
from newsletter.sending.transports.connection import Connection
from newsletter.sending.ways import plain
from tests.sending.made import a_rendered, an_issue
from tests.sending.replacing import Replacing
from tests.sending.steps import put
from tests.workspace import TOML, Workspace

SES = """\
transport = "smtp"
[relays.ses]
host = "127.0.0.1"
keeps = ["envelope_sender"]
"""
PEOPLE = ("ann@home.example", "bob@home.example")


@pytest.fixture
def sent(workspace: Workspace) -> tuple[Mailing, dict[str, EmailMessage]]:
    """Two people whose mail went through the relay; what they have in their mailboxes."""
    workspace.toml(SES, TOML.replace("[site]\n", '[site]\nurl = "https://council.example"\n'))
    workspace.people(*PEOPLE)
    mailing = mailings.approve(workspace.config, {"": a_rendered()}, an_issue())
    mailings.start(mailing)
    with Replacing() as relay:
        here = Relay(host="127.0.0.1", port=relay.port)
        way = plain(lambda: Connection(here), 1, "ses")
        drain(workspace.config, mailing, lambda: Connection(here), ways=way)
    mailing.refresh_from_db()
    assert mailing.state == "finished"
    return mailing, dict(relay.mails)


def answer(mail: EmailMessage, to: str, sender: str = "Ann <ann@home.example>") -> bytes:
    reply = EmailMessage()
    reply["From"], reply["To"], reply["Subject"] = sender, to, "Re: Is it you?"
    reply["Message-ID"] = "<1@home.example>"
    reply["In-Reply-To"] = str(mail["Message-ID"])
    reply.set_content("How do I ask?")
    return reply.as_bytes(policy=policy.SMTP.clone(max_line_length=998))  # Python would encode the long In-Reply-To


def row(address: str) -> Delivery:
    return Delivery.objects.get(canonical=address)


def test_both_message_ids_name_the_delivery(
    workspace: Workspace, sent: tuple[Mailing, dict[str, EmailMessage]]
) -> None:
    _, mails = sent
    for address, mail in mails.items():
        assert "reply.council.example" not in str(mail["Message-ID"])
        assert finding.delivery_of(str(mail["Message-ID"])) == row(address)
        token = Keyring.load(workspace.root / "var" / "secret.key").make(Purpose.MESSAGE_ID, bytes(row(address).token))
        assert finding.delivery_of(f"<{token}@reply.council.example>") == row(address)
    for stranger in ("<x@email.amazonses.com>", "", "<0102019abcffffff-none@email.amazonses.com>", "no address"):
        assert finding.delivery_of(stranger) is None


def test_where_relays_keep_our_message_id_a_foreign_one_is_never_looked_up(
    workspace: Workspace, sent: tuple[Mailing, dict[str, EmailMessage]]
) -> None:
    _, mails = sent
    workspace.toml("")
    assert finding.delivery_of(str(mails[PEOPLE[0]]["Message-ID"])) is None


def test_a_reply_by_its_address_or_by_the_relays_message_id_settles(
    sent: tuple[Mailing, dict[str, EmailMessage]],
) -> None:
    mailing, mails = sent
    Mailing.objects.update(state="sending", finished_at=None)
    put("uncertain")
    ann, bob = (mails[address] for address in PEOPLE)
    verdict = intake.accept(answer(ann, str(ann["Reply-To"])), str(ann["Reply-To"]), "ann@home.example")
    assert verdict.kind == Kind.PERSON and (row(PEOPLE[0]).state, row(PEOPLE[0]).proof) == ("accepted", "reply")
    raw = answer(bob, "news@reply.council.example", "Bob <bob@home.example>")
    verdict = intake.accept(raw, "news@reply.council.example", "bob@home.example")
    assert Raw.objects.get(pk=verdict.raw_id).delivery == row(PEOPLE[1])
    assert (row(PEOPLE[1]).state, row(PEOPLE[1]).proof) == ("accepted", "reply")
    mailing.refresh_from_db()
    assert mailing.state == "finished" and laws.check(mailing) == []


def test_a_bounce_finds_it_by_the_envelope_sender(sent: tuple[Mailing, dict[str, EmailMessage]]) -> None:
    mailing, mails = sent
    Mailing.objects.update(state="sending", finished_at=None)
    put("uncertain", PEOPLE[0])
    bounce = EmailMessage()
    bounce["From"], bounce["Subject"] = "MAILER-DAEMON@home.example", "Undelivered"
    bounce.set_content("The mailbox is full.")
    verdict = intake.accept(bounce.as_bytes(), str(mails[PEOPLE[0]]["X-Envelope-From"]), "")
    assert verdict.kind == Kind.BOUNCE
    assert (row(PEOPLE[0]).state, row(PEOPLE[0]).proof) == ("accepted", "bounce")
    assert laws.check(mailing) == []


@pytest.mark.parametrize("headers", [("Message-ID", "Subject", "Reply-To"), ("Message-ID", "Subject")])
@pytest.mark.parametrize("state", ["accepted", "uncertain"])
def test_where_the_envelope_sender_is_replaced_too_a_bounce_is_found_by_the_mail_in_it(
    workspace: Workspace, sent: tuple[Mailing, dict[str, EmailMessage]], state: str, headers: tuple[str, ...]
) -> None:
    """As at Amazon SES with keeps = []: the report goes to a mailbox of ours and tells the relay's own Message-ID."""
    mailing, mails = sent
    workspace.toml(
        SES.replace('"envelope_sender"', ""), TOML.replace("[site]\n", '[site]\nurl = "https://x.example"\n')
    )
    if state == "uncertain":
        Mailing.objects.update(state="sending", finished_at=None)
        put("uncertain", PEOPLE[0])
    bounce, returned = EmailMessage(), EmailMessage()
    bounce["From"], bounce["To"] = "MAILER-DAEMON@amazonses.com", "office@council.example"
    bounce["Subject"] = "Delivery Status Notification (Failure)"
    bounce.set_content("The following message could not be delivered: 552 5.2.2 the mailbox is full.")
    for name in headers:
        returned[name] = str(mails[PEOPLE[0]][name])
    bounce.add_attachment(returned)
    raw = bounce.as_bytes(policy=policy.SMTP.clone(max_line_length=998))
    verdict = intake.accept(raw, "office@reply.council.example", "")
    assert verdict.kind == Kind.BOUNCE
    assert Raw.objects.get(pk=verdict.raw_id).delivery == row(PEOPLE[0])
    assert Bounce.objects.get().delivery == row(PEOPLE[0])
    assert (row(PEOPLE[0]).state, row(PEOPLE[0]).proof) == ("accepted", "answer" if state == "accepted" else "bounce")
    assert laws.check(mailing) == []


def test_the_log_settles_by_the_relays_id_and_its_silence_proves_nothing(
    workspace: Workspace, sent: tuple[Mailing, dict[str, EmailMessage]]
) -> None:
    Mailing.objects.update(state="sending", finished_at=None)
    put("uncertain")
    Delivery.objects.filter(canonical=PEOPLE[0]).update(remote_id="4F1A2B3C4D")
    Delivery.objects.filter(canonical=PEOPLE[1]).update(remote_id="")
    reader = Reader(Keyring.load(workspace.root / "var" / "secret.key"), "reply.council.example", queues=["4F1A2B3C4D"])
    now = datetime.now(UTC)
    line = f"{now.isoformat()} mta postfix/qmgr[9]: 4F1A2B3C4D: from=<b@x>, size=1, nrcpt=1 (queue active)\n"
    reader.read([line.encode()])
    hour = timedelta(hours=1)
    evidence = Evidence(queues=reader.evidence.queues, spans=[(now - hour, now + hour)])
    plan = settling.by_log(workspace.config, settling.uncertain(), evidence)
    assert [(one.address, queue) for one, queue in plan.accepted] == [(PEOPLE[0], "4F1A2B3C4D")]
    assert plan.again == [] and "replaces our Message-ID" in plan.left[0][1]
