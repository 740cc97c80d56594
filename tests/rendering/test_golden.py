"""The mail of a few small issues, letter by letter. After a change that is meant: NEWSLETTER_GOLDEN=update pytest …"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from newsletter.rendering.model import Mode
from tests.rendering.conftest import Copy, Desk
from tests.rendering.test_text import EVERYTHING

GOLDEN = Path(__file__).parent / "golden"
ARABIC = """# أخبار

مرحبا {{ first_name or "جارنا" }}، اتصل على 101 أو +44 1785 232 385.

- أولا
- ثانيا
"""
CASES = {
    "short": ('# News\n\nHello {{ first_name or "neighbour" }}, one line & no more.\n', {}, Mode.SEND, ""),
    "everything": (EVERYTHING, {"first_name": "Ameera", "ward": "North Quay"}, Mode.SEND, ""),
    "arabic": (ARABIC, {"first_name": "Sam"}, Mode.SEND, "language: ar\n"),
    "public": (EVERYTHING, {}, Mode.WEB, ""),
    "test": ("# News\n\nWords.\n", {}, Mode.TEST, ""),
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_mail_is_the_golden_one(desk: Desk, name: str) -> None:
    body, fields, mode, more = CASES[name]
    made: Copy = desk.copy(body, fields, mode, more=more)
    for kind, text in (("html", made.html), ("txt", f"Subject: {made.subject}\n\n{made.text}")):
        path = GOLDEN / f"{name}.{kind}"
        if os.environ.get("NEWSLETTER_GOLDEN") == "update":
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), f"see {path}"
