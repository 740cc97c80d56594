"""Journeys of replies: real commands, real mail over SMTP into the catcher, and a clock of the story's own."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from newsletter import replies
from newsletter.replies import canary, climbing, intake
from newsletter.replies.models import Canary, Conversation
from newsletter.sending.models import Notice
from newsletter.sending.transports.catcher import Catcher
from tests import dovecot
from tests.replies.conftest import Post, Sent, mail, post  # noqa: F401 (a fixture)
from tests.workspace import Workspace

pytestmark = pytest.mark.broken_books("the deliveries that are answered are made by hand; no mailing is sent")
OFFICE = """
[replies]
name = "Example Council"
look_first = true
duty = "duty@council.example"
[staff.jo]
name = "Jo Malik"
address = "jo@council.example"
teams = ["safety"]
[staff.sam]
name = "Sam Okafor"
address = "sam@council.example"
teams = ["safety"]
[teams.safety]
title = "Community safety"
address = "safety@council.example"
areas = ["Stafford North"]
"""


@dataclass
class Office:
    """The staff's side: commands that colleagues type, and every mail that left."""

    workspace: Workspace
    numbers: itertools.count = field(default_factory=lambda: itertools.count(1))

    def does(self, *words: str, who: str = "", code: int = 0) -> dict[str, Any]:
        """Type `newsletter …words --json`; what it printed."""
        ran = self.workspace.run(*words, *(["--as", who] if who else []), "--json")
        assert ran.exit == code, ran.out + ran.err
        answer: dict[str, Any] = json.loads(ran.out)
        return answer

    def comes(self, raw: bytes, recipient: str, sender: str) -> dict[str, Any]:
        """A mail arrives by the pipe, as Postfix hands it over."""
        ran = self.workspace.run("replies", "receive", "--recipient", recipient, "--sender", sender, stdin=raw)
        assert ran.exit == 0, ran.err
        return self.does("replies", "balance")

    def post_goes(self) -> None:
        """The worker carries what is due, over SMTP."""
        ran = self.workspace.run("worker", "--once")
        assert ran.exit == 0, ran.out + ran.err

    def mails(self, to: str = "") -> list[EmailMessage]:
        """What has arrived, at one address or at all of them, in order."""
        found = caught(self.workspace.root / "var" / "mail")
        return [one for one in found if not to or to in str(one["X-Envelope-To"])]  # type: ignore[misc]

    def only(self) -> Conversation:
        [found] = Conversation.objects.all()
        return found


@pytest.fixture
def office(post: Post) -> Office:  # noqa: F811
    post.workspace.toml(OFFICE)
    return Office(post.workspace)


def caught(folder: Path) -> list[EmailMessage]:
    """The mails in a catcher's folder, in order."""
    found = [BytesParser(policy=default).parsebytes(path.read_bytes()) for path in sorted(folder.glob("*.eml"))]
    return found  # type: ignore[return-value]


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    return str(body.get_content()) if body else ""  # type: ignore[attr-defined]


def test_a_frightened_resident_is_answered_in_time(post: Post, office: Office) -> None:  # noqa: F811
    """She writes on a Tuesday; nobody opens the first mail; the second reaches Sam, who answers within the hour."""
    sent = post.sent_to("ameera@example.net", attributes={"ward": "Stafford North"})
    plea = mail(sent.reply, "Please help, my husband hits me. It is not safe to phone.", in_reply_to=sent.message_id)
    office.comes(plea, sent.reply, "ameera@example.net")
    began = timezone.now()
    found = office.only()

    office.post_goes()
    assert len(office.mails("safety@council.example")) >= 1 and office.mails("jo@council.example")
    assert not office.mails("sam@council.example") and not office.mails("duty@council.example")
    climbing.climb(office.workspace.config, began + timedelta(minutes=16))  # a quarter of an hour later
    office.post_goes()
    [notice] = office.mails("sam@council.example")
    assert found.reference in text_of(notice) and f"newsletter replies claim {found.pk}" in text_of(notice)
    for staff in ("safety", "jo", "sam"):
        for one in office.mails(f"{staff}@council.example"):
            assert not {"ameera", "husband", "Ameera"} & set(one.as_string().replace("<", " ").split())

    [first] = office.does("replies", "list", "--look-first", who="sam")["conversations"]
    assert first["id"] == found.pk
    office.does("replies", "claim", str(found.pk), who="sam")
    assert climbing.climb(office.workspace.config, began + timedelta(hours=5)) == 0
    office.does("replies", "show", str(found.pk), who="sam")
    office.does("replies", "answer", str(found.pk), "--text", "We are here. Reply when it is safe.", "--yes", who="sam")
    office.post_goes()
    [answer] = office.mails("ameera@example.net")
    assert "We are here." in text_of(answer) and answer["In-Reply-To"] == "<1@mail.example.net>"
    found.refresh_from_db()
    assert found.state == "waiting" and found.answered_in_target is True


def test_a_victim_answers_from_a_copy_that_a_neighbour_passed_on(post: Post, office: Office) -> None:  # noqa: F811
    """Ben got the issue and forwarded it to Cy, who answers from Ben's copy. Ben must never hear of it."""
    sent = post.sent_to("ben@example.net")
    plea = mail(sent.reply, "I live at number 9 and he is going to kill me.", sender="Cy <cy@example.net>")
    office.comes(plea, sent.reply, "cy@example.net")
    found = office.only()
    assert found.look_first and found.someone_else and found.subscriber is None
    office.post_goes()
    office.does("replies", "claim", str(found.pk), who="jo")
    office.does("replies", "show", str(found.pk), who="jo")
    words = ["replies", "answer", str(found.pk), "--text", "Call 999 now.", "--yes"]
    asked = office.does(*words, who="jo", code=4)  # the copy was somebody else's, so the desk asks whom it goes to
    assert asked["problems"][0]["code"] == "choose-recipient"
    office.does(*words, "--to", "cy@example.net", who="jo")
    office.post_goes()
    assert office.mails("cy@example.net") and not office.mails("ben@example.net")
    assert not Notice.objects.filter(canonical="ben@example.net").exists()
    # Ben writes for himself: his conversation shows nothing of Cy's
    office.comes(
        mail(sent.reply, "Nice issue", sender="ben@example.net", message_id="<2@b>"), sent.reply, "ben@example.net"
    )
    his = Conversation.objects.exclude(pk=found.pk).get()
    shown = json.dumps(office.does("replies", "show", str(his.pk), who="jo"))
    assert "number 9" not in shown and "cy@example.net" not in shown


LARGE = (pytest.mark.integration, pytest.mark.timeout(900))  # 10,000 messages, each read in the killable child
STORM = [pytest.param(300, id="300"), pytest.param(10_000, id="10000", marks=LARGE)]


@pytest.mark.parametrize("people", STORM)
def test_a_storm_of_out_of_office_disturbs_nobody(post: Post, office: Office, people: int) -> None:  # noqa: F811
    """An issue goes out in the holidays. One person among all the absence notices writes herself, and is seen."""
    copies = [
        post.sent_to(f"n{number}@example.net") for number in range(50 + people // 25)
    ]  # one address takes 50 a day
    for number in range(people):
        sent = copies[number % len(copies)]
        sender = f"n{number % len(copies)}@example.net"
        header = {"Auto_Submitted": "auto-replied"} if number % 3 else {}
        subject = "Re: the issue" if number % 3 else "Automatic reply: the issue"
        raw = mail(sent.reply, "I am away. In danger? Call 999.", sender, subject, f"<{number}@away>", **header)
        assert intake.accept(raw, sent.reply, "").kind == "auto"
    sent = post.sent_to()
    assert intake.accept(mail(sent.reply, "He has a knife."), sent.reply).kind == "person"
    assert len(office.does("replies", "list", who="jo")["conversations"]) == 1
    office.post_goes()
    assert {one["X-Envelope-To"] for one in office.mails()} <= {"<jo@council.example>", "<duty@council.example>"}
    balance = replies.balance()
    assert balance["adds_up"] and balance["auto"] == people and balance["person"] == 1


def test_a_real_plea_with_a_forged_token_reaches_a_person(post: Post, office: Office) -> None:  # noqa: F811
    """The address was retyped with a slip, so nothing proves whose copy it was: it is read, and linked to nobody."""
    sent = post.sent_to()
    wrong = damaged(sent)
    office.comes(mail(wrong, "I want to die. Nobody answers the phone."), wrong, "ameera@example.net")
    found = office.only()
    assert (found.verified, found.delivery, found.subscriber, found.mailing) == (False, None, None, None)
    assert found.look_first.startswith("Harm to themselves")
    office.post_goes()
    assert office.mails("duty@council.example"), "no team can be known, so duty is told at once"
    office.does("replies", "claim", str(found.pk), who="sam")
    shown = json.dumps(office.does("replies", "show", str(found.pk), who="sam"))
    assert "not verified" in shown and "I want to die" in shown


def test_an_erased_person_writes_and_is_heard(post: Post, office: Office) -> None:  # noqa: F811
    """She had herself erased; months later she answers the old mail. It reaches a person, and only the new words."""
    sent = post.sent_to()
    office.comes(mail(sent.reply, "The lights are out"), sent.reply, "ameera@example.net")
    erased = office.does("replies", "erase", "ameera@example.net", "--yes", who="jo")
    assert erased["conversations"] == 1 and not Conversation.objects.exists()
    from newsletter.audience.models import Subscriber

    Subscriber.objects.all().delete()
    balance = office.comes(
        mail(sent.reply, "He is outside my door", message_id="<2@x>"), sent.reply, "ameera@example.net"
    )
    assert balance["adds_up"] and balance["erased"] == 1
    found = office.only()
    assert found.look_first and found.subscriber is None and found.verified
    assert "lights" not in json.dumps(office.does("replies", "show", str(found.pk), who="jo"))
    office.post_goes()
    assert office.mails("jo@council.example") or office.mails("duty@council.example")


def test_two_answer_at_once_and_the_person_gets_one_answer(post: Post, office: Office) -> None:  # noqa: F811
    """Jo and Sam have both read it and press at the same moment, each in a window of their own. One answer leaves; the
    other is told whose it was. Then she writes again while Sam types, and what Sam has not read stops their answer."""
    sent = post.sent_to()
    office.comes(mail(sent.reply, "When is the meeting?"), sent.reply, "ameera@example.net")
    found = office.only()
    for colleague in ("jo", "sam"):
        office.does("replies", "show", str(found.pk), who=colleague)
    looked = office.does("replies", "show", str(found.pk), who="jo")["conversation"]["looking"]
    assert [one["staff"] for one in looked] == ["sam"], "each sees that the other has it open"

    windows = {name: pressed(office, found.pk, f"It is on Friday. {name}", name) for name in ("jo", "sam")}
    ended = {name: (window.communicate(timeout=60), window.returncode) for name, window in windows.items()}
    [won] = [name for name, (_, code) in ended.items() if code == 0]
    [lost] = [name for name, (_, code) in ended.items() if code == 4]
    [refusal] = json.loads(ended[lost][0][0])["problems"]
    assert refusal["code"] == "conversation-moved" and {"jo": "Jo Malik", "sam": "Sam Okafor"}[won] in str(refusal)
    office.post_goes()
    [answer] = office.mails("ameera@example.net")
    assert f"It is on Friday. {won}" in text_of(answer)

    office.does("replies", "show", str(found.pk), who=lost)
    again = mail(sent.reply, "Friday is too late, he is here.", message_id="<2@mail.example.net>")
    office.comes(again, sent.reply, "ameera@example.net")
    said = office.does("replies", "answer", str(found.pk), "--text", "Room 2.", "--yes", who=lost, code=4)
    assert said["problems"][0]["code"] == "conversation-moved"
    office.post_goes()
    assert len(office.mails("ameera@example.net")) == 1


def pressed(office: Office, number: int, words: str, who: str) -> subprocess.Popen[str]:
    """`newsletter replies answer`, running by itself."""
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "newsletter", "-C", str(office.workspace.root), "replies", "answer", str(number)]
    return subprocess.Popen(
        [*command, "--text", words, "--yes", "--as", who, "--json"],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def damaged(sent: Sent) -> str:
    """The reply address with one letter of its token changed."""
    local, _, domain = sent.reply.partition("@")
    return f"{local[:-1]}{'a' if local[-1] != 'a' else 'b'}@{domain}"


NIGHT = """
[replies]
canary = true
duty = "duty@council.example"
[staff.jo]
name = "Jo Malik"
address = "jo@council.example"
[relays.first]
host = "127.0.0.1"
port = {first}
[relays.second]
host = "127.0.0.1"
port = {second}
[mailboxes.inbox]
kind = "imap"
host = "127.0.0.1"
port = {imap}
tls = "none"
user = "news@council.example"
password_file = "imap.password"
"""


@pytest.mark.integration
def test_the_password_of_the_mailbox_expires_at_night(post: Post) -> None:  # noqa: F811
    """Answers pile up unread on the mail server. Before anybody misses them Jo is told, by the second relay because
    the first has gone the same way; she mends the password, and everything is there once."""
    with dovecot.running() as server, Catcher(post.workspace.root / "jo", "127.0.0.1", 0) as second:
        usual = post.workspace.root / "usual"
        with Catcher(usual, "127.0.0.1", 0) as first:
            ports = {"first": first.port, "second": second.port, "imap": server.port}
            real = '[mail]\ntransport = "smtp"'
            base = (post.workspace.root / "newsletter.toml").read_text(encoding="utf-8").replace("[mail]", real)
            post.workspace.toml(NIGHT.format(**ports), base.replace("[site]", '[site]\nurl = "https://n.example"'))
            post.workspace.write("imap.password", dovecot.PASSWORD + "\n")
            office = Office(post.workspace)
            copies = [post.sent_to(f"n{number}@example.net") for number in range(4)]
            letters = [
                mail(one.reply, f"The lamp is out, {number}.", f"n{number}@example.net", message_id=f"<{number}@n>")
                for number, one in enumerate(copies)
            ]
            evening = timezone.now()
            server.put(letters[0])
            assert office.does("replies", "fetch")["mailboxes"][0]["taken"] == 1
            canary.look(office.workspace.config, evening)
            office.post_goes()
            [probe] = sorted(usual.glob("*.eml"))
            server.put(probe.read_bytes())
            office.does("replies", "fetch")
            assert Canary.objects.get().back is not None

        server.password("changed-at-midnight")  # and the relay that mail usually goes by is away
        for number in (1, 2):
            server.put(letters[number], password="changed-at-midnight")
        failed = office.does("replies", "fetch", code=5)
        assert "refused the login" in failed["mailboxes"][0]["trouble"][0]
        for quarters in (1, 2, 3):
            canary.look(office.workspace.config, evening + quarters * canary.EVERY)
        told = caught(post.workspace.root / "jo")
        assert {str(one["X-Envelope-To"]) for one in told} == {"<jo@council.example>", "<duty@council.example>"}
        for one in told:
            assert one["Subject"] == "Answers may not arrive" and "inbox" in text_of(one) and "lamp" not in str(one)
        seen = office.does("replies", "list", who="jo")
        assert "mailbox-trouble" in {one["code"] for one in seen["problems"]} and len(seen["conversations"]) == 1

        post.workspace.write("imap.password", "changed-at-midnight\n")
        server.put(letters[3], password="changed-at-midnight")
        assert office.does("replies", "fetch")["mailboxes"][0]["taken"] == 3
        assert office.does("replies", "fetch")["mailboxes"][0]["taken"] == 0
        seen = office.does("replies", "list", who="jo")
        assert sorted(one["first_words"] for one in seen["conversations"]) == [
            f"The lamp is out, {number}." for number in range(4)
        ]
        assert "mailbox-trouble" not in {one["code"] for one in seen["problems"]}
        balance = replies.balance()
        assert balance["adds_up"] and (balance["person"], balance["duplicate"], balance["auto"]) == (4, 0, 1)
