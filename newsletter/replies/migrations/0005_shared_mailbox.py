"""With one shared mailbox a copy is found by a quoted link, or only by the sender's address; and it says so."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("replies", "0004_the_desk")]
    operations = [
        migrations.AlterField(
            model_name="conversation",
            name="identified",
            field=models.CharField(
                blank=True,
                choices=[
                    ("token", "by the reply address"),
                    ("message-id", "by the message it answers"),
                    ("quoted", "by a link in what they quoted"),
                    ("address", "matched by address"),
                    ("test", "an answer to a test copy"),
                    ("", "sender not verified"),
                ],
                default="",
                max_length=10,
            ),
        ),
    ]
