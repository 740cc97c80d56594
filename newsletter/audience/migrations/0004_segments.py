from typing import Any

from django.db import migrations


def fill(apps: Any, schema_editor: Any) -> None:
    """Traits of the people who are there already; of nobody it costs nothing."""
    from newsletter.audience import traits

    traits.rebuild()


class Migration(migrations.Migration):
    dependencies = [
        ("audience", "0003_records"),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
