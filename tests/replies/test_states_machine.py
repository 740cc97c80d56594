"""The desk against a model: whatever anybody does, in any order, nobody is forgotten and the log only grows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from newsletter.problems import NewsletterError
from newsletter.replies import answering, intake, report, returns
from newsletter.replies import desk as verbs
from newsletter.replies.models import Bounce, Conversation, DeskEntry, Message, Raw
from newsletter.sending.models import Notice
from tests.replies.conftest import Sent, mail
from tests.replies.desk_made import Desk

VERBS = ("claim", "close", "reopen", "spam")


def machine(desk: Desk, sent: Sent) -> type[RuleBasedStateMachine]:
    """One conversation, two colleagues; every example begins in an emptied desk."""

    class OneConversation(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            Message.objects.all().delete()
            Conversation.objects.all().delete()
            Bounce.objects.all().delete()
            Raw.objects.all().delete()
            Notice.objects.all().delete()
            self.number = desk.writes(sent, "First").pk
            self.state = "new"
            self.opened: dict[str, int] = {}
            self.lines = self.version = 0

        def now(self) -> Conversation:
            return Conversation.objects.get(pk=self.number)

        @rule()
        def they_write(self) -> None:
            assert desk.writes(sent, "More").pk == self.number
            self.state = {"new": "new", "spam": "spam"}.get(self.state, "open")

        @rule()
        def a_machine_writes(self) -> None:
            raw = mail(sent.reply, "away", message_id=f"<{next(desk.numbers)}@x>", Auto_Submitted="auto-replied")
            assert intake.accept(raw, sent.reply).kind == "auto"

        @rule(key=st.sampled_from(["jo", "sam"]))
        def opens(self, key: str) -> None:
            self.opened[key] = verbs.seen(self.number, desk.colleague(key), self.now().version).version

        @rule(key=st.sampled_from(["jo", "sam"]), verb=st.sampled_from(VERBS))
        def does(self, key: str, verb: str) -> None:
            before = self.now()
            try:
                getattr(verbs, verb)(self.number, desk.colleague(key))
            except NewsletterError as error:
                assert error.problems[0].code == "not-in-this-state"
                assert self.now().version == before.version
                return
            self.state = {
                "claim": {"new": "open", "snoozed": "open"}.get(self.state, self.state),
                "close": "closed",
                "reopen": "open",
                "spam": "spam",
            }[verb]
            if self.opened.get(key) == before.version:
                self.opened[key] = before.version + 1

        @rule()
        def puts_off_and_wakes(self) -> None:
            if self.state in ("closed", "spam"):
                return
            verbs.snooze(self.number, desk.jo, timezone.now() + timedelta(hours=1))
            assert self.now().state == "snoozed"
            assert verbs.wake(timezone.now() + timedelta(hours=2)) == 1
            self.state, self.opened = "open", {}

        @rule(key=st.sampled_from(["jo", "sam"]), arrives=st.booleans())
        def answers(self, key: str, arrives: bool) -> None:
            by, before = desk.colleague(key), self.now()
            fresh = self.opened.get(key) == before.version
            try:
                number = answering.send(desk.config, answering.plan(desk.config, self.number, by, "Yes"), by)
            except NewsletterError as error:
                wanted = {"not-in-this-state"} if fresh else {"conversation-moved", "not-read-yet"}
                assert error.problems[0].code in wanted and not (fresh and self.state != "spam")
                return
            assert fresh, "an answer went out over something that its writer had not seen"
            self.opened[key] = before.version + 1
            self.state = "waiting"
            Notice.objects.filter(pk=number).update(state="accepted" if arrives else "failed")
            assert returns.look() == (not arrives)
            if not arrives:
                self.state = "open"

        @invariant()
        def it_is_where_the_model_says(self) -> None:
            found = self.now()
            assert found.state == self.state
            assert (found.waiting_since is not None) == (self.state in ("new", "open")), found.state
            assert (found.due is None) == (found.waiting_since is None)

        @invariant()
        def the_log_and_the_version_only_grow(self) -> None:
            lines, version = DeskEntry.objects.filter(conversation=self.number).count(), self.now().version
            assert lines >= self.lines and version >= self.version
            self.lines, self.version = lines, version

        @invariant()
        def the_report_adds_up(self) -> None:
            found = report.report(desk.config)
            assert found.adds_up and found.all.conversations == (self.state != "spam")

    return OneConversation


def test_no_order_of_events_loses_a_person_or_sends_over_a_colleague(desk: Desk, pytestconfig: pytest.Config) -> None:
    sent = desk.post.sent_to("ada@example.net")
    desk.post.workspace.people("ada@example.net")
    wrote = {"sender": "Ada <ada@example.net>"}
    original = desk.writes
    desk.writes = lambda sent, body="", **more: original(sent, body, **{**wrote, **more})  # type: ignore[method-assign,assignment]
    run_state_machine_as_test(
        machine(desk, sent),
        settings=settings(
            max_examples=100 if pytestconfig.getoption("--everything") else 20,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
