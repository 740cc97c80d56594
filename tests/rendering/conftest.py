"""A small workspace with the smallest theme, and one call from written text to rendered mail."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from newsletter.config import Config, load
from newsletter.content import reading
from newsletter.content.model import Issue
from newsletter.rendering import merge, pipeline, themes
from newsletter.rendering.model import Mode, Rendered

HERE = Path(__file__).parent
TOML = """
[site]
name = "Riverside Council"
url = "https://news.riverside.example"
language = "en-GB"
postal_address = "1 Quay Street, Riverside"

[senders.desk]
name = "Riverside Council"
address = "news@riverside.example"

[lists.all]
title = "All residents"
why = "You asked for news from Riverside Council."

[fields.ward]
type = "text"
example = "North Quay"

[fields.meeting]
type = "date"
example = "2026-12-08"

[fields.visits]
type = "number"
example = "12345"

[fields.page]
type = "text"
example = "https://riverside.example/you"

[mail]
reply_domain = "reply.riverside.example"
bounce_domain = "bounce.riverside.example"

[images]
carry = "url"
"""
FRONT = """---
subject: {subject}
preheader: {preheader}
from: desk
audience: [all]
template: plain
{more}---
"""
SYSTEM = {
    "reply_url": "https://news.riverside.example/r/abc",
    "reply_mailto": "mailto:reply+abc@reply.riverside.example?subject=Re%3A%20News",
    "reply_address": "reply+abc@reply.riverside.example",
    "unsubscribe_url": "https://news.riverside.example/u/abc",
    "rate_url": "https://news.riverside.example/rate/abc",
    "view_url": "https://news.riverside.example/v/abc",
    "share_url": "https://news.riverside.example/v/public",
    "why": "You asked for news from Riverside Council.",
}


@dataclass
class Copy:
    """One person's mail as text."""

    subject: str
    html: str
    text: str


@dataclass
class Desk:
    """The workspace of one test."""

    root: Path
    config: Config

    def write(
        self, body: str, subject: str = "News", preheader: str = "What is new", more: str = "", name: str = "issue.md"
    ) -> Path:
        """An issue folder with this text below a working front matter."""
        folder = self.root / "issues" / "2026-11-24-news"
        folder.mkdir(parents=True, exist_ok=True)
        text = FRONT.format(subject=subject, preheader=preheader, more=more) + "\n" + body
        (folder / name).write_text(text, encoding="utf-8")
        return folder

    def issue(self, body: str, **front: str) -> Issue:
        return reading.read(self.write(body, **front), self.config, "")

    def render(self, body: str, mode: Mode = Mode.SEND, **front: str) -> Rendered:
        """Written text, read and rendered with the theme `plain`."""
        issue = self.issue(body, **front)
        return pipeline.render(issue, themes.load(issue.front.template, self.config), self.config, mode)

    def copy(self, body: str, fields: Mapping[str, Any] | None = None, mode: Mode = Mode.SEND, **front: str) -> Copy:
        return filled(self.render(body, mode, **front), fields or {})

    def configure(self, extra: str, old: str = "", new: str = "") -> None:
        path = self.root / "newsletter.toml"
        path.write_text(path.read_text(encoding="utf-8").replace(old, new) + extra, encoding="utf-8")
        self.config = load(self.root)


def filled(rendered: Rendered, fields: Mapping[str, Any]) -> Copy:
    """The copy of a person with these values."""
    variant = merge.variant(rendered, merge.truths(rendered, fields))
    values = merge.fill(rendered, variant, fields, SYSTEM)
    return Copy(*(merge.join(part, values) for part in (variant.subject, variant.html, variant.text)))


def make(root: Path) -> Desk:
    (root / "newsletter.toml").write_text(TOML, encoding="utf-8")
    shutil.copytree(HERE / "plain", root / "templates" / "plain")
    return Desk(root, load(root))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return make(tmp_path)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """One workspace for property tests, which render many times and change nothing but the issue."""
    return make(tmp_path_factory.mktemp("shared"))
