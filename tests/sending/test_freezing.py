"""The stored bytes of people's tokens: as many as there are people, in the order of the rows, and never twice."""

from __future__ import annotations

from itertools import pairwise

import pytest
from django.db import IntegrityError, connection

from newsletter.sending import freezing, mailings
from newsletter.sending.models import Delivery, Mailing
from tests.sending.made import a_rendered, an_issue
from tests.workspace import Workspace

PEOPLE = [f"person{n}@home.example" for n in range(30)]


def frozen(workspace: Workspace, slug: str) -> list[bytes]:
    mailing = mailings.approve(workspace.config, {"": a_rendered(slug)}, an_issue(slug))
    return [bytes(row.token) for row in mailing.rows()]


def test_each_person_of_each_mailing_has_nine_bytes_of_their_own(workspace: Workspace) -> None:
    workspace.people(*PEOPLE)
    first, second = frozen(workspace, "2026-11-24-one"), frozen(workspace, "2026-11-24-two")
    assert {len(token) for token in first + second} == {9}
    assert len({*first, *second}) == 2 * len(PEOPLE)


def test_a_mailing_made_again_after_a_backup_was_restored_has_other_tokens(workspace: Workspace) -> None:
    """The same people, the same numbers, the same rows: what the forgotten mails carry must name nobody."""
    workspace.people(*PEOPLE)
    forgotten = frozen(workspace, "2026-11-24-one")
    ids = list(Delivery.objects.values_list("pk", flat=True).order_by("pk"))
    Delivery.objects.all().delete()
    Mailing.objects.get().log.all().delete()
    Mailing.objects.all().delete()
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("DELETE FROM sqlite_sequence WHERE name LIKE 'sending_%'")
        else:
            cursor.execute("SELECT setval('sending_delivery_id_seq', 1, false)")
    again = frozen(workspace, "2026-11-24-one")
    assert list(Delivery.objects.values_list("pk", flat=True).order_by("pk")) == ids
    assert not {*forgotten} & {*again}
    assert not {token[:5] for token in forgotten} & {token[:5] for token in again}


def test_tokens_are_drawn_in_the_order_of_their_rows(workspace: Workspace) -> None:
    """So that their index is written from front to back: at most one of them begins anew."""
    workspace.people(*PEOPLE)
    tokens = frozen(workspace, "2026-11-24-one")
    assert sum(after < before for before, after in pairwise(tokens)) <= 1


@pytest.mark.parametrize("person", [1, 127, 128, 20_000, 5_000_000, 200_000_000])
def test_a_large_number_has_nine_bytes_too(workspace: Workspace, person: int) -> None:
    sql, drawn = freezing.token_sql("number.id")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {sql} FROM (SELECT {person} + 0 AS id UNION ALL SELECT {person} + 1) AS number", drawn)
        one, other = (bytes(token) for (token,) in cursor.fetchall())
    assert len(one) == len(other) == 9 and one != other and one[:5] == other[:5] == drawn[0]


def test_the_checks_of_the_database_hold_again_after_a_freeze(workspace: Workspace) -> None:
    workspace.people(*PEOPLE)
    frozen(workspace, "2026-11-24-one")
    with pytest.raises(IntegrityError):
        Delivery.objects.update(state="nonsense")
