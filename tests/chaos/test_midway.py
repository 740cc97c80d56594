"""What people do while a mailing is being sent: edit, delete, leave, join, pause and resume. It goes on as approved."""

from __future__ import annotations

import random
import re
import shutil
import threading
import time
from collections.abc import Callable

import pytest
from django import db

from newsletter.audience import erasing, subscribing
from newsletter.audience.models import Subscriber
from newsletter.rendering.model import Context, Hole
from newsletter.sending import erasing as ledger
from newsletter.sending import laws, mailings
from newsletter.sending.drain import Ended, How, drain
from newsletter.sending.models import Delivery, Mailing
from newsletter.sending.transports.connection import Connection
from tests.chaos.faulty import FaultyServer
from tests.chaos.test_matrix import quickly, started, states  # noqa: F401 (quickly is a fixture)
from tests.workspace import TOML, Workspace

PEOPLE = [f"person{n}@home.example" for n in range(120)]
CONNECTIONS = 3
ISSUE = "---\nsubject: Is it you?\nfrom: council\naudience: [all-residents]\n---\n\n# Is it you?\n\nHello.\n"


def send(workspace: Workspace, mailing: Mailing, server: FaultyServer) -> Ended:
    ended = drain(workspace.config, mailing, lambda: Connection(server.relay()), connections=CONNECTIONS)
    assert laws.check(mailing) == []
    assert set(server.copies().values()) <= {1}
    return ended


def at_mail(number: int, what: Callable[[], object]) -> Callable[[str, str], None]:
    """A plan that does something once, while the server has so many mails."""
    done: list[bool] = []

    def plan(phase: str, recipient: str) -> None:
        nonlocal number
        if phase == "dot":
            number -= 1
            if number <= 0 and not done:
                done.append(True)
                what()
                db.connection.close()

    return plan


def without_person(body: bytes) -> bytes:
    """A body without what belongs to one person: tokens, addresses, date and boundary."""
    text = re.sub(rb"[a-z2-7]{32}", b"TOKEN", body.replace(b"=\r\n", b""))
    text = re.sub(rb"person\d+@home\.example", b"PERSON", text)
    return re.sub(rb"(?m)^(Date|Message-ID):.*$", b"", re.sub(rb"={5,}\w+={2,}|boundary=\S+", b"B", text))


def test_an_issue_deleted_and_a_template_changed_in_mid_send_change_nothing(workspace: Workspace) -> None:
    workspace.write("issues/2026-11-24-test/issue.md", ISSUE)
    workspace.write("templates/council/layout.html", "<p>before</p>")
    mailing = started(workspace, PEOPLE)

    def edit() -> None:
        shutil.rmtree(workspace.root / "issues")
        workspace.write("templates/council/layout.html", "<p>after</p>")
        changed = TOML.replace("1 Example Street", "2 Another Street").replace("news@council", "other@council")
        (workspace.root / "newsletter.toml").write_text(changed + getattr(workspace, "database", ""), encoding="utf-8")

    with FaultyServer(at_mail(40, edit)) as server:
        assert send(workspace, mailing, server).how is How.DONE
    assert server.copies() == dict.fromkeys(PEOPLE, 1)
    assert len({without_person(body) for _, body in server.mails}) == 1


def forget(person: str) -> None:
    """What `newsletter recipients forget` does to them here: only keyed hashes stay."""
    with db.transaction.atomic():
        names = erasing.names_of(person)
        ledger.erase(names)
        erasing.erase(names)


@pytest.mark.parametrize("how", ["left", "complained", "bounced", "erased", "vanished"])
def test_who_goes_in_mid_send_gets_nothing_beyond_what_was_in_flight(workspace: Workspace, how: str) -> None:
    """L4: at most one body for each connection may be under way."""
    mailing = started(workspace, PEOPLE)
    gone: list[str] = []

    def go() -> None:
        have = {*server.copies()}
        gone.extend(person for person in PEOPLE if person not in have)
        for person in gone[-30:]:
            if how == "left":
                subscribing.leave(person, ["all-residents"], "one-click")
            elif how == "complained":
                subscribing.suppress(person, "bulk", "complaint", "mail")
            elif how == "bounced":  # an earlier issue's came back only now
                subscribing.suppress(person, "all", "gone", "mail")
            elif how == "erased":
                forget(person)
            else:
                Subscriber.objects.filter(canonical=person).delete()

    with FaultyServer(at_mail(30, go)) as server:
        ended = send(workspace, mailing, server)
    after_all = [person for person in gone[-30:] if server.copies()[person]]
    assert len(after_all) <= CONNECTIONS
    assert ended.counts["suppressed"] == 30 - len(after_all)
    assert ended.counts["accepted"] == 90 + len(after_all) == sum(server.copies().values())


def test_who_joins_in_mid_send_is_not_in_it(workspace: Workspace) -> None:
    mailing = started(workspace, PEOPLE)
    with FaultyServer(at_mail(30, lambda: workspace.people("late@home.example"))) as server:
        ended = send(workspace, mailing, server)
    assert Subscriber.objects.filter(canonical="late@home.example").exists()
    assert server.copies() == dict.fromkeys(PEOPLE, 1)
    assert ended.counts["accepted"] == mailing.frozen == 120


def test_ten_megabytes_in_one_persons_facts_hold_nobody_up(workspace: Workspace) -> None:
    """A slip in an import: that person gets it or fails with a reason; everybody else has it meanwhile."""
    workspace.people("poison@home.example", attributes={"meeting": "x" * 10_000_000})
    mailing = started(workspace, PEOPLE[:12], more=("<p>", Hole(4, Context.HTML), "</p>"))
    with FaultyServer() as server:
        ended = send(workspace, mailing, server)
    assert ended.how is How.DONE
    assert states()["poison@home.example"] == "failed"
    assert 0 < len(Delivery.objects.get(state="failed").reason) <= 300
    assert server.copies() == dict.fromkeys(PEOPLE[:12], 1)


@pytest.mark.sqlite  # PostgreSQL lets no name of more than 200 letters in
def test_a_text_of_ten_megabytes_for_one_person_holds_nobody_up(workspace: Workspace) -> None:
    workspace.people("poison@home.example", first_name="x" * 10_000_000)
    mailing = started(workspace, PEOPLE[:12])
    with FaultyServer() as server:
        send(workspace, mailing, server)
    assert {state for person, state in states().items() if person in PEOPLE} == {"accepted"}
    assert states()["poison@home.example"] in ("accepted", "failed", "deferred")


@pytest.mark.parametrize("seed", range(2))
def test_paused_and_resumed_a_hundred_times(workspace: Workspace, seed: int) -> None:
    chance = random.Random(seed)
    mailing = started(workspace, PEOPLE)
    over = threading.Event()
    turned = 0

    def staff() -> None:
        nonlocal turned
        mine = Mailing.objects.get()
        while turned < 100 and not over.is_set():
            turned += mailings.pause(mine) + mailings.resume(mine)
            over.wait(chance.uniform(0, 0.004))
        if mine.state == Mailing.State.PAUSED:
            mailings.resume(mine)
        db.connection.close()

    def slowly(phase: str, recipient: str) -> None:
        if phase == "dot" and turned < 100:
            time.sleep(0.002)

    with FaultyServer(slowly) as server:
        thread = threading.Thread(target=staff)
        thread.start()
        try:
            ended = send(workspace, mailing, server)
        finally:
            over.set()
            thread.join(30)
        if ended.how is not How.DONE:
            ended = send(workspace, mailing, server)
    assert turned > 20
    assert ended.how is How.DONE
    assert server.copies() == dict.fromkeys(PEOPLE, 1)
    assert ended.counts["accepted"] == 120
