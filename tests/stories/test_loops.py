"""Machines that answer machines: whatever the other side is and says of itself, it ends, and nobody is disturbed."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path

import pytest
from django.db import connections

from newsletter import settings
from newsletter.mail.tokens import new_id
from newsletter.replies import intake
from newsletter.replies.models import Conversation, Kind, Message
from newsletter.sending import notices
from newsletter.sending.models import Notice
from tests.postgres import Cluster
from tests.replies.conftest import Post, mail, post  # noqa: F401 (a fixture)
from tests.stories.test_replies import caught, text_of
from tests.workspace import TOML, Workspace, _folder

pytestmark = pytest.mark.broken_books("the deliveries that are answered are made by hand; no mailing is sent")
TURNS = 12  # of FreeScout's loops the shortest had 11, the longest filled 100 GB
THANKFUL = """
[replies]
acknowledge = true
mode = "shared"
mailbox = "{own}"
address = "{own}"
[staff.jo]
name = "Jo Malik"
address = "jo@staff.example"
[teams.desk]
title = "The desk"
address = "desk@staff.example"
lists = ["all-residents"]
"""


@dataclass
class Installation:
    """One of two that write to each other: its folder, and the mailbox that all its answers come to."""

    workspace: Workspace
    own: str
    seen: int = 0

    def turn_to(self) -> None:
        connections.close_all()
        settings.setup(self.workspace.config)

    def sent_to(self, address: str) -> str:
        """An issue of ours went there; its reply address."""
        from newsletter.sending.models import Mailing

        facts = {"rendered": {}, "checksum": "0" * 64, "audience": ["all-residents"], "settings": {}}
        mailing = Mailing.objects.create(slug="issue", public_id=new_id(), **facts)
        return Post(self.workspace, mailing).sent_to(address).reply

    def takes(self, raw: bytes, recipient: str, sender: str) -> None:
        self.turn_to()
        ran = self.workspace.run("replies", "receive", "--recipient", recipient, "--sender", sender, stdin=raw)
        assert ran.exit == 0, ran.err

    def sends(self) -> list[EmailMessage]:
        """The worker carries what is due; what left since the last time, but for notices to staff."""
        self.turn_to()
        assert self.workspace.run("worker", "--once").exit == 0
        mails = caught(self.workspace.root / "var" / "mail")
        fresh, self.seen = mails[self.seen :], len(mails)
        return [one for one in fresh if not str(one["X-Envelope-To"]).endswith("@staff.example>")]


@pytest.fixture
def two(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Installation]]:
    """The council and the police, each with a folder, a database and a key of its own."""
    made, names = [], ("council", "police")
    on_postgresql = request.config.getoption("--database") == "postgresql"
    server: Cluster | None = request.getfixturevalue("migrated_postgresql") if on_postgresql else None
    for name in names:
        (tmp_path / name).mkdir()
        workspace = _folder(tmp_path / name)
        if server:
            workspace.url = server.copy(f"two_{name}")
        else:
            shutil.copyfile(request.getfixturevalue("migrated"), workspace.root / "var" / "newsletter.db")
        own = f"news@{name}.example"
        workspace.toml(THANKFUL.format(own=own), TOML.replace("council.example", f"{name}.example"))
        made.append(Installation(workspace, own))
    yield made
    connections.close_all()
    for name in names if server else ():
        server.drop(f"two_{name}")  # type: ignore[union-attr]


SIGNS = ("Auto-Submitted", "X-Auto-Response-Suppress", "Precedence")


@pytest.mark.parametrize("removed", [(), SIGNS, (*SIGNS, "References", "In-Reply-To")], ids=len)
@pytest.mark.parametrize("to_token", [False, True], ids=["to the From", "to the Reply-To"])
@pytest.mark.parametrize("returned", ["", "the From"], ids=["from <>", "envelope rewritten"])
def test_two_installations_that_read_each_other_stop_after_one_message_each(
    two: list[Installation], removed: tuple[str, ...], to_token: bool, returned: str
) -> None:
    """Each is on the other's list, and a gateway between them may take off every sign of a machine."""
    council, police = two
    council.turn_to()
    first = council.sent_to(police.own)
    police.turn_to()
    police.sent_to(council.own)
    council.takes(mail(first, "Thank you for your letter.", f"The police <{police.own}>"), first, police.own)
    written = {council.own: 0, police.own: 0}
    silent = 0
    for side, other in itertools.islice(itertools.cycle([(council, police), (police, council)]), TURNS):
        fresh = side.sends()
        silent = 0 if fresh else silent + 1
        if silent == 2:  # neither has anything to say any more
            break
        written[side.own] += len(fresh)
        for one in fresh:
            assert parseaddr(str(one["To"]))[1] == other.own
            kept = {name.replace("-", "_"): str(one[name]) for name in ("References", "In-Reply-To", *SIGNS)
                    if one[name] and name not in removed}  # fmt: skip
            to = str(one["Reply-To"]) if to_token and one["Reply-To"] else other.own
            to = to if to.endswith(other.own.partition("@")[2]) else other.own
            sender = side.own if returned else ""
            raw = mail(to, text_of(one), side.own, str(one["Subject"]), str(one["Message-ID"]), **kept)
            other.takes(raw, to, sender)
    assert written[council.own] == 1 and written[police.own] <= 1, written
    assert silent == 2


@dataclass(frozen=True)
class Loop:
    """A loop that somebody reported of FreeScout: what the other side answers to each mail of ours."""

    reported: str
    sender: str
    subject: str  # {before} = the subject it answers, {n} = the number of the turn
    body: str
    returned: str = "same"  # the envelope sender; "same" = that of From
    answers: bool = True  # it carries In-Reply-To
    headers: tuple[tuple[str, str], ...] = ()


LOOPS = [
    Loop(
        "#2445: a ticket system without any sign, whose subject grows",
        "Corporate Support <support@them.example>",
        "Ticket Received - {n} - {before}",
        "Your request was received. Your ticket number is {n}.",
    ),
    Loop(
        "#2445, with nothing of ours in its subject",
        "Corporate Support <support@them.example>",
        "Ticket Received - {n}",
        "Your request was received. Your ticket number is {n}.",
    ),
    Loop(
        "#2445, where it does not say what it answers",
        "Corporate Support <support@them.example>",
        "Ticket Received - {n} - {before}",
        "Your request was received. Your ticket number is {n}.",
        answers=False,
    ),
    Loop(
        "#3670: an address that takes no answers, and answers",
        "Shop <no-reply@shop.example>",
        "Automated Response: Re: {before}",
        "We are sorry, but we cannot handle your message because this is a no-reply e-mail address.",
    ),
    Loop(
        "#3670, from an address that does not say so",
        "Shop <orders@shop.example>",
        "Automated Response: Re: {before}",
        "We are sorry, but we cannot handle your message.",
    ),
    Loop(
        "#4250: a report that our mail was refused, about a report, about a report",
        "Mail Delivery System <MAILER-DAEMON@them.example>",
        "Undeliverable: {before}",
        "Delivery has failed to these recipients: user@them.example\n550 5.7.1 refused as spam",
        returned="",
    ),
    Loop(
        "#634: a mail server that writes from its own name",
        "MAILER-DAEMON@them.example",
        "Message delivery failure notice",
        "I could not deliver your message to <user@them.example>: 550 no such user",
        returned="",
        answers=False,
    ),
    Loop(
        "#513: an absence notice of Exchange whose only sign is its subject, in the language of the mailbox",
        "Bo <bo@firma.example>",
        "Automatische Antwort: {before}",
        "Ich bin nicht im Büro.",
    ),
    Loop(
        "#4631: the other desk says that it cannot process ours",
        "Their desk <desk@them.example>",
        "Your email update could not be processed",
        "If you are trying to update a ticket, you must reply from the address of your account.",
        headers=(("X-Auto-Response-Suppress", "All"),),
    ),
]


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.reported)
def test_every_loop_that_was_reported_of_freescout_ends(post: Post, loop: Loop) -> None:  # noqa: F811
    """The other side answers whatever we send, for as long as we do: it gets one thank-you at most, and the desk has
    one conversation at most, however the subject grows."""
    post.workspace.toml('[replies]\nacknowledge = true\n[staff.jo]\nname = "Jo"\naddress = "jo@staff.example"\n')
    address = parseaddr(loop.sender)[1]
    sent = post.sent_to(address)
    subject, to, answered, folder = "Your package is on the way!", sent.reply, sent.message_id, post.workspace.root
    for turn in range(1, TURNS + 1):
        subject = loop.subject.format(before=subject, n=286_600 + turn)
        headers = {name.replace("-", "_"): value for name, value in loop.headers}
        if loop.answers:
            headers |= {"In_Reply_To": answered, "References": answered}
        raw = mail(to, loop.body.format(n=286_600 + turn), loop.sender, subject, f"<{turn}@them.example>", **headers)
        intake.accept(raw, to, address if loop.returned == "same" else loop.returned)
        notices.deliver(post.workspace.config)
        ours = [one for one in caught(folder / "var" / "mail") if address in str(one["X-Envelope-To"])]
        if ours:  # it answers our latest, else the issue once more
            to, answered, subject = str(ours[-1]["Reply-To"]), str(ours[-1]["Message-ID"]), str(ours[-1]["Subject"])
    thanks = Notice.objects.filter(kind=Notice.Kind.ACKNOWLEDGEMENT).count()
    people = Message.objects.filter(kind=Message.Kind.PERSON).count()
    assert thanks <= 1 and Conversation.objects.count() <= 1
    assert not Notice.objects.exclude(kind=Notice.Kind.ACKNOWLEDGEMENT).exists()
    known_machine = "2445" not in loop.reported and "4631" not in loop.reported
    assert (people, thanks) == (0, 0) or not known_machine, "what says that it is a machine never reaches the desk"
    from newsletter import replies

    balance = replies.balance()
    assert balance["adds_up"] and balance["received"] == TURNS and balance[str(Kind.PERSON)] == people
