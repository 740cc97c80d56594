"""Words that few wrote are found in the words of 100,000 conversations without reading all of them: on PostgreSQL, by
three-letter pieces (pg_trgm). Where that extension cannot be had, and on SQLite, the search reads what is there."""

from __future__ import annotations

from typing import Any

from django.db import DatabaseError, migrations, transaction

# As Django asks for `icontains`; an index of another expression would never be used.
INDEXES = {
    "message_words": ("replies_message", ("new_words",)),
    "conversation_words": ("replies_conversation", ("subject", "from_name", "from_address")),
}


def make_indexes(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor != "postgresql" or not _has_pieces(schema_editor):
        return
    for name, (table, columns) in INDEXES.items():
        pieces = ", ".join(f"UPPER({column}::text) gin_trgm_ops" for column in columns)
        schema_editor.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {table} USING gin ({pieces})")


def _has_pieces(schema_editor: Any) -> bool:
    """True when the extension is there, or could be made: it comes with PostgreSQL, but not with every package of it,
    and whoever owns the database may make it (it is a trusted one)."""
    try:
        with transaction.atomic(using=schema_editor.connection.alias), schema_editor.connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    except DatabaseError:
        return False
    return True


def drop_indexes(apps: Any, schema_editor: Any) -> None:
    """The extension stays: somebody else may use it."""
    if schema_editor.connection.vendor == "postgresql":
        for name in INDEXES:
            schema_editor.execute(f"DROP INDEX IF EXISTS {name}")


class Migration(migrations.Migration):
    dependencies = [("replies", "0006_erasing")]

    operations = [migrations.RunPython(make_indexes, drop_indexes)]
