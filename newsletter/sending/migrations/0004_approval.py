"""A second person's yes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sending", "0003_notices"),
    ]

    operations = [
        migrations.CreateModel(
            name="Approval",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("slug", models.CharField(max_length=200)),
                ("seal", models.CharField(max_length=64)),
                ("by", models.CharField(max_length=100)),
                ("at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("slug", "seal", "by"), name="one_yes_each")],
            },
        ),
    ]
