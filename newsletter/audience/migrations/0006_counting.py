"""Indexes for counting a million people: who gets no mail through a list; whose an address is (PostgreSQL)."""

from typing import Any

from django.db import migrations, models

TABLE, LIKE = "audience_subscriber", "audience_subscriber_canonical_%_like"


def with_numbers(apps: Any, schema_editor: Any) -> None:
    """PostgreSQL: Django's second index of the address, for LIKE, keeps the person's number, too. Those who must never
    be mailed are found by their addresses; with a jump into the wide table for each of 20,000 it took twice as long.
    SQLite has the number in every index."""
    _again(schema_editor, " INCLUDE (id)")


def without_numbers(apps: Any, schema_editor: Any) -> None:
    _again(schema_editor, "")


def _again(schema_editor: Any, more: str) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND tablename = %s"
            " AND indexname LIKE %s",
            [TABLE, LIKE],
        )
        names = [schema_editor.quote_name(name) for (name,) in cursor.fetchall()]
        for name in names:
            cursor.execute(f"DROP INDEX {name}")
            cursor.execute(f"CREATE INDEX {name} ON {TABLE} (canonical varchar_pattern_ops){more}")


class Migration(migrations.Migration):
    dependencies = [
        ("audience", "0005_signup"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="subscription",
            index=models.Index(
                fields=["list", "subscriber", "state", "paused_until"],
                condition=models.Q(
                    ("state__in", ["pending", "left"]), ("paused_until__isnull", False), _connector="OR"
                ),
                name="subscription_odd",
            ),
        ),
        migrations.RunPython(with_numbers, without_numbers),
    ]
