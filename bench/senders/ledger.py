"""The ledger alone, without mail: freeze everybody, then lease and mark them in batches.

`… ROOT [--batch N] [--group N]`: ROOT holds imported people and no mailing. Prints how long each took, and what the
database says of its plan.
"""

from __future__ import annotations

import argparse
import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.senders import clock, prepare
from newsletter import config as configuration
from newsletter.audience import database

BATCH, GROUP = 500, 50  # people leased at once; answers and starts in one commit


def main(root: Path, batch: int, group: int) -> None:
    config = configuration.load(root)
    database.ready(config)
    from newsletter.cli.sending_issue import public_copies
    from newsletter.sending import freezing, mailings
    from newsletter.sending.outbox import Outbox
    from newsletter.sending.store import Store

    found = prepare.prepared(config)
    spent: dict[str, float] = {}
    for name in ("freeze_people",):
        setattr(freezing, name, timed(getattr(freezing, name), name, spent))
    began = time.perf_counter()
    mailing = mailings.approve(config, found.renders, found.issue, public=public_copies(config, found))
    said: dict[str, Any] = {
        "frozen": mailing.frozen,
        "freeze": spent["freeze_people"],
        "approve": time.perf_counter() - began,
    }
    mailings.start(mailing)
    store = Store()
    outbox = Outbox(store, mailing, worker="bench", survives="kill")
    statements: list[str] = []
    if store.is_sqlite:
        store.rows("SELECT 1")
        store.connection.connection.set_trace_callback(statements.append)
        lease_and_mark(outbox, batch, group)
        store.connection.connection.set_trace_callback(None)
        said["scans"] = scans(root / "var" / "newsletter.db", statements)
    times = []
    with clock.measured(0) as told:
        at = time.perf_counter()
        while people := lease_and_mark(outbox, batch, group):
            times.append((people, time.perf_counter() - at))
            at = time.perf_counter()
        tenth = max(1, len(times) // 10)
        rows = sum(people for people, _ in times)
        told.update(
            messages=rows,
            each=sum(seconds for _, seconds in times) / rows * 1e6,
            first=each(times[:tenth]),
            last=each(times[-tenth - 1 : -1] or times[-1:]),  # the very last batch is a small one
            **said,
        )
    store.close()


def lease_and_mark(outbox: Any, batch: int, group: int) -> int:
    """One batch from waiting over in flight to accepted, as the crew moves it: each commit writes the answers of the
    `group` before and the starts of the next. Returns how many people."""
    from newsletter.sending.outbox import Result

    rows, _ = outbox.lease(batch)
    results: list[Any] = []
    for at in range(0, len(rows) + group, group):
        starts = rows[at : at + group]
        outbox.write(starts, results)
        results = [Result(row, "accepted", True, code=250, text="2.0.0 Ok: queued as 4F1A2B") for row in starts]
    return len(rows)


def each(times: list[tuple[int, float]]) -> float:
    """Microseconds a person."""
    return sum(seconds for _, seconds in times) / max(1, sum(people for people, _ in times)) * 1e6


def timed(function: Callable[..., Any], name: str, spent: dict[str, float]) -> Callable[..., Any]:
    def measured(*arguments: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            spent[name] = time.perf_counter() - began

    return measured


def scans(file: Path, statements: list[str]) -> list[str]:
    """The steps of EXPLAIN QUERY PLAN that read a whole large table: what would grow with the list."""
    found = []
    with sqlite3.connect(file) as database_:
        for statement in dict.fromkeys(statements):
            if statement.split(None, 1)[0].upper() not in ("SELECT", "UPDATE", "INSERT", "WITH"):
                continue
            for *_, step in database_.execute(f"EXPLAIN QUERY PLAN {statement}"):
                if re.match(r"SCAN (d|k|sending_delivery|sending_unsubscribekey|audience_\w+)\b", step):
                    found.append(f"{step}: {statement[:120]}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--group", type=int, default=GROUP)
    given = parser.parse_args()
    main(given.root, given.batch, given.group)
