"""What should be looked at first needs a worker that tells of it; `newsletter doctor` says when nobody is told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from newsletter.cli.doctor_checks import Finding, worth_a_look
from newsletter.cli.output import count
from newsletter.config import Config
from newsletter.problems import NewsletterError, Problem

LATE = timedelta(minutes=5)  # the worker looks every 5 s, and in a storm waits 2 minutes


def looking(config: Config) -> Iterator[Finding]:
    """The notices about what should be looked at first go out; or that no rule asks for any."""
    if not (config.replies.look_first or any(rule.look_first for rule in config.rules.values())):
        words = "nothing is looked at first: [replies] look_first is off (docs/how-to/look-at-first.md)"
        yield Finding("Replies", words)
        return
    from newsletter.audience import database

    try:
        database.ready(config)
        with database.problems_of():
            from django.utils import timezone

            from newsletter.replies.models import Conversation
            from newsletter.sending import heartbeats

            why = heartbeats.absent()
            late = Conversation.objects.filter(climb_at__lt=timezone.now() - LATE).count()
    except NewsletterError:
        return  # `database` has said what is wrong with it
    hint = "Start newsletter worker and keep it running: docs/how-to/run-the-worker.md."
    if late:
        text = f"{count(late, 'conversation')} should be looked at first, and nobody is being told"
        more = "Read them now: newsletter replies list --look-first. "
        yield Finding("Replies", text, Problem("nobody-is-told", text, more + hint))
    elif why:
        text = f"Messages are looked through for danger, but no worker is there to tell anybody ({why})"
        yield worth_a_look("Replies", "nobody-is-told", text, hint)
    else:
        yield Finding("Replies", f"what should be looked at first goes to the team, then to {config.replies.duty}")
