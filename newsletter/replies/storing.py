"""Text from strangers, made fit to keep: no control characters, no broken letters, no longer than the column."""

from __future__ import annotations

import re

# C0 and C1 without tab and newline. U+009B starts a terminal's escape sequence just as ESC [ does, and JSON does not
# escape it; PostgreSQL refuses NUL, SQLite lone surrogates. The raw message keeps every byte.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def storable(text: str, limit: int | None = None) -> str:
    """`text` without what no screen should get and no database can hold, cut to `limit` letters."""
    clean = CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return clean[:limit] if limit else clean
