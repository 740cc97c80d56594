"""When a message came may be said by whoever keeps it: the clock of a new conversation begins at that very moment."""

from __future__ import annotations

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("replies", "0007_search")]

    operations = [
        # The column stays as it is; without this SQLite would write the whole table anew.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField("message", "at", models.DateTimeField(default=django.utils.timezone.now))
            ]
        )
    ]
