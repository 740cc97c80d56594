"""Where in its mailbox a message lay is looked up at every look into that mailbox."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("replies", "0002_desk")]

    operations = [
        migrations.AddIndex(
            model_name="raw",
            index=models.Index(fields=["source"], condition=~Q(source=""), name="raw_source"),
        ),
    ]
