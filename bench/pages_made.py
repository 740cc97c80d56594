"""Makes what bench/pages asks for: a person with a subscription and an issue they were sent; prints the addresses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from newsletter.config import load
from newsletter.mail.tokens import Keyring, Purpose, new_id


def main(root: Path) -> None:
    """One JSON line: [title, path] of each page."""
    from newsletter.audience import database

    config = load(root)
    database.ready(config)
    from newsletter.audience.models import MailingList, Subscriber, Subscription
    from newsletter.sending.models import UnsubscribeKey

    key = next(iter(config.lists))
    chosen = MailingList.objects.create(key=key)
    people = [
        Subscriber(address=f"p{n}@home.example", canonical=f"p{n}@home.example", language="en") for n in range(10_000)
    ]
    Subscriber.objects.bulk_create(people, batch_size=1000)
    Subscription.objects.bulk_create([Subscription(subscriber=one, list=chosen) for one in people], batch_size=1000)
    token = new_id()
    UnsubscribeKey.objects.create(token=token, canonical=people[7].canonical, lists=[key], lists_key=key)
    keyring = Keyring.load(root / "var" / "secret.key")
    leave = keyring.make(Purpose.UNSUBSCRIBE, token)
    print(
        json.dumps(
            [
                ["subscribe", "/subscribe"],
                ["preferences", f"/p/{leave}"],
                ["unsubscribe", f"/u/{leave}"],
                ["front page", "/"],
            ]
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
