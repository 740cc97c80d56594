"""The answer: what comes back, kept raw first, then sorted into conversations."""

from __future__ import annotations

from typing import Any


def balance() -> dict[str, Any]:
    """What was received, and what became of it (see replies.balancing.count)."""
    from newsletter.replies import balancing

    return balancing.count()
