"""“You asked, we did”: themes of closed conversations, and nobody who could be known by them."""

from __future__ import annotations

import json
from typing import Any

from newsletter.replies import asked
from newsletter.replies import desk as verbs
from newsletter.replies.models import Conversation
from tests.replies.desk_made import Desk


def tagged(desk: Desk, word: str, people: int, *, close: bool = True, **facts: Any) -> list[int]:
    """So many people write about it; each is tagged, and closed."""
    made = []
    for number in range(people):
        found = desk.asks(f"{word.replace(' ', '')}{number}@example.net")
        verbs.tag(found.pk, desk.jo, [word], [])
        if close:
            verbs.close(found.pk, desk.jo)
        Conversation.objects.filter(pk=found.pk).update(**facts)
        made.append(found.pk)
    return made


def test_the_piece_names_each_theme_with_how_many_people(desk: Desk) -> None:
    tagged(desk, "street lights", 6)
    tagged(desk, "bins", 7)
    ran = desk.post.workspace.run("replies", "asked")
    assert ran.exit == 0 and ran.out.startswith("## You asked, we did\n\n**Bins** (7 people wrote)")
    assert ran.out.index("**Bins**") < ran.out.index("**Street lights** (6 people wrote)")
    found = json.loads(desk.post.workspace.run("replies", "asked", "--issue", "2026-11-24", "--json").out)
    assert found["asked"][0] == {"tag": "bins", "people": 7, "conversations": 7}
    assert desk.post.workspace.run("replies", "asked", "--issue", "2020", "--json").out.count("bins") == 0


def test_nobody_can_be_known_by_it(desk: Desk) -> None:
    tagged(desk, "few", asked.FEWEST - 1)
    tagged(desk, "open", 6, close=False)
    tagged(desk, "danger", 6, look_first="danger")
    tagged(desk, "abuse", 6, sensitive=True)
    tagged(desk, "court", 6, held=True)
    tagged(desk, "asks to leave", 6)
    assert asked.themes() == []
    assert "No tag stands on" in desk.post.workspace.run("replies", "asked").out


def test_one_person_who_writes_five_times_is_one_person(desk: Desk) -> None:
    for number in tagged(desk, "noise", 6):
        Conversation.objects.filter(pk=number).update(writer="one@example.net")
    assert asked.themes() == []
