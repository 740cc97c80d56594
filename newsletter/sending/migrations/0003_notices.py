"""Single mails: answers, acknowledgements, notices to staff."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sending", "0002_ledger"),
    ]

    operations = [
        migrations.CreateModel(
            name="Notice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("answer", "Answer"),
                            ("acknowledgement", "Acknowledgement"),
                            ("forward", "Forward"),
                            ("staff", "notice to a colleague"),
                            ("canary", "Canary"),
                            ("confirmation", "Confirmation"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("inflight", "Inflight"),
                            ("accepted", "Accepted"),
                            ("deferred", "Deferred"),
                            ("failed", "Failed"),
                            ("suppressed", "Suppressed"),
                            ("cancelled", "Cancelled"),
                            ("uncertain", "Uncertain"),
                        ],
                        default="pending",
                        max_length=10,
                    ),
                ),
                ("once", models.CharField(max_length=120, null=True, unique=True)),
                ("sender", models.CharField(blank=True, default="", max_length=320)),
                ("address", models.CharField(max_length=320)),
                ("canonical", models.CharField(max_length=320)),
                ("token", models.BinaryField(max_length=9, null=True, unique=True)),
                ("message_id", models.CharField(blank=True, db_index=True, default="", max_length=200)),
                ("data", models.BinaryField()),
                ("attempt", models.PositiveIntegerField(default=0)),
                ("tries", models.PositiveIntegerField(default=0)),
                ("due", models.DateTimeField(null=True)),
                ("reason", models.CharField(blank=True, default="", max_length=300)),
                ("reply_code", models.PositiveSmallIntegerField(null=True)),
                ("remote_id", models.CharField(blank=True, default="", max_length=200)),
                ("created", models.DateTimeField(auto_now_add=True)),
                ("changed", models.DateTimeField(auto_now=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ("pending", "deferred", "inflight"))),
                        fields=["id"],
                        name="notice_open",
                    )
                ],
            },
        ),
    ]
