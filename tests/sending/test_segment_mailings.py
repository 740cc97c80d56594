"""A mailing to a segment: the number that was said is the number that is frozen, blocks know who is in which, and
leaving works as from a list."""

from __future__ import annotations

import json

import pytest
from django.db import connection

from newsletter.audience import segments, selecting, subscribing
from newsletter.sending.models import Delivery, LogEntry, Mailing
from tests.sending.steps import put
from tests.sending.test_commands import SLUG
from tests.workspace import Workspace

ISSUE = """---
subject: For the north
from: council
audience: [north]
---
Hello.

:::only{segment="young"}
You are young.
:::
"""


@pytest.fixture
def north(workspace: Workspace) -> Workspace:
    config = workspace.ready()
    workspace.people("a@home.example", attributes={"ward": "North", "tags": ["young"]})
    workspace.people("b@home.example", lists=("monthly", "all-residents"), attributes={"ward": "North"})
    workspace.people("c@home.example", attributes={"ward": "South"})
    workspace.people("d@home.example", lists=(), attributes={"ward": "North"})
    segments.save(config, "north", "The north", {"must": [{"field": "ward", "is": "North"}]})
    segments.save(config, "young", "Young people", {"must": [{"tag": "young"}]})
    workspace.write(f"issues/{SLUG}/issue.md", ISSUE)
    return workspace


def test_who_is_counted_is_frozen_with_lists_and_segments(north: Workspace) -> None:
    assert selecting.explain(north.config, ["north"]).sentence() == "The north 3 − 1 on none of the lists = 2"
    ran = north.run("send", "--dry-run")
    assert ran.exit == 0, ran.out + ran.err
    assert "a block shown only to young: 1" in ran.out
    ran = north.run("send", "--yes", "--expect", "2")
    assert ran.exit == 0, ran.out + ran.err
    rows = {row.canonical: row for row in Delivery.objects.all()}
    assert set(rows) == {"a@home.example", "b@home.example"}
    assert rows["b@home.example"].lists == ["all-residents", "monthly"]
    assert (rows["a@home.example"].values["segment"], rows["b@home.example"].values["segment"]) == (["young"], [])
    assert {row.state for row in rows.values()} == {"accepted"}


def test_who_got_a_message_and_who_did_not_are_chosen_by_the_ledger(north: Workspace) -> None:
    assert north.run("send", "--yes", "--expect", "2").exit == 0
    config = north.ready()
    north.people("e@home.example", "f@home.example")
    put("uncertain", "b@home.example")
    segments.save(config, "got", "Who got it", {"must": [{"got": SLUG}]})
    segments.save(config, "not", "Who did not", {"must": [{"did_not_get": SLUG}]})
    named = "SELECT canonical FROM ({}) AS person ORDER BY canonical"
    for key, wanted in (("got", "ab"), ("not", "cef")):
        statement, values = selecting.sql(config, [key])
        with connection.cursor() as cursor:
            cursor.execute(named.format(statement), values)
            assert [row[0] for row in cursor.fetchall()] == [f"{one}@home.example" for one in wanted]
        assert selecting.explain(config, [key]).will_get == len(wanted)
    put("failed", "b@home.example")
    assert selecting.explain(config, ["got"]).will_get == 1
    assert selecting.explain(config, ["not"]).will_get == 4


def test_who_leaves_all_lists_between_approval_and_sending_gets_nothing(north: Workspace) -> None:
    from newsletter.sending import mailings

    subscribing.leave("b@home.example", ["all-residents", "monthly"], "page")
    assert north.run("send", "--yes", "--expect", "1").exit == 0
    assert mailings.find(SLUG) is not None
    assert list(Delivery.objects.values_list("canonical", flat=True)) == ["a@home.example"]


def test_an_unknown_segment_is_said_with_its_place_and_the_nearest(north: Workspace) -> None:
    north.write(f"issues/{SLUG}/issue.md", ISSUE.replace("[north]", "[nroth]").replace('"young"', '"yuong"'))
    ran = north.run("check", SLUG, "--json")
    found = {problem["code"]: problem for problem in json.loads(ran.out)["problems"]}
    assert (found["unknown-list"]["line"], found["unknown-list"]["column"]) == (4, 12)
    assert found["unknown-list"]["hint"] == "did you mean north?"
    assert (found["unknown-segment"]["line"], found["unknown-segment"]["hint"]) == (8, "did you mean young?")


def test_the_most_per_week_holds_until_somebody_says_why_not(north: Workspace) -> None:
    north.toml("[sending]\nmost_per_week = 1\n")
    assert north.run("send", "--yes", "--expect", "2").exit == 0
    second = SLUG.replace("2026-11-24", "2026-11-25") + "-b"
    north.write(f"issues/{second}/issue.md", ISSUE)
    ran = north.run("send", second, "--yes", "--expect", "2")
    assert ran.exit != 0 and "2 had enough messages this week" in ran.out + ran.err
    ran = north.run("send", second, "--yes", "--expect", "2", "--over-cap", "the dam broke")
    assert ran.exit == 0, ran.out + ran.err
    assert "2 of these 2 people had 1 or more messages" in ran.out + ran.err
    mailing = Mailing.objects.get(slug=second)
    [entry] = LogEntry.objects.filter(mailing_id=mailing.pk, what="over-cap")
    assert (entry.words, entry.people, bool(entry.by)) == ("the dam broke", 2, True)
