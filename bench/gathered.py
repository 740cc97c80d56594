"""What the parts of bench/send have found so far, in build/bench-send.json: the page is written from all of them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.measuring import Measured

FILE = Path(__file__).resolve().parents[1] / "build" / "bench-send.json"


@dataclass
class Gathered:
    """`rounds`: contender → what was measured; `machines`: part ("" = all at once) → the machine at that time."""

    rounds: list[dict[str, Measured]] = field(default_factory=list)
    why_not: dict[str, str] = field(default_factory=dict)
    machines: dict[str, str] = field(default_factory=dict)
    size: int = 0


def load(file: Path = FILE) -> Gathered:
    """What is kept; nothing where there is no file."""
    if not file.exists():
        return Gathered()
    kept = json.loads(file.read_text(encoding="utf-8"))
    rounds = [{name: Measured(**facts) for name, facts in one.items()} for one in kept.pop("rounds")]
    return Gathered(rounds=rounds, **kept)


def add(
    part: str,
    names: tuple[str, ...],
    rounds: list[dict[str, Measured]],
    why_not: dict[str, str],
    machine: str,
    size: int,
    file: Path = FILE,
) -> Gathered:
    """Put one part in the place of what was kept of the same contenders; "" = a run of everybody, which keeps nothing
    of earlier ones."""
    kept = load(file) if part else Gathered()
    if part:
        kept.machines.pop("", None)
    kept.machines[part], kept.size = machine, size
    kept.rounds += [{} for _ in range(len(rounds) - len(kept.rounds))]
    for at, one in enumerate(kept.rounds):
        for name in names:
            one.pop(name, None)
        one.update(rounds[at] if at < len(rounds) else {})
    kept.why_not = {name: why for name, why in kept.why_not.items() if name not in names}
    kept.why_not |= {name: why for name, why in why_not.items() if name in names}
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(asdict(kept), indent=1), encoding="utf-8")
    return kept
