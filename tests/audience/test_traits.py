"""Traits say the same as the records, whatever happened to a person."""

from __future__ import annotations

from newsletter.audience import traits
from newsletter.audience.basis import Basis
from tests.workspace import Workspace

SAM = "sam@example.org"


def held() -> list[tuple[str, str]]:
    from newsletter.audience.models import Holding

    return sorted(Holding.objects.values_list("trait__key", "trait__value"))


def sam(workspace: Workspace) -> int:
    from newsletter.audience.models import Subscriber

    facts = {"ward": "North", "tags": ["staff", "press"], "areas": ["stafford"], "postcode": "ST16 3AA"}
    workspace.people(SAM, attributes=facts, language="cy")
    return Subscriber.objects.get(canonical=SAM).pk


def test_one_person_is_kept_with_every_fact(workspace: Workspace) -> None:
    number = sam(workspace)
    traits.forget(number)
    traits.keep(number)
    assert held() == [
        ("areas", "stafford"),
        ("language", "cy"),
        ("postcode", "ST16 3AA"),
        ("tags", "press"),
        ("tags", "staff"),
        ("ward", "North"),
    ]
    assert traits.differing() == 0


def test_a_change_writes_only_what_is_new_and_takes_what_is_gone(workspace: Workspace) -> None:
    from newsletter.audience.models import Subscriber

    number = sam(workspace)
    traits.keep(number)
    person = Subscriber.objects.get(pk=number)
    before = traits.facts_of(person.attributes, person.language)
    person.attributes = {"ward": "South", "tags": ["press"]}
    person.save()
    assert traits.differing() > 0
    traits.keep(number, before)
    assert held() == [("language", "cy"), ("tags", "press"), ("ward", "South")]
    person.language = ""
    person.save()
    traits.keep(number)
    assert held() == [("tags", "press"), ("ward", "South")]


def test_what_is_empty_or_too_long_is_left_out(workspace: Workspace) -> None:
    from newsletter.audience.models import Subscriber

    number = sam(workspace)
    Subscriber.objects.filter(pk=number).update(
        attributes={"ward": "", "tags": [], "street": "x" * 201, "town": "é" * 200}, language=""
    )
    traits.keep(number)
    assert held() == [("town", "é" * 200)]


def test_everything_can_be_made_anew(workspace: Workspace) -> None:
    number = sam(workspace)
    workspace.people(*(f"p{n}@example.org" for n in range(5)), attributes={"ward": "North"})
    traits.keep(number)
    seen: list[tuple[int, int]] = []
    assert traits.rebuild(lambda done, of: seen.append((done, of))) == 6
    assert traits.differing() == 0
    assert len(held()) == 6 + 5
    assert seen[-1][0] == seen[-1][1]
    traits.forget(number)
    assert len(held()) == 5


def test_an_import_keeps_the_traits_as_keep_would(workspace: Workspace) -> None:
    from newsletter.audience import importing

    def imported(text: str) -> None:
        path = workspace.write("people.csv", "email,language,area,tags,postcode,ward\n" + text)
        importing.run(importing.plan(path, workspace.config, "monthly"), basis=Basis("They asked for it."))

    imported("sam@example.org,cy,stafford;leek,young,st163aa,North\nann@example.org,,,,,\n")
    assert traits.differing() == 0
    imported("sam@example.org,en,leek,old;wise,,South\nann@example.org,,,young,ST16 3AA,\n")
    assert traits.differing() == 0
    from newsletter.audience.models import Holding

    held = Holding.objects.filter(subscriber__canonical="sam@example.org").order_by("trait__key", "trait__value")
    assert list(held.values_list("trait__key", "trait__value")) == [
        ("areas", "leek"), ("language", "en"), ("postcode", "ST16 3AA"), ("tags", "old"), ("tags", "wise"),
        ("ward", "South"),
    ]  # fmt: skip
