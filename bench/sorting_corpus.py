"""Counts how a sorting of bounces does on a folder of real mail with its truth beside it (expected.json)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

# What "filtered" and "suspended" mean for the address is ambiguous: left out of gone and living.
AMBIGUOUS = ("filtered", "suspend")


class Recipient(Protocol):
    @property
    def address(self) -> str: ...
    @property
    def outcome(self) -> str: ...


class Verdict(Protocol):
    @property
    def kind(self) -> str: ...
    @property
    def recipients(self) -> tuple[Recipient, ...]: ...


@dataclass
class Numbers:
    """`living` and `gone` count mails about one address of which the truth is clear."""

    bounces: int = 0
    found: int = 0
    exact: int = 0
    living: int = 0
    killed: int = 0  # living addresses called gone
    gone: int = 0
    gone_known: int = 0
    raised: int = 0

    @property
    def share_found(self) -> float:
        return self.found / max(1, self.bounces)

    @property
    def share_exact(self) -> float:
        return self.exact / max(1, self.bounces)

    @property
    def share_killed(self) -> float:
        return self.killed / max(1, self.living)


def measure(folder: Path, sort: Callable[[bytes], Any], only: Callable[[str], bool] = lambda name: True) -> Numbers:
    """The numbers of `sort` on the mails of `folder` whose name `only` takes; what it raises is counted."""
    truth = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    numbers = Numbers()
    for name, case in truth.items():
        if case["kind"] != "bounce" or not only(name):
            continue
        numbers.bounces += 1
        try:
            verdict = sort((folder / name).read_bytes())
        except Exception:
            numbers.raised += 1
            continue
        count(numbers, case, verdict)
    return numbers


def count(numbers: Numbers, case: dict[str, Any], verdict: Verdict) -> None:
    """Add one mail to the numbers."""
    got = {one.address.lower() for one in verdict.recipients}
    numbers.found += verdict.kind == "bounce"
    numbers.exact += verdict.kind == "bounce" and same(got, case["recipients"], case["aliases"])
    if len(case["rows"]) != 1 or len(got) != 1 or case["rows"][0]["reason"] in AMBIGUOUS:
        return
    called_gone = verdict.recipients[0].outcome == "gone"
    if case["rows"][0]["gone"]:
        numbers.gone += 1
        numbers.gone_known += called_gone
    else:
        numbers.living += 1
        numbers.killed += called_gone


def same(got: set[str], wanted: Iterable[str], aliases: Iterable[str]) -> bool:
    """True when exactly the wanted addresses were found; an alias of one stands for it."""
    want = {one.lower() for one in wanted}
    return got == want or (len(got) == len(want) and got - want <= {one.lower() for one in aliases})
