"""A desk with two colleagues and a team, and conversations on it that came in by mail."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default

from newsletter.config import Config
from newsletter.replies import intake, who
from newsletter.replies.models import Conversation
from newsletter.replies.who import Colleague
from tests.replies.conftest import Post, Sent, mail
from tests.workspace import TOML

STAFF = """
[replies]
name = "Example Council"
[staff.jo]
name = "Jo Malik"
address = "jo@council.example"
teams = ["asb"]
[staff.sam]
name = "Sam Okafor"
address = "sam@council.example"
[staff.kim]
name = "Kim Lee"
address = "kim@council.example"
[teams.asb]
title = "Community safety"
areas = ["Stafford North"]
[teams.letters]
title = "Letters"
lists = ["monthly"]
[answers.lights]
title = "Street lights"
text = 'Dear {name or "neighbour"}, the lights are mended on Monday. Reference {reference}.'
"""


@dataclass
class Desk:
    """The colleagues, and a way to let people write."""

    post: Post
    config: Config
    numbers: itertools.count = field(default_factory=lambda: itertools.count(1))

    def colleague(self, key: str) -> Colleague:
        return who.named(self.config, key)

    @property
    def jo(self) -> Colleague:
        return self.colleague("jo")

    @property
    def sam(self) -> Colleague:
        return self.colleague("sam")

    def writes(self, sent: Sent, body: str = "How do I ask for a case review?", **more: str) -> Conversation:
        """Somebody answers their copy; gives back the conversation."""
        more.setdefault("message_id", f"<{next(self.numbers)}@mail.example.net>")
        verdict = intake.accept(mail(sent.reply, body, **more), sent.reply)
        assert verdict.conversation_id is not None, verdict
        return Conversation.objects.get(pk=verdict.conversation_id)

    def asks(self, address: str = "ameera@example.net", name: str = "Ameera K.", **more: str) -> Conversation:
        """A person of that address writes for the first time."""
        return self.writes(self.post.sent_to(address), sender=f"{name} <{address}>", **more)

    def mails(self) -> list[EmailMessage]:
        """What left, in order, as the catcher kept it."""
        folder = self.config.var / "mail"
        return [BytesParser(policy=default).parsebytes(path.read_bytes()) for path in sorted(folder.glob("*.eml"))]  # type: ignore[misc]


def desk_of(post: Post, more: str = "") -> Desk:
    return Desk(post, post.workspace.toml(STAFF + more, TOML))
