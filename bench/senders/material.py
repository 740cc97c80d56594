"""What the other senders send: the same issue as templates with each person's values, or the mails as we built them."""

from __future__ import annotations

import json
from email.message import EmailMessage
from pathlib import Path
from typing import Any


class Material:
    """Read from the folder that prepare.py made; person `number` comes round again after the last."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "material"
        kept = json.loads((self.folder / "people.json").read_text(encoding="utf-8"))
        self.people: list[dict[str, Any]] = kept["people"]
        self.offsets: list[int] = kept["offsets"]
        self.templates = [
            (self.folder / f"{name}.txt").read_text(encoding="utf-8") for name in ("subject", "text", "html")
        ]

    def person(self, number: int) -> dict[str, Any]:
        return self.people[number % len(self.people)]

    def mails(self) -> list[bytes]:
        """The mails byte for byte as we send them."""
        data = (self.folder / "mails").read_bytes()
        return [data[low:high] for low, high in zip(self.offsets, self.offsets[1:], strict=False)]


def email_message(person: dict[str, Any], subject: str, text: str, html: str) -> EmailMessage:
    """What the standard library's manual shows: text with an HTML alternative, and the headers a bulk mail has."""
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "news@staffordshire.example", person["to"]
    message["List-Unsubscribe"] = f"<https://news.example/leave/{person['to']}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    return message
