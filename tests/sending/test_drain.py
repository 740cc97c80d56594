"""Carrying a mailing to a real SMTP server on loopback."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from django import db
from django.utils import timezone

from newsletter.audience import subscribing
from newsletter.mail.tokens import Keyring, Purpose
from newsletter.problems import Exit, NewsletterError
from newsletter.rendering.model import Context, Hole
from newsletter.sending import crew, laws, mailings, relays, verdicts
from newsletter.sending.drain import Ended, How, Progress, drain
from newsletter.sending.models import Delivery, Mailing
from newsletter.sending.outbox import Leased, Outbox
from newsletter.sending.transports.connection import Connection
from tests.chaos.faulty import FaultyServer
from tests.sending.made import NORTH, a_rendered, an_issue, only_north
from tests.sending.servers import HANG_UP, Sink
from tests.workspace import Workspace


def addresses(number: int) -> list[str]:
    return [f"person{n}@home.example" for n in range(number)]


def test_everybody_gets_one_copy(workspace: Workspace) -> None:
    people = addresses(40)
    workspace.people(*people, first_name="Sam")
    mailing = mailings.approve(workspace.config, {"": a_rendered()}, an_issue())
    mailings.start(mailing)
    with Sink() as sink:
        ended = drain(workspace.config, mailing, lambda: Connection(sink.relay), connections=4)
    assert ended.how is How.DONE
    assert sink.copies() == dict.fromkeys(people, 1)
    assert mailings.status(mailing)["accepted"] == 40
    assert mailing.state == Mailing.State.FINISHED
    assert laws.check(mailing) == []


def started(workspace: Workspace, number: int = 12, **more: object) -> Mailing:
    workspace.people(*addresses(number), first_name="Sam")
    mailing = mailings.approve(workspace.config, {"": a_rendered(**more)}, an_issue())  # type: ignore[arg-type]
    mailings.start(mailing)
    return mailing


def run(workspace: Workspace, mailing: Mailing, sink: Sink, connections: int = 3, **more: object) -> Ended:
    """Drain once; the books must balance however it ends, and no stranger and nobody twice is at the server."""
    ended = drain(
        workspace.config,
        mailing,
        lambda: Connection(sink.relay),
        connections=connections,
        **{"patience": timedelta(0), **more},  # type: ignore[arg-type]
    )
    assert laws.check(mailing) == []
    assert set(sink.copies().values()) <= {1}
    status = mailings.status(mailing)
    assert ended.counts == {state: status[state] for state in ended.counts}
    return ended


def plan(**answers: str) -> Callable[[str, str], str]:
    """plan(rcpt="550 …"): this answer for everybody; a key such as `rcpt_person3` for one person only."""

    def ask(phase: str, recipient: str) -> str:
        return answers.get(f"{phase}_{recipient.partition('@')[0]}", answers.get(phase, ""))

    return ask


def now_due() -> None:
    Delivery.objects.filter(state="deferred").update(due=timezone.now() - timedelta(seconds=1))


def test_one_bad_address_fails_alone(workspace: Workspace) -> None:
    mailing = started(workspace)
    with Sink(plan(rcpt_person3="550 5.1.1 No such user")) as sink:
        ended = run(workspace, mailing, sink)
    assert (ended.counts["accepted"], ended.counts["failed"]) == (11, 1)
    failed = Delivery.objects.get(state="failed")
    assert failed.address == "person3@home.example"
    assert failed.reason == "address does not exist (550 5.1.1 No such user)"
    assert (ended.how, mailing.state) == (How.DONE, "finished")


def test_not_now_is_tried_again_later_and_only_then(workspace: Workspace) -> None:
    mailing = started(workspace)
    with Sink(plan(rcpt_person3="451 4.7.1 Greylisted")) as sink:
        ended = run(workspace, mailing, sink)
        assert (ended.how, ended.counts["deferred"]) == (How.LATER, 1)
        assert ended.next_due and timedelta(seconds=20) < ended.next_due - timezone.now() <= timedelta(seconds=30)
        assert mailing.state == "sending"
        assert run(workspace, mailing, sink).counts["deferred"] == 1  # not due yet: nothing is done
        sink.plan = plan()
        now_due()
        assert run(workspace, mailing, sink).how is How.DONE
    assert sink.copies() == dict.fromkeys(addresses(12), 1)
    assert mailing.state == "finished"


def test_people_due_soon_are_waited_for(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "DELAYS", (timedelta(milliseconds=100),))
    mailing = started(workspace, 3)
    asked: Counter[str] = Counter()

    def grey(phase: str, recipient: str) -> str:
        asked[f"{phase} {recipient}"] += 1
        return "451 4.7.1 Greylisted" if phase == "rcpt" and asked[f"rcpt {recipient}"] == 1 else ""

    with Sink(grey) as sink:
        ended = run(workspace, mailing, sink, patience=timedelta(seconds=30))
    assert (ended.how, ended.counts["accepted"]) == (How.DONE, 3)


def test_the_envelope_sender_is_the_same_at_every_attempt(workspace: Workspace) -> None:
    mailing = started(workspace, 1)
    with Sink(plan(dot="451 4.3.0 later")) as sink:
        for _ in range(2):
            run(workspace, mailing, sink)
            now_due()
    senders = sink.senders
    assert len(senders) == 2 and len(set(senders)) == 1


def test_after_two_days_a_newsletter_is_given_up(workspace: Workspace) -> None:
    mailing = started(workspace, 2)
    Mailing.objects.update(started_at=timezone.now() - timedelta(days=3))
    mailing.refresh_from_db()
    with Sink(plan(rcpt_person1="450 4.2.1 busy")) as sink:
        ended = run(workspace, mailing, sink)
    assert (ended.counts["accepted"], ended.counts["expired"]) == (1, 1)


def test_nobody_is_tried_again_after_the_day_until_which_an_issue_is_of_use(workspace: Workspace) -> None:
    workspace.people(*addresses(2))
    issue = an_issue()
    yesterday = (timezone.localdate() - timedelta(days=1)).isoformat()
    issue = replace(issue, front=replace(issue.front, useful_until=yesterday))
    mailing = mailings.approve(workspace.config, {"": a_rendered()}, issue)
    mailings.start(mailing)
    with Sink(plan(rcpt_person1="450 4.2.1 busy")) as sink:
        ended = run(workspace, mailing, sink)
    assert (ended.counts["accepted"], ended.counts["expired"]) == (1, 1)


def test_a_lost_connection_before_the_dot_is_no_loss_and_no_doubt(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relays, "RESTS", (0.01,))
    mailing = started(workspace)
    hung: set[str] = set()

    def once(phase: str, recipient: str) -> str:
        if phase == "data" and recipient.startswith("person5") and recipient not in hung:
            hung.add(recipient)
            return HANG_UP
        return ""

    with Sink(once) as sink:
        ended = run(workspace, mailing, sink)
    assert hung and ended.counts["accepted"] == 12
    assert sink.copies() == dict.fromkeys(addresses(12), 1)


def test_a_connection_lost_after_the_dot_is_uncertain_and_not_repeated(workspace: Workspace) -> None:
    mailing = started(workspace)
    with Sink(plan(dot_person4=HANG_UP)) as sink:
        run(workspace, mailing, sink)
        ended = run(workspace, mailing, sink)
    assert (ended.counts["accepted"], ended.counts["uncertain"]) == (11, 1)
    assert sink.copies()["person4@home.example"] == 1
    assert mailing.state == "sending"  # not finished: one person is not settled


def test_a_refusal_of_ourselves_pauses_and_says_so(workspace: Workspace) -> None:
    mailing = started(workspace)
    with Sink(plan(dot="550 5.7.26 This mail is unauthenticated")) as sink:
        ended = run(workspace, mailing, sink, connections=2)
    assert (ended.how, mailing.state) == (How.PAUSED, "paused")
    assert "refuses us, not one person" in ended.words and "5.7.26" in mailing.paused_why
    assert ended.counts["failed"] == 0
    assert ended.counts["deferred"] <= 2


def test_one_mailbox_that_refuses_us_holds_nobody_up_after_resume(workspace: Workspace) -> None:
    mailing = started(workspace)
    with Sink(plan(dot_person0="554 5.7.1 We do not like you")) as sink:
        assert run(workspace, mailing, sink).how is How.PAUSED
        mailings.resume(mailing)
        now_due()
        ended = run(workspace, mailing, sink)
    assert (ended.how, ended.counts["accepted"], ended.counts["deferred"]) == (How.LATER, 11, 1)


def test_a_server_that_is_not_there_loses_nobody(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relays, "RESTS", (0.01,))
    mailing = started(workspace)
    with Sink() as sink:
        pass
    ended = run(workspace, mailing, sink)
    assert (ended.how, ended.counts["pending"]) == (How.UNREACHABLE, 12)
    assert "does not take mail" in ended.words
    with Sink() as other:
        assert run(workspace, mailing, other).counts["accepted"] == 12


def test_a_busy_server_is_given_a_rest(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relays, "RESTS", (0.02,))
    mailing = started(workspace)
    said: list[str] = []

    def busy(phase: str, recipient: str) -> str:
        if phase == "mail" and not said:
            said.append("busy")
            return "421 4.3.2 too busy"
        return ""

    notes: set[str] = set()
    with Sink(busy) as sink:
        ended = run(workspace, mailing, sink, on_progress=lambda progress: notes.add(progress.note))
    assert ended.counts["accepted"] == 12


def test_a_value_that_cannot_be_shown_fails_that_person_alone(workspace: Workspace) -> None:
    workspace.people("odd@home.example", attributes={"meeting": "the 40th of May"})
    mailing = started(workspace, more=("<p>", Hole(4, Context.HTML), "</p>"))
    with Sink() as sink:
        ended = run(workspace, mailing, sink)
    assert (ended.counts["accepted"], ended.counts["failed"]) == (12, 1)
    assert "the 40th of May" in Delivery.objects.get(state="failed").reason


def test_an_address_the_server_cannot_write_fails_alone(workspace: Workspace) -> None:
    workspace.people("siân@home.example")
    mailing = started(workspace)
    with Sink() as sink:
        ended = run(workspace, mailing, sink)
    assert (ended.counts["accepted"], ended.counts["failed"]) == (12, 1)
    assert "SMTPUTF8" in Delivery.objects.get(state="failed").reason


def test_a_mailing_of_which_nothing_can_be_built_pauses(workspace: Workspace) -> None:
    workspace.people(*addresses(30), attributes={"meeting": "never"})
    mailing = started(workspace, more=("<p>", Hole(4, Context.HTML), "</p>"))
    with Sink() as sink:
        ended = run(workspace, mailing, sink)
    assert ended.how is How.PAUSED
    assert "could not be built" in mailing.paused_why
    assert ended.counts["pending"] > 0


def test_bodies_that_have_begun_leave_though_the_mailing_pauses_itself_in_that_moment(workspace: Workspace) -> None:
    """With pipelining the next mail is built while others begin: the tenth that cannot be built pauses the mailing."""
    workspace.people(*addresses(6))
    workspace.people(*[f"odd{n}@home.example" for n in range(30)], attributes={"meeting": "never"})
    mailing = mailings.approve(
        workspace.config, {"": a_rendered(more=("<p>", Hole(4, Context.HTML), "</p>"))}, an_issue()
    )
    mailings.start(mailing)
    with FaultyServer() as server:
        ended = drain(workspace.config, mailing, lambda: Connection(server.relay()), connections=3)
    counts = ended.counts
    assert (ended.how, counts["failed"], counts["uncertain"]) == (How.PAUSED, 10, 0)
    assert counts["accepted"] + counts["pending"] == 26  # who was only named goes back
    assert sum(server.copies().values()) == counts["accepted"]


def test_pause_from_elsewhere_halts_within_a_second(workspace: Workspace) -> None:
    mailing = started(workspace, 200)
    paused: list[float] = []
    late: list[float] = []

    def slow(phase: str, recipient: str) -> str:
        if phase == "mail":
            time.sleep(0.005)
            if paused and time.monotonic() - paused[0] > 1:
                late.append(time.monotonic())
        return ""

    def watch(progress: Progress) -> None:
        if progress.sent >= 20 and not paused:
            mailings.pause(Mailing.objects.get())
            paused.append(time.monotonic())
        if progress.held:
            asked.set()

    asked = threading.Event()
    with Sink(slow) as sink:
        ended = run(workspace, mailing, sink, on_progress=watch, should_stop=asked.is_set)
    assert ended.how is How.INTERRUPTED and mailing.state == "paused"
    assert 20 <= ended.counts["accepted"] < 200 and not late
    assert ended.counts["pending"] == 200 - ended.counts["accepted"]


def test_resume_from_elsewhere_goes_on_in_the_same_window(workspace: Workspace) -> None:
    mailing = started(workspace, 60)
    done: list[str] = []

    def watch(progress: Progress) -> None:
        if progress.sent >= 5 and not done:
            mailings.pause(Mailing.objects.get())
            done.append("paused")
        elif progress.held and done == ["paused"]:
            mailings.resume(Mailing.objects.get())
            done.append("resumed")

    with Sink(plan()) as sink:
        sink.plan = lambda phase, recipient: time.sleep(0.003) or "" if phase == "mail" else ""
        ended = run(workspace, mailing, sink, on_progress=watch)
    assert done == ["paused", "resumed"]
    assert (ended.how, ended.counts["accepted"]) == (How.DONE, 60)


def test_stop_from_elsewhere_cancels_the_rest(workspace: Workspace) -> None:
    mailing = started(workspace, 200)
    stopped: list[int] = []

    def watch(progress: Progress) -> None:
        if progress.sent >= 10 and not stopped:
            stopped.append(mailings.stop(Mailing.objects.get()))

    with Sink(lambda phase, recipient: time.sleep(0.003) or "") as sink:
        ended = run(workspace, mailing, sink, on_progress=watch)
    assert (ended.how, mailing.state) == (How.STOPPED, "stopped")
    assert ended.counts["cancelled"] == 200 - ended.counts["accepted"] > 100
    assert sum(sink.copies().values()) == ended.counts["accepted"]


def test_ctrl_c_finishes_what_is_in_flight(workspace: Workspace) -> None:
    mailing = started(workspace, 200)
    asked = threading.Event()

    def watch(progress: Progress) -> None:
        if progress.sent >= 10:
            asked.set()

    with Sink(lambda phase, recipient: time.sleep(0.003) or "") as sink:
        ended = run(workspace, mailing, sink, on_progress=watch, should_stop=asked.is_set)
        assert ended.how is How.INTERRUPTED
        assert ended.counts["uncertain"] == ended.counts["leased"] == ended.counts["inflight"] == 0
        assert sum(sink.copies().values()) == ended.counts["accepted"] < 200
        sink.plan = plan()
        assert run(workspace, mailing, sink).counts["accepted"] == 200


def test_who_leaves_while_it_is_sent_gets_nothing_any_more(workspace: Workspace) -> None:
    mailing = started(workspace, 120)
    left: list[str] = []

    def leaving(phase: str, recipient: str) -> str:
        if phase == "data" and recipient == "person20@home.example" and not left:
            left.append("person119@home.example")
            subscribing.leave(left[0], ["all-residents"], "one-click")
            db.connection.close()
        return ""

    with Sink(leaving) as sink:
        ended = run(workspace, mailing, sink)
    assert (ended.counts["accepted"], ended.counts["suppressed"]) == (119, 1)
    assert left[0] not in sink.copies()


def test_two_senders_at_once_are_refused(workspace: Workspace) -> None:
    mailing = started(workspace, 3)
    refused: list[NewsletterError] = []

    def second(progress: Progress) -> None:
        if not refused:
            with pytest.raises(NewsletterError) as error:
                drain(workspace.config, mailing, lambda: Connection(sink.relay))
            refused.append(error.value)

    with Sink() as sink:
        ended = run(workspace, mailing, sink, on_progress=second)
    assert refused[0].exit == Exit.REFUSED
    assert "2026-11-24-test is being sent from here since" in refused[0].problems[0].message
    assert ended.counts["accepted"] == 3


def test_each_person_gets_their_own_language_and_blocks(workspace: Workspace) -> None:
    workspace.people("north@home.example", attributes={"ward": "Stafford North"})
    workspace.people("cymro@home.example", language="cy-GB")
    renders = {
        "": a_rendered(more=only_north("Roads in the north"), conditions=(NORTH,)),
        "cy": a_rendered(subject=("Ai chi ydyw?",), language="cy"),
    }
    mailing = mailings.approve(workspace.config, renders, an_issue())
    mailings.start(mailing)
    with Sink() as sink:
        run(workspace, mailing, sink)
    mails = {recipient: message_from_bytes(body, policy=policy.default) for _, recipient, body in sink.mails}
    assert mails["cymro@home.example"]["Subject"] == "Ai chi ydyw?"
    north = mails["north@home.example"].get_body(("html",))
    assert north and "Roads in the north" in north.get_content()
    assert mails["north@home.example"]["Subject"] == "Is it you?"


def test_a_mail_carries_its_signed_addresses(workspace: Workspace) -> None:
    mailing = started(workspace, 1)
    with Sink() as sink:
        run(workspace, mailing, sink)
    sender, _, body = sink.mails[0]
    mail = message_from_bytes(body, policy=policy.default)
    row = Delivery.objects.get()
    keyring = Keyring.load(workspace.config.var / "secret.key")
    for text, purpose in (
        (sender, Purpose.BOUNCE),
        (str(mail["Reply-To"]), Purpose.REPLY),
        (str(mail["Message-ID"]), Purpose.MESSAGE_ID),
    ):
        token = re.search(r"[a-z2-7]{32}", text)
        assert token and keyring.read(token[0]) == (purpose, bytes(row.token))
    token = re.search(r"/u/([a-z2-7]{32})", str(mail["List-Unsubscribe"]))
    assert token and keyring.read(token[1]) == (Purpose.UNSUBSCRIBE, bytes(row.token))


def test_a_whole_batch_that_left_ends_nothing(workspace: Workspace) -> None:
    """A lease that brings nobody because all of them have left is not the end of the mailing."""
    mailing = started(workspace, 130)
    for address in addresses(120):
        subscribing.suppress(address, "bulk", "staff", "staff")
    with Sink() as sink:
        ended = run(workspace, mailing, sink)
    assert (ended.how, ended.counts["accepted"], ended.counts["suppressed"]) == (How.DONE, 10, 120)
    assert mailing.state == "finished"


def test_a_closed_pipe_leaves_nobody_in_doubt(workspace: Workspace) -> None:
    """`newsletter send | head -1`: what is in flight is finished before the error ends the command."""
    mailing = started(workspace)
    at_the_dot, broken = threading.Event(), threading.Event()

    def slow(phase: str, recipient: str) -> str:
        if phase == "dot":
            at_the_dot.set()
            broken.wait(10)
            time.sleep(0.1)
        return ""

    def pipe(progress: Progress) -> None:
        if at_the_dot.is_set():
            broken.set()
            raise BrokenPipeError

    with Sink(slow) as sink:
        with pytest.raises(BrokenPipeError):
            drain(workspace.config, mailing, lambda: Connection(sink.relay), pipe, connections=2)
        counts = mailings.status(mailing)
        assert counts["inflight"] == counts["leased"] == 0
        assert counts["accepted"] == sum(sink.copies().values()) > 0
        assert run(workspace, mailing, sink).how is How.DONE


def test_idle_connections_do_not_ask_the_ledger_whenever_one_has_finished(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailing = started(workspace, 60)
    leases = 0
    original = Outbox.lease

    def counted(self: Outbox, number: int) -> tuple[list[Leased], int]:
        nonlocal leases
        leases += 1
        return original(self, number)

    monkeypatch.setattr(Outbox, "lease", counted)
    began = time.monotonic()
    with Sink() as sink:
        assert run(workspace, mailing, sink, connections=30).how is How.DONE
    assert leases <= 4 + (time.monotonic() - began) / crew.LOOK
