"""How a segment is counted: one statement, from the side of the few, with the indexes that were made for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from newsletter.audience import dialect, segments, selecting, subscribing
from tests.workspace import Workspace

WARD = {"field": "ward", "is": ["North", "South"]}
SHAPES: dict[str, dict[str, Any]] = {
    "list-ward": {"include": [{"list": "all-residents"}], "must": [WARD], "exclude": [{"tag": "staff"}]},
    "list-or-ward": {"include": [{"list": "all-residents"}, WARD], "exclude": [{"tag": "staff"}]},
    "two-lists": {"include": [{"list": ["all-residents", "monthly"]}], "must": [{"language": "cy"}]},
    "no-list": {"include": [{"tag": "staff"}], "must": [WARD]},
}


@pytest.fixture
def counted(workspace: Workspace) -> Workspace:
    workspace.people("a@example.org", "b@example.org", attributes={"ward": "North"})
    workspace.people("b@example.org", "c@example.org", lists=("monthly",))
    subscribing.suppress("b@example.org", "all", "gone", "mail")
    for key, parts in SHAPES.items():
        segments.save(workspace.config, key, key, parts)
    return workspace


def statements(workspace: Workspace, key: str) -> list[tuple[str, Any]]:
    """The statements of a count that count people by why they get no mail."""
    from django.db import connection

    asked: list[tuple[str, Any]] = []

    def heard(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(heard):
        selecting.explain(workspace.config, [key])
    return [(sql, params) for sql, params in asked if "audience_suppression" in sql]


@pytest.mark.parametrize("key", [*SHAPES, "all-residents"])
def test_all_its_numbers_are_of_one_moment(counted: Workspace, key: str) -> None:
    assert len(statements(counted, key)) == 1


@pytest.mark.parametrize("key", [*SHAPES, "all-residents"])
def test_sqlite_which_has_no_statistics_walks_over_the_suppressions_not_over_all_people(
    counted: Workspace, key: str
) -> None:
    from django.db import connection

    if not dialect.is_sqlite():
        pytest.skip("PostgreSQL plans by statistics")
    [(sql, params)] = statements(counted, key)
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
        steps = [str(row[-1]) for row in cursor.fetchall()]
    assert any("SCAN suppression" in step for step in steps)
    assert not [step for step in steps if step.startswith("SCAN subscriber")]
    assert any("subscription_odd" in step for step in steps), "who left is found by the short index"


def test_postgresql_finds_whose_an_address_is_without_the_wide_table(workspace: Workspace) -> None:
    from django.db import connection

    if dialect.is_sqlite():
        pytest.skip("SQLite has the number in every index")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%%(canonical %%) INCLUDE (id)'", [])
        assert cursor.fetchone()[0] == 1


def test_the_memory_for_counting_is_given_back_inside_a_transaction(workspace: Workspace) -> None:
    from django.db import connection, transaction

    if dialect.is_sqlite():
        pytest.skip("SQLite knows no such settings")

    def memory() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW work_mem")
            return str(cursor.fetchone()[0])

    with transaction.atomic():
        before = memory()
        with dialect.counting():
            assert memory() == "64MB" != before
        assert memory() == before


def test_a_segment_inside_another_means_everybody_it_asks_for_whether_or_not_they_get_mail(
    counted: Workspace,
) -> None:
    """Dropped people are dropped on both databases, and for any number of them: once it depended on the plan."""
    counted.people("d@example.org", lists=("monthly",), attributes={"tags": ["staff"]})
    either = {"include": [{"list": "all-residents"}, {"tag": "staff"}]}
    segments.save(counted.config, "inner", "Inner", either)
    segments.save(
        counted.config, "outer", "Outer", {"include": [{"list": "monthly"}], "exclude": [{"segment": "inner"}]}
    )
    assert selecting.explain(counted.config, ["outer"]).will_get == 1  # c alone: d is staff, b is suppressed


ON_BOTH: dict[str, dict[str, Any]] = {
    "two lists at once": {"include": [{"list": "all-residents"}], "must": [{"list": "monthly"}]},
    "a segment that asks for a list": {"include": [{"list": "all-residents"}], "must": [{"segment": "monthly-ones"}]},
    "nothing but such segments": {"must": [{"segment": "monthly-ones"}, {"segment": "residents"}]},
    "such a segment or a tag": {
        "include": [{"segment": "monthly-ones"}, {"tag": "nobody-has-it"}],
        "must": [{"list": "all-residents"}],
    },
}


@pytest.mark.parametrize("definition", ON_BOTH.values(), ids=ON_BOTH)
def test_of_two_lists_that_must_both_be_had_the_one_further_from_mail_says_why(
    workspace: Workspace, definition: dict[str, Any]
) -> None:
    """Who left one of them is unsubscribed, not paused: that word was used for everybody whom one of them misses."""
    from newsletter.audience.models import Subscription

    everybody = [f"{name}@example.org" for name in ("both", "left", "waits", "pauses", "gone")]
    workspace.people(*everybody, lists=("all-residents", "monthly"))
    workspace.people("one@example.org", lists=("monthly",))
    subscribing.leave("left@example.org", ["all-residents"], "page")
    later = timezone.now() + timedelta(days=9)
    for name, change in (("waits", {"state": "pending"}), ("pauses", {"paused_until": later})):
        Subscription.objects.filter(subscriber__canonical=f"{name}@example.org", list__key="monthly").update(**change)
    subscribing.suppress("gone@example.org", "all", "gone", "mail")
    segments.save(workspace.config, "monthly-ones", "Monthly ones", {"include": [{"list": "monthly"}]})
    segments.save(workspace.config, "residents", "Residents", {"include": [{"list": "all-residents"}]})
    segments.save(workspace.config, "on-both", "On both", definition)
    found = selecting.explain(workspace.config, ["on-both"])
    assert found.left_out == {"unsubscribed": 1, "gone": 1, "unconfirmed": 1, "paused": 1}
    assert (found.entries, found.will_get, found.adds_up) == (5, 1, True)


@pytest.mark.parametrize("key", ["two lists at once", "a segment that asks for a list", "nothing but such segments"])
def test_two_lists_at_once_are_counted_like_one(workspace: Workspace, key: str) -> None:
    """Person by person it took 5 s of a million."""
    from newsletter.audience.segments.compiling import Compiler

    segments.save(workspace.config, "monthly-ones", "Monthly ones", {"include": [{"list": "monthly"}]})
    segments.save(workspace.config, "residents", "Residents", {"include": [{"list": "all-residents"}]})
    segments.save(workspace.config, "on-both", "On both", ON_BOTH[key])
    compiler = Compiler(workspace.config)
    assert compiler.chosen(compiler.segment("on-both"))
