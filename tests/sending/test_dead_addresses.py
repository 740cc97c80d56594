"""Whoever a server refuses for good while we send gets no more mail; whoever it refuses for our sake does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from newsletter.audience import subscribing
from newsletter.audience.models import ConsentEvent, Suppression
from newsletter.sending import dead_addresses, mailings
from newsletter.sending.drain import How, drain
from newsletter.sending.models import Delivery, Mailing
from newsletter.sending.transports.connection import Connection
from tests.sending.made import a_rendered, an_issue
from tests.sending.servers import Sink
from tests.workspace import Workspace

PEOPLE = tuple(f"person{number}@home.example" for number in range(6))
ANN = "ann@home.example"


def send(workspace: Workspace, plan: Callable[[str, str], str], slug: str = "2026-11-24-test") -> Mailing:
    """One mailing to everybody, to its end."""
    workspace.people(*PEOPLE, ANN)
    mailing = mailings.approve(workspace.config, {"": a_rendered(slug)}, an_issue(slug))
    mailings.start(mailing)
    with Sink(plan) as sink:
        ended = drain(workspace.config, mailing, lambda: Connection(sink.relay), patience=timedelta(0))
    assert ended.how is How.DONE
    return mailing


def refused(answer: str, phase: str = "rcpt", who: str = ANN) -> Callable[[str, str], str]:
    return lambda now, recipient: answer if (now, recipient) == (phase, who) else ""


def stopped() -> dict[str, str]:
    return dict(Suppression.objects.values_list("canonical", "scope"))


@pytest.mark.parametrize("phase", ["rcpt", "dot"])
@pytest.mark.parametrize(
    "answer",
    [
        "550 5.1.1 No such user",
        "550 5.1.10 RecipientNotFound",
        "550 No such user here",
        "556 5.1.10 accepts no mail",
        "550 5.4.1 Recipient address rejected: Access denied",
    ],
)
def test_a_dead_address_gets_no_more_mail(workspace: Workspace, answer: str, phase: str) -> None:
    send(workspace, refused(answer, phase))
    assert stopped() == {ANN: "all"}
    proof = ConsentEvent.objects.get(canonical=ANN, event="suppressed")
    assert "does not exist, when 2026-11-24-test was sent" in proof.why and proof.channel == "mail"
    again = send(workspace, lambda phase, who: "", "2026-12-01-next")
    assert again.frozen == len(PEOPLE)


@pytest.mark.parametrize("answer", ["552 5.2.2 Mailbox full", "550 5.0.0 No", "554 5.4.6 Too many hops"])
def test_once_full_or_without_a_reason_is_no_end(workspace: Workspace, answer: str) -> None:
    send(workspace, refused(answer))
    assert stopped() == {}


@pytest.mark.parametrize(("days", "ends"), [((30, 15), True), ((10, 5), False), ((30,), False)])
def test_full_three_times_in_a_row_over_two_weeks_ends_the_mailings(
    workspace: Workspace, days: tuple[int, ...], ends: bool
) -> None:
    for ago in days:
        send(workspace, refused("552 5.2.2 Mailbox full"), f"issue-{ago}")
        Delivery.objects.filter(mailing__slug=f"issue-{ago}").update(changed=timezone.now() - timedelta(days=ago))
    send(workspace, refused("552 5.2.2 Mailbox full"))
    assert stopped() == ({ANN: "bulk"} if ends else {})


def test_a_mail_that_was_taken_in_between_begins_the_count_anew(workspace: Workspace) -> None:
    for ago, answer in ((40, "552 5.2.2 Mailbox full"), (30, "552 5.2.2 Mailbox full"), (20, "")):
        send(workspace, refused(answer), f"issue-{ago}")
        Delivery.objects.filter(mailing__slug=f"issue-{ago}").update(changed=timezone.now() - timedelta(days=ago))
    send(workspace, refused("552 5.2.2 Mailbox full"))
    assert stopped() == {}


def test_a_relay_that_refuses_nearly_everybody_is_ill_itself(workspace: Workspace) -> None:
    mailing = send(workspace, lambda phase, who: "550 5.1.1 No such user" if phase == "rcpt" and who != ANN else "")
    assert mailings.status(mailing)["failed"] == len(PEOPLE)
    assert stopped() == {}


def test_whom_staff_have_allowed_since_is_left_alone(workspace: Workspace) -> None:
    mailing = send(workspace, refused("550 5.1.1 No such user"))
    subscribing.lift(ANN, "staff", "they wrote to us")
    assert dead_addresses.give_up(mailing) == 0 and stopped() == {}


def test_a_message_that_could_not_be_built_says_nothing_about_the_address(workspace: Workspace) -> None:
    workspace.people("siân@home.example")
    send(workspace, lambda phase, who: "")
    assert Delivery.objects.get(state="failed").reason and stopped() == {}


def test_it_is_said_at_the_end(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.sending.test_commands import ISSUE, SLUG

    workspace.people(*PEOPLE, ANN, first_name="Sam")
    workspace.write(f"issues/{SLUG}/issue.md", ISSUE)
    with Sink(refused("550 5.1.1 No such user")) as sink:
        monkeypatch.setattr("newsletter.sending.carrier.is_ours", lambda host, port, folder: True)
        workspace.toml(f'[catch]\nsmtp = "127.0.0.1:{sink.port}"\n')
        ran = workspace.run("send", "--yes", "--expect", "7")
    assert ran.exit == 5 and "1 address refused for good: no more mail goes there" in ran.out
