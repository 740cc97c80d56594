"""A run in parts is put together: each part in its place, the newest of each."""

from __future__ import annotations

from pathlib import Path

from bench import gathered
from bench.measuring import Measured


def rounds(name: str, *messages: int) -> list[dict[str, Measured]]:
    return [{name: Measured(number, 1.0, 0.5, 30.0, {"steady": 2.0})} for number in messages]


def test_a_part_replaces_its_own_and_leaves_the_others(tmp_path: Path) -> None:
    file = tmp_path / "build" / "found.json"
    gathered.add("mail", ("ours", "django"), rounds("ours", 1, 2, 3), {"django": "not here"}, "a machine", 40, file)
    gathered.add("dkim", ("sealed",), rounds("sealed", 7, 8), {}, "a machine", 40, file)
    kept = gathered.add("mail", ("ours", "django"), rounds("ours", 4, 5, 6), {}, "another", 41, file)
    assert kept == gathered.load(file)
    assert [(one["ours"].messages, "sealed" in one) for one in kept.rounds] == [(4, True), (5, True), (6, False)]
    assert (kept.machines, kept.why_not, kept.size) == ({"mail": "another", "dkim": "a machine"}, {}, 41)


def test_a_run_of_everybody_keeps_nothing_of_earlier_ones(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    gathered.add("dkim", ("sealed",), rounds("sealed", 7), {"sealed": "why"}, "old", 40, file)
    kept = gathered.add("", ("ours",), rounds("ours", 1), {}, "new", 40, file)
    assert [list(one) for one in kept.rounds] == [["ours"]] and list(kept.machines.values()) == ["new"]
