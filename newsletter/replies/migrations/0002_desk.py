"""The desk: who answers, by when, what was said; bounces and complaints as facts; files; mailboxes."""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models

import newsletter.replies.models


def refer(apps: Any, schema_editor: object) -> None:
    """Give every conversation that is there already a reference of its own."""
    conversation = apps.get_model("replies", "Conversation")
    for number in conversation.objects.values_list("pk", flat=True):
        conversation.objects.filter(pk=number).update(reference=newsletter.replies.models.new_reference())


class Migration(migrations.Migration):
    dependencies = [
        ("audience", "0001_initial"),
        ("replies", "0001_initial"),
        ("sending", "0003_notices"),
    ]

    operations = [
        migrations.CreateModel(
            name="Absence",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("staff", models.CharField(max_length=40)),
                ("stand_in", models.CharField(max_length=40)),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Attachment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=200)),
                ("content_type", models.CharField(max_length=100)),
                ("size", models.PositiveBigIntegerField()),
                ("sha256", models.CharField(db_index=True, max_length=64)),
                ("refused", models.CharField(blank=True, default="", max_length=200)),
            ],
        ),
        migrations.CreateModel(
            name="Bounce",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("canonical", models.CharField(db_index=True, max_length=320)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("gone", "the address does not exist"),
                            ("full", "the mailbox is full"),
                            ("blocked", "our mail was refused, whoever it was for"),
                            ("transient", "for the moment"),
                            ("unknown", "no reason could be read"),
                        ],
                        max_length=10,
                    ),
                ),
                ("status", models.CharField(blank=True, default="", max_length=20)),
                ("words", models.CharField(blank=True, default="", max_length=300)),
                ("at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="Canary",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("intake", models.CharField(max_length=40)),
                ("token", models.BinaryField(max_length=9, unique=True)),
                ("sent", models.DateTimeField()),
                ("back", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Complaint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("canonical", models.CharField(blank=True, db_index=True, default="", max_length=320)),
                ("feedback", models.CharField(blank=True, default="", max_length=40)),
                ("at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="DeskEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(auto_now_add=True)),
                ("by", models.CharField(max_length=100)),
                ("what", models.CharField(max_length=20)),
                ("words", models.CharField(blank=True, default="", max_length=400)),
            ],
        ),
        migrations.CreateModel(
            name="MailboxState",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("mailbox", models.CharField(max_length=40)),
                ("folder", models.CharField(max_length=200)),
                ("uidvalidity", models.BigIntegerField(default=0)),
                ("last_uid", models.BigIntegerField(default=0)),
                ("seen", models.DateTimeField(null=True)),
                ("trouble", models.CharField(blank=True, default="", max_length=300)),
            ],
        ),
        migrations.CreateModel(
            name="Tag",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("word", models.CharField(max_length=60)),
            ],
        ),
        migrations.AddField(
            model_name="conversation",
            name="answered_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="conversation",
            name="answered_in_target",
            field=models.BooleanField(null=True),
        ),
        migrations.AddField(
            model_name="conversation",
            name="assignee",
            field=models.CharField(blank=True, default="", max_length=40),
        ),
        migrations.AddField(
            model_name="conversation",
            name="climb_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="conversation",
            name="climbed",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="conversation",
            name="due",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="conversation",
            name="held",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="conversation",
            name="language",
            field=models.CharField(blank=True, default="", max_length=35),
        ),
        migrations.AddField(
            model_name="conversation",
            name="look_first",
            field=models.CharField(blank=True, default="", max_length=200),
        ),
        migrations.AddField(
            model_name="conversation",
            name="looked_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="conversation",
            name="merged_into",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="merged",
                to="replies.conversation",
            ),
        ),
        migrations.AddField(
            model_name="conversation",
            name="phone",
            field=models.CharField(blank=True, default="", max_length=60),
        ),
        migrations.AddField(
            model_name="conversation",
            name="reference",
            field=models.CharField(default="", max_length=9),
        ),
        migrations.RunPython(refer, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="conversation",
            name="reference",
            field=models.CharField(default=newsletter.replies.models.new_reference, max_length=9, unique=True),
        ),
        migrations.AddField(
            model_name="conversation",
            name="safe_to_phone",
            field=models.CharField(blank=True, default="", max_length=10),
        ),
        migrations.AddField(
            model_name="conversation",
            name="safe_to_write",
            field=models.CharField(blank=True, default="", max_length=10),
        ),
        migrations.AddField(
            model_name="conversation",
            name="sensitive",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="conversation",
            name="snoozed_until",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="conversation",
            name="team",
            field=models.CharField(blank=True, default="", max_length=40),
        ),
        migrations.AddField(
            model_name="conversation",
            name="version",
            field=models.PositiveIntegerField(default=1),
        ),
        migrations.AddField(
            model_name="conversation",
            name="waiting_since",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="message",
            name="by",
            field=models.CharField(blank=True, default="", max_length=100),
        ),
        migrations.AddField(
            model_name="message",
            name="html",
            field=models.TextField(blank=True, default=""),
        ),
        migrations.AddField(
            model_name="message",
            name="html_blocked",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="message",
            name="kind",
            field=models.CharField(
                choices=[
                    ("person", "Person"),
                    ("auto", "automatic"),
                    ("answer", "Answer"),
                    ("acknowledgement", "Acknowledgement"),
                    ("forward", "Forward"),
                    ("note", "Note"),
                ],
                default="person",
                max_length=16,
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="language",
            field=models.CharField(blank=True, default="", max_length=35),
        ),
        migrations.AddField(
            model_name="message",
            name="notice",
            field=models.OneToOneField(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="message", to="sending.notice"
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="to_address",
            field=models.CharField(blank=True, default="", max_length=320),
        ),
        migrations.AddField(
            model_name="raw",
            name="answers",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="incoming", to="sending.notice"
            ),
        ),
        migrations.AddField(
            model_name="raw",
            name="detail",
            field=models.CharField(blank=True, default="", max_length=20),
        ),
        migrations.AddField(
            model_name="raw",
            name="source",
            field=models.CharField(blank=True, default="", max_length=200),
        ),
        migrations.AlterField(
            model_name="conversation",
            name="state",
            field=models.CharField(
                choices=[
                    ("new", "New"),
                    ("open", "Open"),
                    ("waiting", "Waiting"),
                    ("snoozed", "Snoozed"),
                    ("closed", "Closed"),
                    ("spam", "Spam"),
                ],
                default="new",
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="raw",
            field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, to="replies.raw"),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(fields=["state", "due"], name="conversation_due"),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(("climb_at__isnull", False)), fields=["climb_at"], name="conversation_climbs"
            ),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(fields=["writer"], name="conversation_writer"),
        ),
        migrations.AddField(
            model_name="attachment",
            name="message",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="attachments", to="replies.message"
            ),
        ),
        migrations.AddField(
            model_name="bounce",
            name="delivery",
            field=models.OneToOneField(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="bounce", to="sending.delivery"
            ),
        ),
        migrations.AddField(
            model_name="bounce",
            name="notice",
            field=models.OneToOneField(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="bounce", to="sending.notice"
            ),
        ),
        migrations.AddField(
            model_name="bounce",
            name="raw",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="bounces", to="replies.raw"
            ),
        ),
        migrations.AddIndex(
            model_name="canary",
            index=models.Index(fields=["intake", "sent"], name="canary_of_intake"),
        ),
        migrations.AddField(
            model_name="complaint",
            name="delivery",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="complaints",
                to="sending.delivery",
            ),
        ),
        migrations.AddField(
            model_name="complaint",
            name="raw",
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, to="replies.raw"),
        ),
        migrations.AddField(
            model_name="deskentry",
            name="conversation",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="log", to="replies.conversation"
            ),
        ),
        migrations.AddConstraint(
            model_name="mailboxstate",
            constraint=models.UniqueConstraint(fields=("mailbox", "folder"), name="one_state_per_folder"),
        ),
        migrations.AddField(
            model_name="tag",
            name="conversation",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="tags", to="replies.conversation"
            ),
        ),
        migrations.AddConstraint(
            model_name="tag",
            constraint=models.UniqueConstraint(fields=("word", "conversation"), name="one_tag_each"),
        ),
    ]
