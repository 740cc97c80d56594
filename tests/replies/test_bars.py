"""The bars of sorting on real mail, and no exception on any of it, also when it is damaged."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from bench import sorting_corpus
from newsletter.mail import sorting
from tests.conftest import CORPORA

BOUNCES = CORPORA / "bounces"
pytestmark = pytest.mark.skipif(not BOUNCES.is_dir(), reason="the corpora of real mail lie beside the project only")
MUTATIONS = 10  # of each file


@pytest.fixture(scope="module")
def found() -> sorting_corpus.Numbers:
    return sorting_corpus.measure(BOUNCES, lambda raw: sorting.sort(raw))


def test_nearly_every_bounce_is_found_with_exactly_its_recipients(found: sorting_corpus.Numbers) -> None:
    assert found.bounces > 250
    assert found.share_found >= 0.98
    assert found.share_exact >= 0.90


def test_living_addresses_are_not_called_gone(found: sorting_corpus.Numbers) -> None:
    assert found.living > 100 and found.share_killed <= 0.03


def test_dead_addresses_are_mostly_called_gone(found: sorting_corpus.Numbers) -> None:
    assert found.gone_known / found.gone >= 0.7


def test_complaints_absences_and_wishes_to_leave_are_told_apart() -> None:
    truth = json.loads((BOUNCES / "expected.json").read_text(encoding="utf-8"))
    wrong = [
        (name, case["kind"], str(got))
        for name, case in truth.items()
        if case["kind"] != "bounce" and (got := sorting.sort((BOUNCES / name).read_bytes()).kind) != case["kind"]
    ]
    assert wrong == []


def test_automatic_mail_is_caught_and_no_person_among_it() -> None:
    path = CORPORA / "autoreply_cases.json"
    wanted = {"human": "person"}
    wrong = []
    for case in json.loads(path.read_text(encoding="utf-8")):
        kind = str(sorting.sort(f"{case['headers'].rstrip()}\n\n{case['body']}".encode()).kind)
        if kind != wanted.get(case["expected"], case["expected"]):
            wrong.append((case["id"], kind))
    assert wrong == []


def test_no_reply_of_a_person_is_taken_for_a_machine() -> None:
    taken = []
    for line in (CORPORA / "reply_text.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        kind = "html" if row["kind"] == "html" else "plain"
        head = f"From: Pat <pat@example.org>\nSubject: Re: x\nContent-Type: text/{kind}; charset=utf-8\n\n"
        found = sorting.sort((head + row["input"]).encode("utf-8", "replace"))
        if found.kind not in ("person", "ask", "unsubscribe"):
            taken.append((row["id"], str(found.kind), found.reason))
    assert taken == []


@pytest.mark.timeout(240)
@pytest.mark.parametrize("part", range(4))
def test_damaged_mail_never_breaks_the_sorting(part: int) -> None:
    for path in sorted(BOUNCES.glob("*.eml"))[part::4]:
        chance = random.Random(path.name)
        for _ in range(MUTATIONS):
            found = sorting.sort(mutated(path, chance))
            assert found.kind and found.reason


def mutated(path: Path, chance: random.Random) -> bytes:
    """The file cut off, with flipped bytes, lines swapped, or a piece of it doubled."""
    raw = bytearray(path.read_bytes())
    how = chance.randrange(4)
    if how == 0:
        return bytes(raw[: chance.randrange(len(raw))])
    if how == 1:
        for _ in range(chance.randrange(1, 60)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        return bytes(raw)
    lines = bytes(raw).split(b"\n")
    if how == 2:
        for _ in range(10):
            one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
            lines[one], lines[other] = lines[other], lines[one]
        return b"\n".join(lines)
    at = chance.randrange(len(lines))
    return b"\n".join([*lines[:at], *lines[at : at + 20] * 5, *lines[at:]])
