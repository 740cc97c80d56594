"""A mailing that was sent, and the mail that comes back to it."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import EmailMessage

import pytest

from newsletter.mail.tokens import Keyring, Purpose, address, new_id
from tests.workspace import Workspace


@dataclass
class Sent:
    """One delivery of a mailing, with its signed addresses."""

    delivery: object
    keyring: Keyring
    unsubscribe_id: bytes

    def token(self, purpose: Purpose) -> str:
        stored = self.unsubscribe_id if purpose is Purpose.UNSUBSCRIBE else bytes(self.delivery.token)
        return self.keyring.make(purpose, stored)

    @property
    def reply(self) -> str:
        return address("reply", self.token(Purpose.REPLY), "reply.council.example")

    @property
    def bounce(self) -> str:
        return address("bounce", self.token(Purpose.BOUNCE), "bounce.council.example")

    @property
    def leave(self) -> str:
        return address("unsubscribe", self.token(Purpose.UNSUBSCRIBE), "reply.council.example")

    @property
    def message_id(self) -> str:
        return f"<{self.token(Purpose.MESSAGE_ID)}@reply.council.example>"


@dataclass
class Post:
    """Makes deliveries, and mail from people."""

    workspace: Workspace
    mailing: object

    def sent_to(self, to: str = "ameera@example.net", **facts: object) -> Sent:
        from newsletter.sending.models import Delivery, UnsubscribeKey

        [person] = self.workspace.people(to, **facts)
        delivery = Delivery.objects.create(
            mailing=self.mailing,
            subscriber_id=person,
            canonical=to.lower(),
            address=to,
            lists=["all-residents"],
            token=new_id(),
            state=Delivery.State.ACCEPTED,
            proof="answer",
        )
        key, _ = UnsubscribeKey.objects.get_or_create(
            canonical=to.lower(),
            lists_key="all-residents",
            defaults={"token": new_id(), "lists": ["all-residents"]},
        )
        return Sent(delivery, Keyring.load(self.workspace.root / "var" / "secret.key"), bytes(key.token))


def mail(
    to: str,
    body: str = "How do I ask for a case review?",
    sender: str = "Ameera K. <ameera@example.net>",
    subject: str = "Re: Is anti-social behaviour a problem?",
    message_id: str = "<1@mail.example.net>",
    **headers: str,
) -> bytes:
    """One message as a mail program writes it; `in_reply_to="<…>"` becomes In-Reply-To."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = to
    message["Subject"] = subject
    if message_id:
        message["Message-ID"] = message_id
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(body)
    return message.as_bytes()


@pytest.fixture
def post(workspace: Workspace) -> Post:
    from newsletter.sending.models import Mailing

    mailing = Mailing.objects.create(
        slug="2026-11-24-asb",
        rendered={},
        checksum="0" * 64,
        audience=["all-residents"],
        settings={},
        public_id=new_id(),
    )
    return Post(workspace, mailing)


@pytest.fixture
def desk(post: Post):  # type: ignore[no-untyped-def]
    """A desk with colleagues; see desk_made."""
    from tests.replies.desk_made import desk_of

    return desk_of(post)
