"""One row at a time through the outbox, as tests tell a story."""

from __future__ import annotations

from typing import Any

from newsletter.sending.outbox import Leased, Outbox, Result


def begin(outbox: Outbox, *rows: Leased) -> bool:
    """True when all these bodies may start now."""
    begun, _ = outbox.write(rows, ())
    return begun == {row.id for row in rows}


def settle(outbox: Outbox, row: Leased, state: str, *, begun: bool = True, **more: Any) -> bool:
    """True when this result was kept."""
    _, kept = outbox.write((), [Result(row=row, state=state, begun=begun, **more)])
    return kept == {row.id}
