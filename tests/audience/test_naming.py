"""The first name of somebody who typed one name: rather none than a wrong one."""

from __future__ import annotations

import pytest

from newsletter.audience import importing, naming, subscribing
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
        ("Okafor, Sam", "Sam"),
        ("Okafor,Sam", "Sam"),
        ("Okafor, Sam Peter", "Sam"),
        ("van Dijk, Anne-Marie", "Anne-Marie"),
        ("Sam Okafor (Chair)", "Sam"),
        ("Okafor, Mr Sam", ""),
        ("Okafor, S.", ""),
        ("Okafor,", ""),
        ("Okafor, MBE", ""),
        ("Okafor, PhD", ""),
        ("Sam Okafor, MBE", ""),
        ("Sam Okafor, Stafford", ""),
        ("OKAFOR, SAM", ""),
        ("Okafor, Sam and Beth", ""),
        ("Cllr Sam Okafor", ""),
        ("van Dijk", ""),
        ("De Souza", ""),
        ("Sam/Beth Okafor", ""),
        ("Acme Ltd.", ""),
        ("Stafford Bakery", ""),
        ("BBC Midlands", ""),
        ("Women’s Aid", ""),
        ("Unit 4 Studios", ""),
        ("sam@example.org Okafor", ""),
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


def imported(workspace: Workspace, rows: str) -> importing.Plan:
    plan = importing.plan(workspace.write("recipients/people.csv", rows), workspace.config, "all-residents")
    assert importing.run(plan).counts == plan.counts
    return plan


def first_names() -> dict[str, str]:
    return dict(Subscriber.objects.values_list("canonical", "first_name"))


def test_a_file_with_one_column_of_whole_names_gives_first_names_where_they_are_sure(workspace: Workspace) -> None:
    rows = """\
Email,Full name
a@example.org,Ameera Khan
b@example.org,"Hill, Beth"
c@example.org,Cllr Jo Hill
d@example.org,Stafford Bakery
e@example.org,Sam
f@example.org,
info@acme.example,Acme Widgets
"""
    plan = imported(workspace, rows)
    assert first_names() == {
        **{"a@example.org": "Ameera", "b@example.org": "Beth", "c@example.org": "", "d@example.org": ""},
        **{"e@example.org": "", "f@example.org": "", "info@acme.example": ""},
    }
    [note] = [problem for problem in plan.problems if problem.code == "first-names"]
    assert note.message == (
        "First names are taken from ‘Full name’, such as ‘Ameera’ from ‘Ameera Khan’; "
        "4 left empty, where it is not sure (the first: ‘Cllr Jo Hill’ in row 4)"
    )
    assert [person["first_name"] for person in plan.preview] == ["Ameera", "Beth", "", "", ""]
    before = list(Subscriber.objects.order_by("id").values())
    assert imported(workspace, rows).counts.unchanged == 7
    assert list(Subscriber.objects.order_by("id").values()) == before


def test_a_first_name_that_somebody_told_us_stays_whatever_names_are_imported(workspace: Workspace) -> None:
    head, elizabeth, sam = "email,name\n", "e@example.org,Elizabeth Hill\n", "s@example.org,Sam Okafor\n"
    imported(workspace, head + elizabeth + sam)
    subscribing.edit("e@example.org", {"first_name": "Betty"}, "staff")
    assert imported(workspace, head + elizabeth).preview[0]["first_name"] == "Betty"
    imported(workspace, head + "e@example.org,Elizabeth Hill-Jones\ns@example.org,Kim Okafor\n")
    assert first_names() == {"e@example.org": "Betty", "s@example.org": "Kim"}
    imported(workspace, head + "s@example.org,The Okafor family\n")
    assert first_names()["s@example.org"] == "", "nobody is greeted by the name of somebody else"
    subscribing.edit("e@example.org", {"first_name": ""}, "staff")
    imported(workspace, head + "e@example.org,Elizabeth Hill-Jones\n")
    assert first_names()["e@example.org"] == "", "nor by a name that was taken away"


def test_a_repeated_address_is_greeted_by_the_name_that_wins(workspace: Workspace) -> None:
    imported(workspace, "email,name\na@example.org,Sam Okafor\na@example.org,The Okafor family\na@example.org,\n")
    assert list(Subscriber.objects.values_list("name", "first_name")) == [("The Okafor family", "")]


def test_a_column_of_first_names_is_believed_even_where_it_is_empty(workspace: Workspace) -> None:
    plan = imported(workspace, "email,name,first_name\na@example.org,Sam Okafor,\nb@example.org,Beth Hill,Betty\n")
    assert first_names() == {"a@example.org": "", "b@example.org": "Betty"}
    assert "first-names" not in [problem.code for problem in plan.problems]
