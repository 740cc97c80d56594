"""Each person's mail: joined from ready pieces, against Jinja and EmailMessage making the same mail anew."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment

from newsletter import config as configuration
from newsletter.content import finding, reading
from newsletter.mail import outgoing
from newsletter.mail.outgoing import Common, Person
from newsletter.rendering import merge, pipeline, themes
from newsletter.rendering.model import Rendered, Variant
from tests.mail.oracle import read, with_email_message

ROUNDS, OURS_EACH, THEIRS_EACH = 15, 200, 8
AIM = 100
WORKSPACE = Path(__file__).resolve().parent.parent
TOKEN = "eeytemzugu3doobzpvuussxuka6bdpka"
NAMES = ("Ann", "Bilal", "Cerys", "Zoë", "Dafydd", "Ewa", "Farah", "Grace")


def run() -> list[dict[str, object]]:
    """Ours and theirs in turn, so that a busy machine slows both alike; medians of the rounds' ratios."""
    rendered, variant = _seed()
    common = Common(
        from_name="Staffordshire Commissioner",
        from_address="news@staffordshire.example",
        date=datetime(2026, 11, 24, 10, 0, tzinfo=UTC),
        language="en-GB",
        list_id="all-residents.reply.staffordshire.example",
        list_title="Community messages",
        feedback_id="2026-11-24-asb:all-residents:newsletter:staffordshire",
        reply_name="Staffordshire Commissioner",
    )
    compiled = outgoing.compile(common, variant.subject, variant.text, variant.html)
    jinja = Environment(autoescape=False)  # the quicker setting
    templates = [jinja.from_string(_template(part)) for part in (variant.subject, variant.text, variant.html)]

    def values(number: int) -> tuple[str, ...]:
        return merge.fill(rendered, variant, fields[number], systems[number])

    def ours(number: int) -> bytes:
        return compiled.build(values(number), people[number])

    def theirs(number: int) -> bytes:
        filled = {f"v{at}": value for at, value in enumerate(ready[number])}
        subject, text, html = (template.render(filled) for template in templates)
        return with_email_message(common, subject, text, html, people[number])

    fields = [{"first_name": NAMES[at % len(NAMES)], "email": f"person{at}@example.org"} for at in range(OURS_EACH)]
    systems = [_system(at) for at in range(OURS_EACH)]
    ready = [values(number) for number in range(OURS_EACH)]  # theirs need not choose or escape
    people = [_person(number) for number in range(OURS_EACH)]
    _same(ours(3), theirs(3))
    size = f"{len(ours(0)) / 1000:.0f} KB"
    return [
        _row(f"merge and build of the seed ({size}), a person", ours, theirs),
        _row("build alone, values and person ready", lambda at: compiled.build(ready[at], people[at]), theirs),
    ]


def _row(what: str, ours: Callable[[int], bytes], theirs: Callable[[int], bytes]) -> dict[str, object]:
    pairs = [(_each(ours, OURS_EACH), _each(theirs, THEIRS_EACH)) for _ in range(ROUNDS)]
    ratio = statistics.median(their / our for our, their in pairs)
    mine, other = (statistics.median(side) * 1e6 for side in zip(*pairs, strict=True))
    return {
        "what": what,
        "ours": f"{mine:.0f} µs",
        "other": f"{other:.0f} µs",
        "ratio": f"1/{ratio:.0f}",
        "aim": f"≤ 1/{AIM}",
        "ok": ratio >= AIM,
    }


def _each(make: Callable[[int], bytes], count: int) -> float:
    """Seconds of processor time for one mail."""
    began = time.process_time()
    for number in range(count):
        make(number)
    return (time.process_time() - began) / count


def _same(ours: bytes, theirs: bytes) -> None:
    """A race between two different mails proves nothing."""
    mine, other = read(ours), read(theirs)
    assert mine.text.rstrip() == other.text.rstrip() and mine.html.rstrip() == other.html.rstrip()
    assert mine.headers["subject"] == other.headers["subject"] and set(mine.headers) == set(other.headers)


def _seed() -> tuple[Rendered, Variant]:
    config = configuration.load(WORKSPACE)
    issue = reading.read(finding.find(config, "2026-11-24", WORKSPACE), config)
    rendered = pipeline.render(issue, themes.load(issue.front.template, config), config)
    return rendered, merge.variant(rendered, frozenset())


def _template(pieces: tuple[str | int, ...]) -> str:
    """The part as a Jinja template, its literals left alone."""
    raw = (
        "{% raw %}" + piece + "{% endraw %}" if isinstance(piece, str) else f"{{{{ v{piece} }}}}" for piece in pieces
    )
    return "".join(raw)


def _system(number: int) -> dict[str, str]:
    token = f"{TOKEN[:-4]}{number % 10000:04d}".replace("0", "a").replace("1", "b").replace("8", "c").replace("9", "d")
    reply = f"reply+{token}@reply.staffordshire.example"
    return {
        "reply_url": f"mailto:{reply}?subject=Re%3A%20Is%20anti-social%20behaviour",
        "reply_address": reply,
        "unsubscribe_url": f"https://news.staffordshire.example/u/{token}",
        "view_url": f"https://news.staffordshire.example/v/{token}",
        "share_url": f"https://news.staffordshire.example/v/{TOKEN}",
        "why": "You get this because you asked for community messages.",
    }


def _person(number: int) -> Person:
    system = _system(number)
    token = system["view_url"].rpartition("/")[2]
    return Person(
        to=f"person{number}@example.org",
        message_id=f"{token}@reply.staffordshire.example",
        reply_to=system["reply_address"],
        unsubscribe_url=system["unsubscribe_url"],
        unsubscribe_mailto=f"unsubscribe+{token}@reply.staffordshire.example",
        name=f"{NAMES[number % len(NAMES)]} Oakley",
    )
