"""One round of taking in mail, in a process of its own: `python -m bench.intake_run ROOT COUNT`. Prints JSON.

The floor is what anyone would do at least: one insert of the raw bytes for each message, committed to the disk.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from newsletter import config as configuration
from newsletter import settings
from newsletter.audience import database
from newsletter.config import Config

TOKENS = 100  # deliveries that are answered, each about equally often
QUOTED = "".join(f"> Line {number} of the message that was sent to you, about the street.\n" for number in range(60))


def main(root: str, count: int) -> None:
    config = configuration.load(Path(root))
    database.ready(config)
    recipients = _sent(config)
    said: dict[str, Any] = {"bytes": len(_mail(recipients[0], "x"))}
    said["floor"] = count / _seconds(lambda: _floor(config, recipients, count))
    said["accept"] = count / _seconds(lambda: _accept(recipients, count))
    said["lmtp"] = count / _seconds(lambda: _lmtp(config, recipients, count))
    from newsletter import replies

    found = replies.balance()
    assert found["adds_up"] and found["person"] == found["received"] == 2 * count + 1, found
    print(json.dumps(said))


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _accept(recipients: list[str], count: int) -> None:
    from newsletter.replies import intake

    for number in range(count):
        to = recipients[number % TOKENS]
        intake.accept(_mail(to, f"accept{number}"), to, "person@example.net", "pipe")


def _lmtp(config: Config, recipients: list[str], count: int) -> None:
    """Two connections at once, as Postfix opens them; until the last message is sorted."""
    from newsletter.replies.lmtp_server import Server
    from tests.replies.speaking import Peer, all_sorted, until

    with Server(config, "127.0.0.1:0") as server:

        def speak(first: int) -> None:
            with Peer(server.place) as peer:
                for number in range(first, count, 2):
                    to = recipients[number % TOKENS]
                    [said] = peer.send(_mail(to, f"lmtp{number}"), to)
                    assert said.startswith("250"), said

        threads = [threading.Thread(target=speak, args=(first,)) for first in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(all_sorted, 120)


def _floor(config: Config, recipients: list[str], count: int) -> None:
    mails = [(_mail(recipients[number % TOKENS], f"floor{number}"),) for number in range(count)]
    if settings.database(config)["ENGINE"].endswith("sqlite3"):
        with sqlite3.connect(config.var / "floor.db", isolation_level=None) as plain:
            plain.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE floor (data BLOB)")
            for mail in mails:
                plain.execute("INSERT INTO floor VALUES (?)", mail)
        return
    import psycopg

    with psycopg.connect(config.database.url, autocommit=True) as server:
        server.execute("CREATE TABLE floor (data BYTEA)")
        for mail in mails:
            server.execute("INSERT INTO floor VALUES (%s)", mail)


def _mail(to: str, name: str) -> bytes:
    """An answer as a mail program writes it, quoted text and all: 9 KB."""
    text = f"Thank you, but what about the lamps? ({name})\n\nOn Tue, 24 Nov 2026, Example Council wrote:\n{QUOTED}"
    html = f"<p>Thank you, but what about the lamps? ({name})</p><blockquote type=cite>{QUOTED}</blockquote>"
    return (
        f"Received: from a.example by b.example; Tue, 24 Nov 2026 10:00:00 +0000\nFrom: Person <{name}@example.net>\n"
        f"To: {to}\nSubject: Re: Your street\nMessage-ID: <{name}@example.net>\nMIME-Version: 1.0\n"
        "Content-Type: multipart/alternative; boundary=front\n\n--front\nContent-Type: text/plain; charset=utf-8\n"
        f"\n{text}\n--front\nContent-Type: text/html; charset=utf-8\n\n{html}\n--front--\n"
    ).encode()


def _sent(config: Config) -> list[str]:
    """Deliveries of one mailing; gives the reply address of each. One answer is taken in to warm everything up."""
    from newsletter.mail.tokens import Keyring, Purpose, address, new_id
    from newsletter.replies import intake
    from newsletter.sending.models import Delivery, Mailing

    mailing = Mailing.objects.create(
        slug="2026-11-24-street", rendered={}, checksum="0" * 64, audience=[], settings={}, public_id=new_id()
    )
    keyring = Keyring.load(config.var / "secret.key")
    found = []
    for number in range(TOKENS):
        token = new_id()
        to = f"person{number}@example.net"
        Delivery.objects.create(
            mailing=mailing, canonical=to, address=to, lists=[], token=token, state="accepted", proof="answer"
        )
        found.append(address("reply", keyring.make(Purpose.REPLY, token), config.mail.reply_domain))
    intake.accept(_mail(found[0], "warm"), found[0], "person@example.net", "pipe")
    return found


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
