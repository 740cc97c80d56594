"""What our own mail server found out about the sender of a message, and whether the writer signed it."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("replies", "0008_when_it_came")]

    operations = [
        migrations.AddField("message", "vouched", models.CharField(max_length=10, blank=True, default="")),
        migrations.AddField("message", "signed", models.BooleanField(default=False)),
    ]
