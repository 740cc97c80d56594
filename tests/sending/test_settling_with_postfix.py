"""Settling by a real Postfix: what broke after the dot had been taken, what broke before it had not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from newsletter.mail.tokens import Keyring, Purpose
from newsletter.sending import laws, mailings, settling
from newsletter.sending.mail_log import Reader, read_files
from newsletter.sending.models import Delivery, Mailing
from tests.postfix import missing, postfix
from tests.sending.test_settling import uncertain_mailing
from tests.workspace import Workspace

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(bool(missing()), reason=missing() or "-"),
]


def body(keyring: Keyring, row: Delivery) -> bytes:
    token = keyring.make(Purpose.MESSAGE_ID, bytes(row.token))
    return (
        f"Message-ID: <{token}@reply.council.example>\r\nFrom: <news@council.example>\r\nSubject: x\r\n\r\nHello\r\n"
    ).encode()


@pytest.mark.parametrize("long_ids", [False, True])
def test_after_the_dot_is_accepted_and_before_it_is_sent_again(workspace: Workspace, long_ids: bool) -> None:
    keyring = Keyring.load(workspace.root / "var" / "secret.key")
    with postfix(long_ids=long_ids) as mta:
        mta.wait_for(lambda text: "started" in text)
        mailing = uncertain_mailing(workspace, 30)
        rows = list(Delivery.objects.filter(mailing=mailing).order_by("id"))
        after, before, never = rows[:10], rows[10:20], rows[20:]
        for row in after:
            mta.transaction(row.address, body(keyring, row), answer=False)
        for row in before:
            mta.transaction(row.address, body(keyring, row) + b"\r\n" * 20000, dot=False)
        Delivery.objects.filter(mailing=mailing).update(changed=timezone.now())
        mta.wait_for(lambda text: text.count("(queue active)") == 10)
        mta.wait_for(lambda text: text.count("lost connection after DATA") >= 10 or text.count("disconnect from") >= 20)
        last = timezone.now() + timedelta(seconds=1.1)
        while timezone.now() < last:  # Postfix writes whole seconds: a line that is surely later
            mta.transaction("other@home.example", b"Subject: later\r\n\r\nx\r\n")
        people = settling.uncertain(mailing)
        reader = Reader(keyring, workspace.config.mail.reply_domain, {one.token for one in people}.__contains__)
        evidence = read_files(reader, [str(mta.log)])
        plan = settling.by_log(workspace.config, people, evidence, timedelta(0))
    assert {one.id for one, _ in plan.accepted} == {row.pk for row in after}
    assert {one.id for one in plan.again} == {row.pk for row in [*before, *never]}
    assert plan.left == []
    assert settling.apply(plan, "sam") == 30
    assert laws.check(mailing) == []
    counts = mailings.status(Mailing.objects.get())
    assert (counts["accepted"], counts["pending"], counts["uncertain"]) == (10, 20, 0)
