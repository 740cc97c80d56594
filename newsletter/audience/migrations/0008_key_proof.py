from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("audience", "0007_import"),
    ]

    operations = [
        migrations.CreateModel(
            name="KeyProof",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("proof", models.CharField(max_length=64, unique=True)),
            ],
        ),
    ]
