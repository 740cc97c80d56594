"""Measures the desk's lists with 100,000 conversations, on both databases: what a colleague waits for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench import both

ROOT = Path(__file__).resolve().parents[1]
AIM = 200.0  # ms, for every list

# Runs in a process of its own, so that it has a database of its own. Prints one JSON object.
_CHILD = """
import json, random, sys, time
from datetime import timedelta
from pathlib import Path
from newsletter import config
from newsletter.audience import database
found = config.load(Path(sys.argv[1]))
database.ready(found)
from django.db import connection
from django.utils import timezone
from newsletter.mail.tokens import new_id
from newsletter.replies import listing, report, showing
from newsletter.replies.listing import Filter
from newsletter.replies.models import Conversation, Message, Tag
from newsletter.sending.models import Mailing

many, chance, now = int(sys.argv[2]), random.Random(7), timezone.now()
issues = [Mailing.objects.create(slug=f"issue-{n:02}", rendered={"": "x" * 200_000}, checksum="0" * 64, audience=[],
                                 settings={"subject": "x"}, public_id=new_id()) for n in range(40)]
words = "the street light in our road has been broken since august and nobody came to mend it please".split()
teams, staff = ["asb", "roads", "letters", ""], ["jo", "sam", "kim", ""]
for start in range(0, many, 5000):
    rows = []
    for n in range(start, min(many, start + 5000)):
        state = chance.choices(["new", "open", "waiting", "closed", "spam", "snoozed"], [6, 4, 10, 75, 3, 2])[0]
        since = now - timedelta(minutes=chance.randint(1, 6000))
        waits = state in ("new", "open")
        rows.append(Conversation(mailing=chance.choice(issues), writer=f"p{n}@example.net", subject="Re: Street lights",
            from_address=f"p{n}@example.net", from_name=f"Person {n}", state=state, team=chance.choice(teams),
            assignee=chance.choice(staff), waiting_since=since if waits else None, verified=True, identified="token",
            due=since + timedelta(hours=72) if waits else None, created=since,
            answered_at=None if waits else since + timedelta(hours=chance.randint(1, 90)),
            answered_in_target=None if waits else True))
    made = Conversation.objects.bulk_create(rows)
    Message.objects.bulk_create([Message(conversation=one, from_address=one.from_address, from_name=one.from_name,
        new_words=" ".join(chance.choices(words, k=40)) + (" rareword" if one.pk % 20_000 == 7 else ""),
        full_text="quoted " * 60) for one in made])
    Tag.objects.bulk_create([Tag(conversation=one, word="lighting") for one in made if chance.random() < 0.02])
with connection.cursor() as cursor:
    cursor.execute("ANALYZE")

def timed(work, times=15):
    took = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        took.append(1000 * (time.perf_counter() - began))
    return sorted(took)[int(len(took) * 0.95)]

page = lambda **how: timed(lambda: listing.page(found, Filter(**how)))
print(json.dumps({
    "who waits": page(),
    "page 100 of them": timed(lambda: listing.page(found, Filter(), 100)),
    "mine": page(assignee="jo"),
    "a team's, late": page(team="asb", overdue=True),
    "with nobody yet": page(unassigned=True),
    "of one issue": page(issue="issue-07"),
    "with a tag": page(tag="lighting"),
    "everything, closed too": page(state="all"),
    "two words that many wrote": page(words="street light"),
    "a word that few wrote, of those who wait": page(words="rareword"),
    "a word that few wrote, of all": page(state="all", words="rareword"),
    "two words that many wrote, of all": page(state="all", words="street light"),
    "somebody's address, of all": page(state="all", words="p4711@example.net"),
    "by issue": timed(listing.by_issue, 5),
    "one conversation": timed(lambda: showing.conversation(many // 2)),
    "report over all": timed(lambda: report.report(found), 3),
}))
"""
OTHER_AIMS = {"report over all": 5000.0}  # ms; nobody waits for it daily


def measured(url: str, many: int) -> dict[str, float]:
    """p95 in ms of each list, by name; `url` is the database, "" = a file."""
    answer: dict[str, float] = both.child(_CHILD, url, many)
    return answer


def rows(database: str, found: dict[str, float]) -> list[dict[str, Any]]:
    return [
        {
            "what": f"{database}: {what}",
            "ours": f"{took:.0f} ms",
            "other": "–",
            "ratio": "–",
            "aim": f"≤ {OTHER_AIMS.get(what, AIM):.0f} ms (p95)",
            "ok": took <= OTHER_AIMS.get(what, AIM),
        }
        for what, took in found.items()
    ]


def run(many: int = 100_000, *, quick: bool = False) -> list[dict[str, Any]]:
    """Rows for `python -m bench desk`."""
    many = 20_000 if quick else many
    return both.databases(lambda database, url: rows(database, measured(url, many)))
