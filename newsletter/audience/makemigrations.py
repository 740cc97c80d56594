"""For developers: write the migrations of changed models (`python -m newsletter.audience.makemigrations`)."""

from __future__ import annotations

import sys

from newsletter import config, settings
from newsletter.files import PACKAGE


def main(arguments: list[str]) -> None:
    """Run Django's makemigrations on the example workspace; arguments as there, such as `sending --name pace`."""
    settings.setup(config.load(PACKAGE.parent))
    from django.core.management import call_command

    call_command("makemigrations", *arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
