"""The second person: who sends an issue is not the only one who has read it (threat T23).

A yes is for exactly these words to exactly these lists: it holds a seal over every language as it would be sent, over
the audience, the sender and where answers go, so a later change of any of them asks anew. People are told apart by the
account on this computer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from newsletter.config import Config
from newsletter.content.model import FrontMatter
from newsletter.problems import Exit, NewsletterError, Problem
from newsletter.rendering.model import Rendered
from newsletter.sending import logbook
from newsletter.sending.models import Approval


def seal(renders: Mapping[str, Rendered], front: FrontMatter) -> str:
    """64 hex digits over the checksums of all languages, and over whom it goes to and comes from."""
    words = [f"{language} {renders[language].checksum}" for language in sorted(renders)]
    whom = [f"to {key}" for key in sorted(front.audience)]
    said = "\n".join([*words, *whom, f"from {front.sender}", f"answers {front.reply_to}", f"corrects {front.corrects}"])
    return hashlib.sha256(said.encode()).hexdigest()


def say_yes(slug: str, renders: Mapping[str, Rendered], front: FrontMatter) -> Approval:
    """Write down that whoever runs this command approves; twice is once."""
    yes, _ = Approval.objects.get_or_create(slug=slug, seal=seal(renders, front), by=logbook.user()[:100])
    return yes


def by_others(slug: str, renders: Mapping[str, Rendered], front: FrontMatter) -> list[str]:
    """Who else than the one who runs this command has said yes to exactly this."""
    found = Approval.objects.filter(slug=slug, seal=seal(renders, front)).exclude(by=logbook.user()[:100])
    return list(found.order_by("at").values_list("by", flat=True))


def needed(config: Config, people: int) -> bool:
    """True when a mailing to so many people needs a second person."""
    return config.sending.approvals > 0 and people > config.sending.approve_over


def must_be_there(
    config: Config, slug: str, renders: Mapping[str, Rendered], front: FrontMatter, people: int
) -> list[str]:
    """Who approved it. Raises NewsletterError(needs-approval), exit 4, where a second person is needed and missing."""
    if not needed(config, people):
        return []
    found = by_others(slug, renders, front)
    if found:
        return found
    me = logbook.user()[:100]
    why = "Nobody else has approved it yet"
    if Approval.objects.filter(slug=slug).exclude(by=me).exists():
        why = "It was changed since somebody else approved it: its words, or whom it goes to"
    elif Approval.objects.filter(slug=slug).exists():
        why = f"Nobody else has approved it yet; your own yes ({me}) does not count, because you send it"
    hint = f"Somebody with another account on this computer runs `newsletter approve {slug}`, then send it again."
    raise NewsletterError(Problem("needs-approval", why, hint), exit=Exit.REFUSED)
