"""Every block that docs/how-to/relays.md tells people to copy is one that the program takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from newsletter.config import load
from tests.workspace import TOML

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "relays.md"
SECTIONS = re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
BLOCKS = {title: block for title, text in SECTIONS for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL)}
URL = 'url = "https://news.example.org"'


def test_there_is_one_for_each_kind() -> None:
    assert set(BLOCKS) >= {"Your own Postfix", "Microsoft 365", "Google Workspace", "Amazon SES", "Postmark"}


@pytest.mark.parametrize("title", BLOCKS)
def test_a_block_can_be_copied_as_it_is(title: str, tmp_path: Path) -> None:
    text = TOML.replace("[mail]", '[mail]\ntransport = "smtp"').replace("[senders", f"{URL}\n[senders", 1)
    (tmp_path / "newsletter.toml").write_text(text + BLOCKS[title], encoding="utf-8")
    relay = load(tmp_path).relay()
    assert relay.tls != "none" and relay.password_file


@pytest.mark.parametrize("title", sorted(set(BLOCKS) - {"More than one relay"}))
def test_a_block_says_why_and_names_its_source(title: str) -> None:
    text = dict(SECTIONS)[title]
    assert "*Why:*" in text and "Source" in text
    assert "keeps = " in BLOCKS[title]


def test_microsoft_365_is_kept_within_its_three_numbers(tmp_path: Path) -> None:
    (tmp_path / "newsletter.toml").write_text(TOML + BLOCKS["Microsoft 365"], encoding="utf-8")
    relay = load(tmp_path).relay()
    assert (relay.rate * 60, relay.day, relay.connections, relay.auth) == (30, 10_000, 3, "xoauth2")


@pytest.mark.parametrize(
    ("line", "code"),
    [('warm_up = "soon"', "warm_up"), ("day = -1", "day"), ("rate = -0.5", "rate"), ("messages = -1", "messages")],
)
def test_a_limit_that_cannot_be_is_named(line: str, code: str, tmp_path: Path) -> None:
    from newsletter.problems import NewsletterError

    (tmp_path / "newsletter.toml").write_text(f'{TOML}\n[relays.main]\nhost = "h"\n{line}\n', encoding="utf-8")
    with pytest.raises(NewsletterError, match=code):
        load(tmp_path)
