"""One person's mail: however it is put together, the bytes are the same."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from newsletter import config as configuration
from newsletter.config import Config
from newsletter.mail.tokens import Keyring, Purpose
from newsletter.rendering.model import Context, Hole, Rendered
from newsletter.sending.message import Composer
from newsletter.sending.outbox import Leased
from tests.sending.made import NORTH, a_rendered, only_north
from tests.workspace import TOML

KEYS = Keyring({1: b"k" * 32})
SETTINGS: dict[str, Any] = {
    "sender_name": "Sam Okafor",
    "sender_address": "sam@staffordshire.example",
    "reply_to": "inbox",
    "lists": {"all-residents": {"title": "Residents", "why": "you live here"}, "youth": {"title": "Y", "why": "young"}},
}


@pytest.fixture
def config(tmp_path: Any) -> Config:
    (tmp_path / "newsletter.toml").write_text(TOML)
    return configuration.load(tmp_path)


def composer(config: Config, rendered: Rendered, **more: Any) -> Composer:
    when = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    return Composer(config, KEYS, {"": rendered}, {**SETTINGS, **more}, b"p" * 9, when)


def row(number: int, **more: Any) -> Leased:
    values = {"first_name": f"Zoë {number}", "meeting": f"2026-12-{number + 1:02}", "ward": "Stafford North"}
    made = Leased(
        number, 1, 0, f"p{number}@town.example", f"P{number}@town.example", f"Zoë {number}", "", values,
        ("all-residents",), f"token{number:04}".encode(), f"leave{number:04}".encode(),
    )  # fmt: skip
    return made._replace(**more)


def everybody() -> list[Leased]:
    return [
        row(1),
        row(2, name="", values={}),
        row(3, values={"first_name": "a" * 300, "ward": "Stafford North", "meeting": "2026-12-24"}),
        row(4, name="Ann, of “there”\u2014x", lists=("youth", "all-residents")),
        row(5, lists=()),
        row(6, values={"first_name": ".From = me"}),
        row(7, address="jörg@town.example"),
    ]


def test_the_mails_after_the_first_are_those_that_the_first_would_be(config: Config) -> None:
    rendered = a_rendered(more=(*only_north("north"), " on ", Hole(4, Context.HTML)), conditions=(NORTH,))
    worn = composer(config, rendered)
    for _ in range(2):
        together = [worn.compose(one) for one in everybody()]
    assert together == [composer(config, rendered).compose(one) for one in everybody()]
    assert all(made.plate for made in worn._cache.values()), "the quick way was not taken"
    assert not any(ready.unfit for ready in together)


@pytest.mark.parametrize("mode", ["shared", "token"])
def test_all_copies_of_a_mailing_are_made_where_answers_come_to_one_mailbox(tmp_path: Path, mode: str) -> None:
    (tmp_path / "newsletter.toml").write_text(f'{TOML}\n[replies]\nmode = "{mode}"\nmailbox = "news@council.example"\n')
    config = configuration.load(tmp_path)
    worn = composer(config, a_rendered())
    together = [worn.compose(one) for one in everybody()]
    assert together == [composer(config, a_rendered()).compose(one) for one in everybody()]
    senders = {ready.envelope_sender for ready in together}
    assert senders == {"news@council.example"} if mode == "shared" else len(senders) == len(together)


def test_a_subject_with_values_in_it_is_built_for_each_person(config: Config) -> None:
    worn = composer(config, a_rendered(subject=("For ", Hole(0, Context.SUBJECT))))
    subjects = [
        next(line for line in worn.compose(one).data.split(b"\r\n") if line.startswith(b"Subject")) for one in
        (row(1, values={"first_name": "Ann"}), row(2, values={"first_name": "Bob"}))
    ]  # fmt: skip
    assert subjects == [b"Subject: For Ann", b"Subject: For Bob"]


def test_every_token_in_a_mail_is_of_its_own_person(config: Config) -> None:
    worn = composer(config, a_rendered())
    worn.compose(row(1))
    ready = worn.compose(row(2))
    whole = ready.data.replace(b"=\r\n", b"").decode()
    for purpose, stored in (
        (Purpose.REPLY, b"token0002"),
        (Purpose.UNSUBSCRIBE, b"leave0002"),
        (Purpose.VIEW, b"token0002"),
    ):
        assert KEYS.make(purpose, stored) in whole
    assert KEYS.make(Purpose.BOUNCE, b"token0002") in ready.envelope_sender
    assert KEYS.make(Purpose.MESSAGE_ID, b"token0002") in whole.partition("\r\n")[0]


def test_a_row_without_the_token_to_leave_by_is_no_mail(config: Config) -> None:
    worn = composer(config, a_rendered())
    worn.compose(row(1))
    with pytest.raises(ValueError, match="stored id"):
        worn.compose(row(2, unsubscribe_token=b""))
