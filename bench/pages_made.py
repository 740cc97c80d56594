"""Makes what bench/pages asks for: people with links of their own, an issue they were sent, an archive of sixty more.

Prints one line of JSON: [title, [[method, path, body], …], how it is answered] of each kind of page. Every request is
another person's, so that no page is quick only because it is asked for again.
"""

from __future__ import annotations

import json
import shutil
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from newsletter.config import load
from newsletter.mail.tokens import Keyring, Purpose, new_id

ROOT = Path(__file__).resolve().parents[1]
ISSUE = "2026-11-24-asb-and-mental-health"  # of the example workspace: a message as they are sent
PEOPLE, ISSUES, FOLDERS = 10_000, 60, 300
ASKED = 900  # requests of one kind; a thousand sign-ups within an hour are taken for an attack


def main(root: Path) -> None:
    """The workspace is there, with its settings and a key; the rest is made here."""
    from newsletter.audience import database

    config = load(root)
    database.ready(config)
    _people(next(iter(config.lists)))
    _archive(root)
    print(json.dumps(_kinds(Keyring.load(root / "var" / "secret.key"))))


def _people(key: str) -> None:
    from newsletter.audience.models import MailingList, Subscriber, Subscription

    chosen = MailingList.objects.create(key=key)
    people = [
        Subscriber(address=f"p{n}@home.example", canonical=f"p{n}@home.example", language="en") for n in range(PEOPLE)
    ]
    Subscriber.objects.bulk_create(people, batch_size=1000)
    Subscription.objects.bulk_create([Subscription(subscriber=one, list=chosen) for one in people], batch_size=1000)


def _archive(root: Path) -> None:
    """The issue goes through approval as any other, and has arrived; the others are copies of its rows."""
    from django.utils import timezone

    from newsletter.cli.sending_issue import prepare, public_copies
    from newsletter.rendering.model import Mode
    from newsletter.sending import mailings
    from newsletter.sending.models import ArchivePage, Delivery, Mailing, Tally

    folder = root / "issues" / ISSUE
    shutil.copytree(ROOT / "issues", root / "issues")
    for number in range(FOLDERS):
        shutil.copytree(ROOT / "issues" / "partials", root / "issues" / f"older-{number}")
    text = (folder / "issue.md").read_text(encoding="utf-8")
    (folder / "issue.md").write_text(text.replace("---\n", "---\narchive: public\n", 1), encoding="utf-8")
    config = load(root)
    prepared = prepare(config, folder, Mode.SEND)
    mailing = mailings.approve(config, prepared.renders, prepared.issue, public=public_copies(config, prepared))
    mailings.start(mailing)
    Delivery.objects.update(state="accepted", proof="answer", reply_code=250)
    Tally.objects.update(state="accepted")
    about = ArchivePage.objects.get(mailing=mailing)
    for number in range(ISSUES):
        copy = Mailing.objects.get(pk=mailing.pk)
        copy.pk, copy.slug, copy.public_id, copy._state.adding = None, f"{ISSUE}-{number}", new_id(), True
        copy.save()
        Mailing.objects.filter(pk=copy.pk).update(started_at=timezone.now() - timedelta(days=1 + 20 * number))
        ArchivePage.objects.create(mailing=copy, listed=True, titles=about.titles, words=about.words)
        Tally.objects.create(mailing=copy, worker="", state="accepted", people=1)


def _kinds(ring: Keyring) -> list[tuple[str, list[tuple[str, str, str]], int]]:
    from django.utils import timezone

    from newsletter.audience import requests
    from newsletter.audience.models import Request
    from newsletter.sending import previewing
    from newsletter.sending.models import Delivery, Mailing
    from newsletter.web import filling

    tokens = [bytes(one) for one in Delivery.objects.order_by("pk").values_list("token", flat=True)]
    mailing = Mailing.objects.get(slug=ISSUE)
    shared = f"/v/{ring.make(Purpose.VIEW, bytes(mailing.public_id))}"
    until = timezone.now() + timedelta(minutes=10)
    asked = [
        requests.make(Request.Kind.SUBSCRIBE, f"new{n}@home.example", f"new{n}@home.example", {"lists": mailing.lists})
        for n in range(ASKED)
    ]
    Request.objects.update(told=timezone.now(), created=timezone.now() - timedelta(hours=2))
    shown = filling.stamp(ring, timezone.now().timestamp() - 60)

    def reading(start: str, purpose: Purpose) -> list[Any]:
        return [("GET", f"{start}/{ring.make(purpose, one)}", "") for one in tokens[:ASKED]]

    def own(token: bytes) -> str:
        return f"{shared}?own={token.hex()}-{previewing.seal(ring, previewing.COPY, token.hex(), until)}"

    def sign_up(number: int) -> str:
        form = {"email": f"sign-up{number}@home.example", "list": mailing.lists[0], "shown": shown}
        return urlencode(form)

    def leaving(start: int, body: str) -> list[Any]:
        chosen = tokens[start : start + ASKED]
        return [("POST", f"/u/{ring.make(Purpose.UNSUBSCRIBE, one)}", body) for one in chosen]

    slugs = [f"{ISSUE}-{number}" for number in range(ISSUES)]
    return [
        ("subscribe", [("GET", "/subscribe", "")], 200),
        ("confirm", [("GET", f"/c/{requests.token_of(ring, one)}", "") for one in asked if one], 200),
        ("preferences", reading("/p", Purpose.UNSUBSCRIBE), 200),
        ("unsubscribe", reading("/u", Purpose.UNSUBSCRIBE), 200),
        ("archive", [("GET", "/archive", "")], 200),
        ("archive, an issue", [("GET", f"/archive/{slug}", "") for slug in slugs], 200),
        ("view in browser, a mail's link", reading("/v", Purpose.VIEW), 303),
        ("view in browser, own copy", [("GET", own(one), "") for one in tokens[:ASKED]], 200),
        ("view in browser, public copy", [("GET", shared, "")], 200),
        ("feed", [("GET", "/feed.xml", "")], 200),
        ("was this useful", reading("/rate", Purpose.VIEW), 200),
        ("reply", reading("/r", Purpose.REPLY), 200),
        ("subscribe, pressed", [("POST", "/subscribe", sign_up(number)) for number in range(ASKED)], 200),
        ("unsubscribe, pressed", leaving(1000, "action=leave"), 200),
        ("unsubscribe, one click", leaving(2000, "List-Unsubscribe=One-Click"), 200),
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
