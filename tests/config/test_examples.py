"""What `init` wrote as an example is found before readers find it."""

from __future__ import annotations

from pathlib import Path

from newsletter.cli import init
from newsletter.config import Config, examples, load
from newsletter.problems import Severity

SMTP = """
[relays.main]
host = "smtp.example.org"
"""


def made(folder: Path, *, leaves: bool = False) -> Config:
    answers = {"organisation": examples.ORGANISATION, "sender": examples.SENDER, "public_address": "", "relay": "",
               "replies": examples.REPLIES}  # fmt: skip
    text = init.settings(answers)
    if leaves:
        text = text.replace('transport = "catcher"', 'transport = "smtp"') + SMTP
        text = text.replace('# url = "https', 'url = "https')
    (folder / "newsletter.toml").write_text(text, encoding="utf-8")
    return load(folder)


def test_every_default_that_people_would_see_is_worth_a_look_while_mail_is_caught(tmp_path: Path) -> None:
    found = examples.left(made(tmp_path))
    assert [one.code for one in found] == ["no-postal-address", "example-setting", "example-setting"]
    assert {one.severity for one in found} == {Severity.WARNING}
    lines = (tmp_path / "newsletter.toml").read_text().splitlines()
    for problem, word in zip(found, ("postal_address", "name", "address"), strict=True):
        assert problem.where is not None and problem.where.line is not None
        assert lines[problem.where.line - 1].startswith(word)


def test_mail_that_leaves_must_not_carry_them_and_answers_must_not_be_lost(tmp_path: Path) -> None:
    found = examples.left(made(tmp_path, leaves=True))
    assert {one.severity for one in found} == {Severity.ERROR}
    assert "reply.example.org" in found[-1].message


def test_a_sender_that_does_not_sign_this_issue_is_not_asked_about(tmp_path: Path) -> None:
    config = made(tmp_path)
    assert not any("sender" in one.message for one in examples.left(config, "somebody-else"))
