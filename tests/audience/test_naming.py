"""The first name of somebody who typed one name: rather none than a wrong one."""

from __future__ import annotations

import pytest

from newsletter.audience import naming, subscribing
from newsletter.audience.models import Subscriber
from tests.workspace import Workspace


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("Sam Okafor", "Sam"),
        ("  Anne-Marie   van Dijk ", "Anne-Marie"),
        ("Siân D'Arcy", "Siân"),
        ("محمد علی", "محمد"),
        ("Sam", ""),
        ("Maria del Carmen Ortiz", ""),
        ("Mrs Okafor", ""),
        ("Dr. Sam Okafor", ""),
        ("J Smith", ""),
        ("J. R. Hartley", ""),
        ("Okafor, Sam", ""),
        ("Sam & Beth", ""),
        ("Sam and Beth", ""),
        ("SMITH JOHN", ""),
        ("Stafford Parish Council", ""),
        ("The Residents", ""),
        ("王 小明", ""),
        ("", ""),
    ],
)
def test_the_first_word_of_two_or_three_is_a_first_name_if_nothing_speaks_against_it(name: str, first: str) -> None:
    assert naming.first_of(name) == first


def test_a_name_gives_a_first_name_where_nobody_said_another(workspace: Workspace) -> None:
    def names() -> tuple[str, str]:
        person = Subscriber.objects.get()
        return person.name, person.first_name

    subscribing.add("a@example.org", "a@example.org", ["all-residents"], facts={"name": "Sam Okafor"})
    assert names() == ("Sam Okafor", "Sam")
    subscribing.edit("a@example.org", {"name": "Beth Hill"}, "staff")
    assert names() == ("Beth Hill", "Beth")
    subscribing.edit("a@example.org", {"first_name": "Betty"}, "staff")
    subscribing.edit("a@example.org", {"name": "Elizabeth Hill"}, "staff")
    assert names() == ("Elizabeth Hill", "Betty"), "what somebody said stays"
    subscribing.edit("a@example.org", {"first_name": ""}, "staff")
    assert names() == ("Elizabeth Hill", "")
