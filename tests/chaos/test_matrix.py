"""Every phase × every reply: twelve people are sent to through the fault, then the server is healed and it goes on.

Nobody is lost, nobody gets two copies, no answer slips to another person, and nobody is called a bounce for what is
not about them. Every day a part of the matrix, `--everything` (or NEWSLETTER_MATRIX=1) the whole.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from newsletter.config import Relay
from newsletter.sending import laws, mailings
from newsletter.sending.drain import Ended, How, drain
from newsletter.sending.models import Delivery, Mailing
from newsletter.sending.transports.connection import Connection
from newsletter.sending.transports.opening import Timeouts
from tests.chaos import replies
from tests.chaos.faulty import PHASES, Act, FaultyServer
from tests.sending.made import a_rendered, an_issue
from tests.sending.transports.conftest import Certificates, certificates  # noqa: F401 (a fixture)
from tests.workspace import Workspace

PEOPLE = [f"person{n}@home.example" for n in range(12)]
ONE = PEOPLE[4]
QUICK = Timeouts(connect=2, opening=0.4, command=0.25, data=0.25, body=0.5, dot=0.25)
# TLS needs some milliseconds of a busy machine; a fault elsewhere is not waited for.
PATIENT = Timeouts(connect=5, opening=10, command=10, data=10, body=10, dot=10)
SLOW = ("silence", "slow-loris", "no end")
NAMELESS = ("greeting", "ehlo", "starttls", "auth", "mail")  # nobody has been named yet: `one` is the second time


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A part of the matrix that is the same every day: by the sum of the name, so that no row or column is left out
    for long and the same test is in it on every machine."""
    if "kind" not in metafunc.fixturenames:
        return
    whole = metafunc.config.getoption("--everything") or os.environ.get("NEWSLETTER_MATRIX")
    cases = [
        (phase, kind, scope, pipelining)
        for phase in PHASES
        for kind in replies.KINDS
        if replies.means_something(kind, phase)
        for scope in ("one", "all")
        for pipelining in ("auto", "off")
    ]
    if not whole:
        cases = [case for case in cases if zlib.crc32(" ".join(case).encode()) % 6 == 0]
    metafunc.parametrize(("phase", "kind", "scope", "pipelining"), cases, ids=[" ".join(case) for case in cases])


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    from newsletter.sending import relays

    monkeypatch.setattr(relays, "RESTS", (0.01,))


def started(workspace: Workspace, people: list[str] = PEOPLE, **more: object) -> Mailing:
    workspace.people(*people, first_name="Sam")
    mailing = mailings.approve(workspace.config, {"": a_rendered(**more)}, an_issue())  # type: ignore[arg-type]
    mailings.start(mailing)
    return mailing


def a_plan(phase: str, kind: str, scope: str, hit: list[str]) -> Callable[[str, str], bytes | Act | None]:
    """The fault for all, or for one: by name where the server knows whom it is about, else for the second time."""
    what = replies.bytes_or_act(kind, phase)
    times = 0

    def plan(now: str, recipient: str) -> bytes | Act | None:
        nonlocal times
        if now != phase:
            return None
        times += 1
        second = 1 if phase in ("greeting", "ehlo", "starttls", "auth") else 2
        if scope == "one" and (times != second if phase in NAMELESS else recipient != ONE):
            return None
        hit.append(recipient)
        return what

    return plan


def once(workspace: Workspace, mailing: Mailing, connection: Callable[[], Connection]) -> Ended:
    ended = drain(workspace.config, mailing, connection, connections=2, patience=timedelta(0))
    assert laws.check(mailing) == []
    return ended


def until_done(workspace: Workspace, mailing: Mailing, connection: Callable[[], Connection]) -> Ended:
    """What a person and the clock do: resume what paused itself, and let the time to try again come."""
    for _ in range(6):
        Delivery.objects.filter(state="deferred").update(due=timezone.now() - timedelta(seconds=1))
        mailing.refresh_from_db()
        if mailing.state == Mailing.State.PAUSED:
            assert mailing.paused_why, "it paused itself without a word"
            mailings.resume(mailing)
        ended = once(workspace, mailing, connection)
        if ended.how is How.DONE:
            return ended
    raise AssertionError(f"still {ended.how} after the server was well: {ended.counts} {ended.words}")


def states() -> dict[str, str]:
    return dict(Delivery.objects.values_list("canonical", "state"))


def may_be_uncertain(phase: str, kind: str) -> bool:
    """Only where the whole mail had been handed over and no understandable answer came."""
    no_answer = kind in replies.ACTS or kind in replies.NONSENSE
    return no_answer and phase in ("half", "dot", "after") and not (phase == "dot" and kind == "twice")


def must_be_uncertain(phase: str, kind: str) -> bool:
    return phase == "dot" and kind in ("FIN", "RST", "silence", "slow-loris", *replies.NONSENSE)


def test_everybody_has_one_outcome(
    workspace: Workspace,
    certificates: Certificates,  # noqa: F811
    phase: str,
    kind: str,
    scope: str,
    pipelining: str,
) -> None:
    mailing = started(workspace)
    hit: list[str] = []
    with FaultyServer(
        a_plan(phase, kind, scope, hit),
        pipelining=pipelining == "auto",
        auth=phase == "auth",
        tls=certificates.server("good") if phase == "starttls" else None,
    ) as server:
        more = {"tls": "starttls"} if phase == "starttls" else {}
        more |= {"user": "us", "password": "secret"} if phase == "auth" else {}
        relay = server.relay(pipelining, **more)
        timeouts = QUICK if kind in SLOW or phase == "half" else PATIENT
        once(workspace, mailing, lambda: Connection(relay, timeouts=timeouts, context=certificates.client()))
        assert hit, "the fault never came"
        before, copies = states(), server.copies()
        assert max(copies.values(), default=0) <= 1
        server.plan = lambda phase, recipient: None
        until_done(workspace, mailing, lambda: Connection(relay, timeouts=PATIENT, context=certificates.client()))
    after = states()
    assert sorted(after) == sorted(PEOPLE)
    assert set(after.values()) <= {"accepted", "failed", "uncertain"}
    for person, state in after.items():
        is_hit = scope == "all" or person in hit or phase in NAMELESS
        got = server.copies()[person]
        assert got <= 1, f"{person} was mailed twice"
        if state == "accepted":
            assert got == 1, f"{person} is called accepted and has nothing"
        elif state == "failed":
            assert got == 0, f"{person} is called failed and has a copy"
            assert kind in replies.BOUNCES and is_hit, f"{person} is a bounce for {kind}"
            assert phase in ("rcpt", "data", "half", "dot")
        else:
            assert is_hit and may_be_uncertain(phase, kind), f"{person} is uncertain after {phase} {kind}"
            assert got == copies[person], "an uncertain one was sent again"
        if before[person] in ("accepted", "failed", "uncertain"):
            assert state == before[person], "what was settled is settled"
        if must_be_uncertain(phase, kind) and person in hit:
            assert before[person] == state == "uncertain"
    if scope == "one" and phase not in NAMELESS:
        assert {person for person, state in after.items() if state != "accepted"} <= {ONE}
    if pipelining == "off":
        assert server.grouped == 0


def test_the_server_itself_holds_to_the_protocol(workspace: Workspace) -> None:
    """Twelve people in the usual way: the oracle counts twelve, and nothing was out of order."""
    mailing = started(workspace)
    with FaultyServer() as server:
        assert once(workspace, mailing, lambda: Connection(server.relay())).how is How.DONE
    assert server.copies() == dict.fromkeys(PEOPLE, 1)


def quick(relay: Relay, certificates: Certificates | None = None) -> Callable[[], Connection]:  # noqa: F811
    return lambda: Connection(relay, timeouts=QUICK, context=certificates.client() if certificates else None)


def test_a_closed_window_in_the_middle_of_a_body_is_surely_tried_again(workspace: Workspace) -> None:
    """Six megabytes fit into nobody's socket (Linux lends a sender up to 4): what our own kernel did not take, the
    server cannot have."""
    people = PEOPLE[:2]
    mailing = started(workspace, people, more=(f"<p>{'x' * 70}</p>\n" * 80_000,))
    with FaultyServer(lambda phase, _: Act.SILENT if phase == "half" else None, window=4096) as server:
        once(workspace, mailing, quick(server.relay()))
        assert not server.mails
        assert set(states().values()) <= {"pending", "deferred"}
        server.plan = lambda phase, recipient: None
        until_done(workspace, mailing, lambda: Connection(server.relay(), timeouts=PATIENT))
    assert server.copies() == dict.fromkeys(people, 1)


def test_one_slow_connection_does_not_hold_up_the_others(workspace: Workspace) -> None:
    mailing = started(workspace)
    with FaultyServer(lambda phase, who: Act.DRIP if (phase, who) == ("rcpt", ONE) else None) as server:
        once(workspace, mailing, quick(server.relay()))
        assert {state for person, state in states().items() if person != ONE} == {"accepted"}
        server.plan = lambda phase, recipient: None
        until_done(workspace, mailing, quick(server.relay()))
    assert server.copies() == dict.fromkeys(PEOPLE, 1)


@pytest.mark.parametrize("wrong", ["expired", "stranger", "stripped", "downgrade"])
def test_encryption_that_cannot_be_had_sends_nothing_in_clear(
    workspace: Workspace,
    certificates: Certificates,  # noqa: F811
    wrong: str,
) -> None:
    """Neither a mail nor a password: everybody goes on waiting, and when it is put right everybody gets one."""
    mailing = started(workspace)

    def downgrade(phase: str, recipient: str) -> bytes | None:
        return b"454 4.7.0 TLS not available\r\n" if phase == "starttls" else None

    bad = certificates.server(wrong if wrong in ("expired", "stranger") else "good")
    with FaultyServer(
        downgrade if wrong == "downgrade" else lambda phase, recipient: None,
        tls=bad,
        auth=True,
        offer_tls=wrong != "stripped",
    ) as server:
        relay = server.relay(tls="starttls", user="us", password="secret")
        factory = lambda: Connection(relay, timeouts=PATIENT, context=certificates.client())  # noqa: E731
        ended = once(workspace, mailing, factory)
        assert (ended.how, ended.counts["pending"]) == (How.UNREACHABLE, 12)
        assert ended.words
        assert not [line for line in server.commands if line[:4] in (b"MAIL", b"AUTH")]
        server.plan, server.tls, server.offer_tls = lambda phase, who: None, certificates.server("good"), True
        until_done(workspace, mailing, factory)
    assert server.copies() == dict.fromkeys(PEOPLE, 1)
