"""What a person can have done with their data by a link that only their mailbox got: taken out, or erased."""

from __future__ import annotations

import tempfile
from pathlib import Path

from django.db import transaction

from newsletter import settings
from newsletter.audience import subscribing
from newsletter.problems import NewsletterError
from newsletter.replies import forgetting, personal, telling

BY = "themselves"
CHANNEL = "page"


def everything(canonical: str, language: str) -> bytes:
    """The ZIP of `newsletter recipients access`, without what is ours alone. `language`: of the page they came from."""
    found = personal.collect(canonical, internal=False)
    config = settings.current()
    with tempfile.TemporaryDirectory(dir=config.var, prefix="access-") as folder:
        path = Path(folder) / "my-data.zip"
        personal.to_file(found, canonical, path, language)
        return path.read_bytes()


def forget(canonical: str, wording: str) -> bool:
    """Erase the person as `newsletter recipients forget` does; False where a legal hold keeps it, and staff know.

    They get no mailing meanwhile: whoever asks to be forgotten does not want the next one. `wording`: what they
    pressed.
    Raises NewsletterError(erasing-busy), which becomes "please try again in a few minutes".
    """
    plan = forgetting.plan(canonical, files=False)  # erasing looks for them anyway, and somebody waits for a page
    try:
        forgetting.forget(plan, BY, later=True)
    except NewsletterError as error:
        if not any(problem.code == "on-legal-hold" for problem in error.problems):
            raise
        with transaction.atomic():
            subscribing.leave(canonical, (), CHANNEL, wording)
            tell_staff(plan.held)
        return False
    return True


def tell_staff(held: list[int]) -> None:
    """A colleague must write to them: the law gives a month (GDPR article 12 (3)). It waits at the desk, by the clock,
    and a mail says so."""
    config = settings.current()
    addresses = [one.address for one in config.staff.values()] or [one.address for one in config.senders.values()][:1]
    conversation = forgetting.asked(held)
    if conversation:
        lines = (
            "This person asked us to forget them. Nothing was erased: a legal hold keeps it.",
            "They get no more mailings. Please write to them, within a month, what is kept and why.",
        )
        subject = f"Asked to be forgotten, on legal hold: {conversation.reference}"
        telling.tell(conversation, addresses, subject, lines, f"forget:{conversation.pk}")
