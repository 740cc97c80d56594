"""The desk: what colleagues have seen, what is on its way, a log that only grows, and indexes for its lists."""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F

CLOCK_RUNS = models.Q(("waiting_since__isnull", False))
REFUSE = {
    "sqlite": [
        "CREATE TRIGGER desk_log_only_grows BEFORE UPDATE ON replies_deskentry "
        "BEGIN SELECT RAISE(ABORT, 'the log of the desk only grows'); END"
    ],
    "postgresql": [
        "CREATE FUNCTION desk_log_only_grows() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RAISE EXCEPTION ''the log of the desk only grows''; END'",
        "CREATE TRIGGER desk_log_only_grows BEFORE UPDATE ON replies_deskentry "
        "FOR EACH ROW EXECUTE FUNCTION desk_log_only_grows()",
    ],
}


def refuse_changes(apps: Any, schema_editor: Any) -> None:
    """No line of the log is ever changed. (SQLite: a later migration that alters this table must do this again.)"""
    for statement in REFUSE[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def allow_changes(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP TRIGGER desk_log_only_grows ON replies_deskentry")
        schema_editor.execute("DROP FUNCTION desk_log_only_grows()")
    else:
        schema_editor.execute("DROP TRIGGER desk_log_only_grows")


def begin_to_wait(apps: Any, schema_editor: Any) -> None:
    """Whoever wrote before there was a clock waits since then; the worker reckons by when an answer is due."""
    conversations = apps.get_model("replies", "Conversation").objects
    conversations.filter(state__in=("new", "open"), waiting_since=None).update(waiting_since=F("created"))


class Migration(migrations.Migration):
    dependencies = [("replies", "0003_intake_sources")]

    operations = [
        migrations.AddField("deskentry", "version", models.PositiveIntegerField(default=0)),
        migrations.AddField("message", "on_its_way", models.BooleanField(default=False)),
        migrations.AddField("message", "trouble", models.CharField(blank=True, default="", max_length=300)),
        migrations.CreateModel(
            name="Look",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("staff", models.CharField(max_length=100)),
                ("version", models.PositiveIntegerField()),
                ("at", models.DateTimeField()),
                (
                    "conversation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="looks",
                        to="replies.conversation",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            "look", models.UniqueConstraint(fields=("conversation", "staff"), name="one_look_each")
        ),
        migrations.RunPython(begin_to_wait, migrations.RunPython.noop),
        migrations.AddIndex(
            "conversation", models.Index(condition=CLOCK_RUNS, fields=["waiting_since", "id"], name="desk_waits")
        ),
        migrations.AddIndex(
            "conversation",
            models.Index(condition=CLOCK_RUNS, fields=["assignee", "waiting_since", "id"], name="desk_mine"),
        ),
        migrations.AddIndex(
            "conversation", models.Index(condition=CLOCK_RUNS, fields=["team", "waiting_since", "id"], name="desk_team")
        ),
        migrations.AddIndex(
            "conversation",
            models.Index(condition=CLOCK_RUNS, fields=["mailing", "waiting_since", "id"], name="desk_issue"),
        ),
        migrations.AddIndex(
            "conversation",
            models.Index(
                condition=models.Q(("snoozed_until__isnull", False)), fields=["snoozed_until"], name="desk_snoozed"
            ),
        ),
        migrations.AddIndex(
            "message",
            models.Index(condition=models.Q(("on_its_way", True)), fields=["id"], name="message_on_its_way"),
        ),
        migrations.RunPython(refuse_changes, allow_changes),
    ]
