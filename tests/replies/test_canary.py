"""A mail to ourselves goes out and must come back; when two do not, people are told and what is being sent pauses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest

from tests.replies.conftest import Post

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
TOML = """
[replies]
canary = true
duty = "duty@council.example"
[staff.jo]
name = "Jo"
address = "jo@council.example"
"""


@pytest.fixture
def desk(post: Post) -> Post:
    post.workspace.toml(TOML)
    return post


def look(post: Post, quarters: float = 0) -> str:
    from newsletter.replies import canary

    return canary.look(post.workspace.config, NOON + QUARTER * quarters)


def bring_back(number: int = -1, sender: str = "news@council.example"):  # type: ignore[no-untyped-def]
    """Hand a canary back as a mail server would, by the address in it."""
    from newsletter.replies import intake
    from newsletter.sending.models import Notice

    notice = list(Notice.objects.filter(kind="canary").order_by("id"))[number]
    return intake.accept(bytes(notice.data), notice.address, sender, "pipe")


def notices(kind: str = "staff") -> list[str]:
    from newsletter.sending.models import Notice

    return list(Notice.objects.filter(kind=kind).order_by("id").values_list("address", flat=True))


def test_it_goes_out_every_quarter_of_an_hour(desk: Post) -> None:
    for quarters in (0, 0.5, 0.99, 1, 1.5, 2):
        look(desk, quarters)
    assert len(notices("canary")) == 3
    assert all(address.startswith("reply+") for address in notices("canary"))


TWO = """
[mailboxes.server]
kind = "lmtp"
[mailboxes.old]
kind = "maildir"
path = "old"
{more}
"""
REAL = '[mail]\ntransport = "smtp"'


def ours(post: Post, more: str) -> str:
    """What doctor says of the way back, with real mail."""
    base = (post.workspace.root / "newsletter.toml").read_text(encoding="utf-8")
    real = base.replace("[mail]", REAL).replace("[site]", '[site]\nurl = "https://n.example"')
    relay = '\n[relays.main]\nhost = "127.0.0.1"\nport = 1\n'
    (post.workspace.root / "newsletter.toml").write_text(real + relay + more, encoding="utf-8")
    return post.workspace.run("doctor").out


def test_every_mailbox_gets_a_canary_of_its_own(desk: Post) -> None:
    desk.workspace.toml(TOML + TWO.format(more='address = "old@council.example"'))
    look(desk)
    assert notices("canary")[1:] == ["old@council.example"] and notices("canary")[0].startswith("reply+")


def test_a_mailbox_that_cannot_be_tried_is_said(desk: Post) -> None:
    assert "No test mail goes through mailbox old" in ours(desk, TWO.format(more=""))


def test_that_nothing_is_tried_is_said(desk: Post) -> None:
    desk.workspace.toml(TOML.replace("canary = true", ""))
    assert "Nobody looks whether answers still arrive" in ours(desk, TWO.format(more=""))


def test_off_it_sends_nothing(desk: Post) -> None:
    desk.workspace.toml(TOML.replace("canary = true", ""))
    assert look(desk) == "" and notices("canary") == []


def test_one_that_is_back_disturbs_nobody(desk: Post) -> None:
    from newsletter.replies.models import Canary, Conversation, Raw

    look(desk)
    assert bring_back().kind == "auto"
    assert Canary.objects.get().back is not None and Raw.objects.get().detail == "canary"
    assert not Conversation.objects.exists()


def test_a_mailbox_without_plus_addresses_brings_it_back_by_its_signed_name(desk: Post) -> None:
    from newsletter.replies.models import Canary

    desk.workspace.toml(TOML.replace("[replies]", '[replies]\nmode = "shared"\nmailbox = "news@council.example"'))
    look(desk)
    assert notices("canary") == ["news@council.example"]
    assert bring_back().kind == "auto" and Canary.objects.get().back is not None


def test_somebody_elses_canary_is_none_of_ours(desk: Post) -> None:
    from newsletter.mail.tokens import Purpose
    from newsletter.replies import canary
    from newsletter.replies.identifying import Copy

    look(desk)
    assert not canary.came_back(Copy(Purpose.REPLY, b"123456789"))
    assert not canary.came_back(Copy())


def test_one_missing_is_no_alarm_and_two_in_a_row_are(desk: Post) -> None:
    look(desk)
    look(desk, 1)
    assert notices() == []
    assert "people were told" in look(desk, 2)
    assert notices() == ["duty@council.example", "jo@council.example"]
    look(desk, 3)
    look(desk, 4)
    assert len(notices()) == 2, "one silence is told once"


def test_two_missing_with_one_between_them_that_came_back_are_no_alarm(desk: Post) -> None:
    for quarters in range(6):
        look(desk, quarters)
        if quarters % 2:
            bring_back()
    assert notices() == []


def test_a_mailing_that_is_being_sent_pauses_with_words(desk: Post) -> None:
    from newsletter.sending import mailings
    from newsletter.sending.models import Mailing

    Mailing.objects.update(state="sending")
    for quarters in range(3):
        look(desk, quarters)
    desk.mailing.refresh_from_db()
    assert desk.mailing.state == "paused" and "answers do not reach us" in desk.mailing.paused_why
    mailings.resume(desk.mailing)
    look(desk, 3)
    desk.mailing.refresh_from_db()
    assert desk.mailing.state == "sending", "who resumed it has decided"


def test_when_they_come_again_people_are_told_once_and_the_next_silence_is_a_new_one(desk: Post) -> None:
    for quarters in range(3):
        look(desk, quarters)
    bring_back()
    assert "again" in look(desk, 2.5)
    assert look(desk, 2.6) == "" and len(notices()) == 4
    for quarters in (3, 4, 5):
        look(desk, quarters)
    assert len(notices()) == 6


def test_the_alarm_goes_through_a_second_relay_at_once(desk: Post) -> None:
    from newsletter.sending.models import Notice
    from newsletter.sending.transports.catcher import Catcher

    mail = desk.workspace.root / "second"
    with Catcher(mail, "127.0.0.1", 0) as catcher:
        first, second = (f'host = "127.0.0.1"\nport = {port}\n' for port in (1, catcher.port))
        relays = f"[relays.first]\n{first}[relays.second]\n{second}"
        base = (desk.workspace.root / "newsletter.toml").read_text()
        base = base.replace("[mail]", '[mail]\ntransport = "smtp"').replace(
            "[site]", '[site]\nurl = "https://n.example"'
        )
        desk.workspace.toml(relays, base.split("[database]")[0])
        for quarters in range(3):
            look(desk, quarters)
    assert set(Notice.objects.filter(kind="staff").values_list("state", flat=True)) == {"accepted"}


def test_the_list_of_replies_never_looks_calm_in_a_silence(desk: Post) -> None:
    from newsletter.replies import canary

    with mock.patch("newsletter.replies.canary.timezone.now", return_value=NOON + QUARTER * 2):
        for quarters in range(3):
            look(desk, quarters)
        assert "do not come back" in canary.missing_words()[0]
    ran = desk.workspace.run("replies", "list", "--json")
    assert "canary-missing" in ran.out


def test_when_nobody_sends_them_that_is_said_too(desk: Post) -> None:
    from newsletter.replies import canary

    assert "is the worker up?" in canary.missing_words()[0]
