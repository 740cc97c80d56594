"""A made-up mailing for the tests of the bytes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from newsletter.mail.outgoing import Common, Person

TOKEN = "eeytemzugu3doobzpvuussxuka6bdpka"
COMMON = Common(
    from_name="Sam Okafor",
    from_address="sam.okafor@staffordshire.example",
    date=datetime(2026, 11, 24, 10, 0, tzinfo=UTC),
    language="en-GB",
    list_id="all-residents.reply.staffordshire.example",
    list_title="Community messages",
    feedback_id="2026-11-24-asb:all-residents:newsletter:staffordshire",
    reply_name="Staffordshire Commissioner",
)


def person(to: str = "ann.oakley@example.org", name: str = "Ann Oakley", token: str = TOKEN) -> Person:
    return Person(
        to=to,
        message_id=f"{token}@reply.staffordshire.example",
        reply_to=f"reply+{token}@reply.staffordshire.example",
        unsubscribe_url=f"https://news.staffordshire.example/u/{token}",
        unsubscribe_mailto=f"unsubscribe+{token}@reply.staffordshire.example",
        name=name,
    )


@dataclass(frozen=True)
class Image:
    data: bytes
    content_type: str = "image/png"
    extension: str = "png"

    @property
    def cid(self) -> str:
        return f"{hashlib.sha256(self.data).hexdigest()}@newsletter"
