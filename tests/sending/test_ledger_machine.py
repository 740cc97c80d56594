"""The ledger against a model: any order of leases, results, crashes, departures, pauses and stops keeps the laws."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from newsletter.audience import subscribing
from newsletter.audience.models import ConsentEvent, Subscriber, Subscription, Suppression
from newsletter.sending import laws, mailings
from newsletter.sending.models import Delivery, Mailing, Tally, UnsubscribeKey
from newsletter.sending.outbox import Leased, Outbox
from newsletter.sending.store import Store
from tests.sending import steps
from tests.sending.made import a_rendered, an_issue
from tests.workspace import Workspace

PEOPLE = [f"p{n}@home.example" for n in range(6)]


def machine(workspace: Workspace) -> type[RuleBasedStateMachine]:
    """The machine for one workspace; every example begins with its own mailing in an emptied database."""

    class Ledger(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            for model in (
                Delivery,
                Tally,
                Mailing,
                UnsubscribeKey,
                Subscription,
                Subscriber,
                Suppression,
                ConsentEvent,
            ):
                model.objects.all().delete()
            workspace.people(*PEOPLE)
            self.mailing = mailings.approve(workspace.config, {"": a_rendered()}, an_issue())
            mailings.start(self.mailing)
            self.store = Store()
            self.outbox = Outbox(self.store, self.mailing)
            self.held: list[Leased] = []  # what this sender believes is its own
            self.begun: list[Leased] = []
            self.stale: list[Leased] = []  # what a dead sender believed
            self.copies: dict[str, int] = dict.fromkeys(PEOPLE, 0)  # what the server has
            self.gone: set[str] = set()

        def teardown(self) -> None:
            self.store.close()

        @rule(number=st.integers(1, 4), begin=st.integers(0, 4))
        def take(self, number: int, begin: int) -> None:
            """Lease some rows, and begin some of those that are held."""
            rows, _ = self.outbox.lease(number)
            assert not {row.canonical for row in rows} & self.gone
            self.held += rows
            for _ in range(min(begin, len(self.held))):
                self.begin(self.held.pop(0))

        def begin(self, row: Leased) -> None:
            state = self.outbox.mailing_state()
            if steps.begin(self.outbox, row):
                assert row.canonical not in self.gone and state == "sending"
                self.begun.append(row)
            else:
                assert row.canonical in self.gone or state != "sending"
                self.outbox.give_back([row])

        @precondition(lambda self: self.begun)
        @rule(data=st.data(), result=st.sampled_from(["accepted", "failed", "deferred", "pending", "uncertain"]))
        def settle(self, data: st.DataObject, result: str) -> None:
            row = self.begun.pop(data.draw(st.integers(0, len(self.begun) - 1)))
            self.copies[row.canonical] += result == "accepted"
            due = timezone.now() - timedelta(seconds=1) if result == "deferred" else None
            assert steps.settle(self.outbox, row, result, code=250, due=due)

        @rule(arrived=st.booleans())
        def crash(self, arrived: bool) -> None:
            """kill -9: what was begun may or may not have arrived; the next sender settles what is left."""
            for row in self.begun:
                self.copies[row.canonical] += arrived
            self.stale += [*self.held, *self.begun]
            doubtful = len(self.begun)
            self.held, self.begun = [], []
            assert self.outbox.recover()[1] == doubtful

        @precondition(lambda self: self.stale)
        @rule(data=st.data())
        def a_dead_sender_wakes_up(self, data: st.DataObject) -> None:
            row = data.draw(st.sampled_from(self.stale))
            assert not steps.begin(self.outbox, row)
            assert not steps.settle(self.outbox, row, "accepted", code=250)
            before = self.outbox.counts()
            self.outbox.give_back([row])
            assert self.outbox.counts() == before

        @precondition(lambda self: self.held)
        @rule()
        def give_back(self) -> None:
            self.outbox.give_back(self.held)
            self.held = []

        @rule(person=st.sampled_from(PEOPLE), how=st.sampled_from(["leaves", "is suppressed", "is erased"]))
        def goes(self, person: str, how: str) -> None:
            if how == "leaves":
                subscribing.leave(person, ["all-residents"], "page")
            elif how == "is suppressed":
                subscribing.suppress(person, "all", "gone", "staff")
            else:
                Subscriber.objects.filter(canonical=person).delete()
            self.gone.add(person)

        @rule(verb=st.sampled_from(["pause", "resume", "resume", "resume", "stop"]))
        def staff(self, verb: str) -> None:
            if verb != "stop" or self.outbox.counts()["accepted"] > 2:
                getattr(mailings, verb)(self.mailing)

        @invariant()
        def the_books_balance(self) -> None:
            counts = self.outbox.counts()
            assert sum(counts.values()) == len(PEOPLE)
            assert counts["inflight"] == len(self.begun)

        @invariant()
        def nobody_has_two_copies_and_every_copy_is_known(self) -> None:
            states = dict(Delivery.objects.values_list("canonical", "state"))
            for person, copies in self.copies.items():
                assert copies <= 1
                assert copies == 0 or states[person] in ("accepted", "uncertain")
                assert states[person] != "accepted" or copies == 1

        @invariant()
        def the_verbs_agree(self) -> None:
            mailings.cancel_the_rest(self.mailing)
            mailings.finish(self.mailing)
            assert laws.check(self.mailing) == []

    return Ledger


def test_no_order_of_events_breaks_the_laws(workspace: Workspace, pytestconfig: pytest.Config) -> None:
    many = pytestconfig.getoption("--everything")
    run_state_machine_as_test(
        machine(workspace),
        settings=settings(
            max_examples=100 if many else 25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
