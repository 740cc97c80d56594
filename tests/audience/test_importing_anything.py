"""An import of any bytes whatever (threat T20): an answer in words, numbers that add up, and nobody comes back."""

from __future__ import annotations

import os
import random

from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.audience import importing, never, subscribing
from newsletter.audience.models import ConsentEvent, Subscriber, Subscription, Suppression
from newsletter.problems import NewsletterError
from tests.workspace import Workspace

STOPPED, ERASED, LEFT = "sam@example.org", "erased@example.org", "left@example.org"
GOOD = "\r\n".join(
    [
        "email,first_name,language,lists,ward,meeting,tags",
        f'{STOPPED},Sam,en-GB,all-residents,"Stafford, North",2026-12-08,a;b',
        f" {ERASED.upper()} ,Ada,cy,monthly,North,08/12/2026,",
        f'{LEFT},"O""Brien",ur,all-residents;monthly,=1+1,,x',
        "sian@münchen.example,Siân,,,,,",
        "عائشہ@example.org,عائشہ,ur,monthly,,,",
    ]
)
PIECES = st.one_of(
    st.sampled_from(['"', '""', ",", ";", "\t", "|", "\r", "\n", "\r\n", "\0", "\x1b[31m", "\x85", "\u2028", "\ufeff"]),
    st.sampled_from(
        ["@", "=cmd|' /C calc'!A0", "'=", "%s", "{}", "\\", "xn--", "\u200b", "\u202e", "é", "а", STOPPED, ERASED]
    ),
    st.text(max_size=5),
)
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1", "utf-32"])


def emptied() -> None:
    with connection.cursor() as cursor:  # hypothesis runs all examples in one workspace
        for table in ("holding", "trait", "subscription", "subscriber", "suppression", "consentevent"):
            cursor.execute(f"DELETE FROM audience_{table}")


def told(workspace: Workspace, data: bytes, name: str, list_key: str, encoding: str = "") -> importing.Plan | None:
    path = workspace.write(f"recipients/{name}", data)
    try:
        plan = importing.plan(path, workspace.config, list_key, encoding=encoding)
        done = importing.run(plan)
    except NewsletterError as error:
        assert error.problems and all(problem.code and problem.message for problem in error.problems)
        return None
    assert plan.counts.adds_up and done.counts == plan.counts
    assert all(problem.message and problem.code for problem in plan.problems)
    return plan


def whole() -> None:
    """Nobody who must not be mailed can be, nobody without a proof, no address that is none."""
    people = set(Subscriber.objects.values_list("canonical", flat=True))
    assert ERASED not in people
    assert all(one.count("@") == 1 and one == one.strip() for one in people)
    joined = Subscription.objects.filter(state="confirmed").values_list("subscriber__canonical", "list__key")
    assert not {one for one, _ in joined} & {STOPPED, ERASED}
    assert (LEFT, "monthly") not in joined
    proofs = set(ConsentEvent.objects.filter(event="joined").values_list("canonical", "list_key"))
    assert set(joined) <= proofs


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    edits=st.lists(st.tuples(st.integers(0, len(GOOD)), st.integers(0, 3), PIECES), max_size=8),
    encoding=ENCODINGS,
    list_key=st.sampled_from(["", "monthly"]),
    seed=st.none() | st.integers(0, 1 << 16),
)
def test_a_file_that_was_damaged_anywhere_is_answered_and_brings_nobody_back(
    workspace: Workspace, edits: list[tuple[int, int, str]], encoding: str, list_key: str, seed: int | None
) -> None:
    emptied()
    subscribing.suppress(STOPPED, "bulk", "unsubscribed", "page")
    Suppression.objects.create(canonical=never.hashed(ERASED), scope="all", reason="erased")
    workspace.people(LEFT, lists=())
    subscribing.leave(LEFT, ["monthly"], "page")
    text = GOOD
    for place, cut, piece in edits:
        text = text[:place] + piece + text[place + cut :]
    data = bytearray(text.encode(encoding, "replace"))
    if seed is not None:  # and some bytes that no encoding has
        chance = random.Random(seed)
        for _ in range(6):
            data[chance.randrange(len(data))] = chance.randrange(256)
    told(workspace, bytes(data), "people.csv", list_key)
    whole()
    before = Subscriber.objects.count(), Subscription.objects.count(), ConsentEvent.objects.count()
    told(workspace, bytes(data), "people.csv", list_key)
    assert (Subscriber.objects.count(), Subscription.objects.count(), ConsentEvent.objects.count()) == before


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(max_size=300),
    head=st.sampled_from([b"", b"email\n", b"PK\x03\x04", b"\xff\xfe", b"email\tlists\r\n"]),
)
def test_any_bytes_are_answered(workspace: Workspace, data: bytes, head: bytes) -> None:
    emptied()
    for name in ("people.csv", "people.xlsx"):
        told(workspace, head + data, name, "monthly")
        whole()


def test_a_heading_in_another_encoding_is_left_out_and_the_rows_are_taken_or_refused(workspace: Workspace) -> None:
    rows = "".join(f"p{n}@example.org,1 High Street,Siân\n" for n in range(5)).encode()
    data = b"email,Stra\xdfe,first_name\n" + rows + b"zoe@example.org,X,Zo\xeb\nsam,X,Sam\n"
    plan = importing.plan(workspace.write("recipients/people.csv", data), workspace.config, "all-residents")
    assert (plan.counts.new, [one.code for one in plan.problems]) == (
        5,
        ["undeclared-column", "undecodable", "bad-address"],
    )
    assert plan.problems[0].message.startswith("The column ‘Stra\ufffde’ is not known here")
    done = importing.run(plan)
    assert done.refused_file and "zoe@example.org,X,Zo?" in done.refused_file.read_text(encoding="utf-8-sig")


def test_a_file_whose_name_is_not_utf_8_is_imported_and_named_as_well_as_can_be(workspace: Workspace) -> None:
    path = workspace.root / os.fsdecode(b"Stra\xdfe.csv")
    path.write_text("email\nsam@example.org\n")
    plan = importing.plan(path, workspace.config, "all-residents")
    assert importing.run(plan).counts.new == 1
    assert ConsentEvent.objects.get().why == "Imported from Stra\ufffde.csv"
