"""Text from strangers, made fit for the database: no NUL, no broken letters, no longer than the column."""

from __future__ import annotations


def storable(text: str, limit: int | None = None) -> str:
    """`text` as a database can hold it. PostgreSQL refuses NUL, SQLite refuses lone surrogates."""
    clean = text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    return clean[:limit] if limit else clean
