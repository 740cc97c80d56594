"""The bars of what people wrote, on replies from seven projects; they lie beside the project, and are only read."""

from __future__ import annotations

import collections
import json
from pathlib import Path

import pytest

from newsletter.mail.html_text import to_text
from newsletter.mail.quoting import Policy, new_words
from tests.conftest import CORPORA

FILE = CORPORA / "reply_text.jsonl"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="the corpus of replies lies beside the project only")


def measured(kind: str, path: Path = FILE) -> collections.Counter[str]:
    """How many fixtures are `equal` (blanks aside), have words `lost` (more than a tenth of the expected ones) and
    quoted words `leaked` (more than a tenth as many beside them). The fixture's policy is passed in."""
    found: collections.Counter[str] = collections.Counter()
    for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
        if row["kind"] != kind:
            continue
        plain = to_text if kind == "html" else str
        ours = new_words(plain(row["input"]), policy=Policy.of(row["policy"])).split()
        wanted = plain(row["expected"]).split()
        few = 0.1 * max(1, len(wanted))
        found["fixtures"] += 1
        found["equal"] += ours == wanted
        found["lost"] += (collections.Counter(wanted) - collections.Counter(ours)).total() > few
        found["leaked"] += (collections.Counter(ours) - collections.Counter(wanted)).total() > few
    return found


def test_text_replies_meet_the_bars() -> None:
    found = measured("text")
    assert found["equal"] >= 0.80 * found["fixtures"], found
    assert found["leaked"] <= 12 / 198 * found["fixtures"], found
    assert found["lost"] <= 5 / 198 * found["fixtures"], found


def test_html_replies_of_real_programs_are_right_in_eight_of_nine() -> None:
    found = measured("html")
    assert found["equal"] >= 8 / 9 * found["fixtures"], found
