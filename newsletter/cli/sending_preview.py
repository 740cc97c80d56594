"""What `newsletter send` says before it asks: the number and why, the way, the time, and the first mails to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from newsletter.cli import sending_words as words
from newsletter.cli.output import Output, number, visible
from newsletter.config import Config

if TYPE_CHECKING:
    from newsletter.cli.sending_issue import Prepared

SAMPLES = 5  # messages that --dry-run writes


def say_what(output: Output, config: Config, prepared: Prepared, audience: tuple[str, ...], explanation: Any) -> None:
    """The number and why it is so, From, replies, variants, time: all that a person decides on."""
    from newsletter.audience import overload
    from newsletter.sending import mailings, preview, settling

    front = prepared.issue.front
    sender = config.senders[front.sender]
    found = preview.variants(prepared.renders[""], audience)
    blocks = [("", f"a block {visible(who)}: {number(count)}") for who, count in found.blocks]
    replies = "to the inbox" if front.reply_to == "inbox" else f"to {front.reply_to}"
    spoken = preview.languages(prepared.renders, audience) if len(prepared.renders) > 1 else {}
    languages = ", ".join(f"{language} {number(people)}" for language, people in spoken.items())
    subjects = [
        ("", f"{language}: {visible(mailings.plain_subject(rendered))}")
        for language, rendered in prepared.renders.items()
        if language
    ]
    days = _days(config, explanation.will_get)
    urgent = overload.exempt(config, audience)
    output.facts(
        [
            ("People", visible(explanation.sentence())),
            ("From", f"{visible(sender.name)} <{sender.address}>   replies {visible(replies)}"),
            ("Subject", visible(mailings.plain_subject(prepared.renders[""]))),
            *subjects,
            ("Variants", found.number),
            *blocks,
            *([("Languages", languages)] if languages else []),
            ("Time", _time(config, explanation.will_get, preview.rate())),
            *([("Days", days)] if days else []),
            *([("Urgent", settling.URGENT_WORDS)] if urgent else []),
            *([("Mail", "is caught on this computer; nobody gets it")] if config.mail.transport == "catcher" else []),
        ]
    )


def _days(config: Config, people: int) -> str:
    """Words when the relays cannot take everybody today; empty when they can, or nothing leaves this computer."""
    from newsletter.sending import relay_days
    from newsletter.sending.limits import days_needed

    if config.mail.transport != "smtp":
        return ""
    return days_needed(config, people, used={key: relay_days.day_used(key) for key in config.relays}).words


def _time(config: Config, people: int, rate: float | None) -> str:
    """How long it takes if it goes as fast as the last mailing did; before the first one that is a guess."""
    guessed = "" if rate else ", a guess before the first mailing"
    if not rate:  # a relay in another town takes 0.2 s a mail; one on this computer is a hundred times as quick
        rate = config.relay().connections * 5.0 if config.mail.transport == "smtp" else 200.0
    return f"about {words.duration(people / rate)} at {rate:,.0f} a second{guessed}"


def write_samples(config: Config, keyring: Any, prepared: Prepared, audience: tuple[str, ...]) -> Path:
    """The first messages as .eml, with test tokens: their links show pages and change nothing."""
    from django.utils import timezone

    from newsletter.files import write_atomically
    from newsletter.mail.tokens import new_id
    from newsletter.sending import mailings, preview
    from newsletter.sending.message import Composer

    where = config.root / "build" / prepared.folder.name / "dry-run"
    settings = mailings.settings_of(config, prepared.issue)
    composer = Composer(config, keyring, prepared.renders, settings, new_id(), timezone.localtime(), test=True)
    for old in where.glob("*.eml"):
        old.unlink()
    for index, row in enumerate(preview.first_people(audience, prepared.renders, SAMPLES), 1):
        write_atomically(where / f"{index}.eml", composer.compose(row).data)
    return where
