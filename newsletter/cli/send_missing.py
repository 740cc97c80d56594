"""`newsletter send --missing`: to those who did not get a mailing that has ended; says why so many, and asks."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from newsletter.cli import sending_words as words
from newsletter.cli.output import Output, number, visible
from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem

if TYPE_CHECKING:
    from newsletter.sending.models import Mailing

REASONS = 10  # lines of reasons, the rest is one number


def put_back(
    output: Output, config: Config, issue: str | None, yes: bool, expected: range | None, dry_run: bool
) -> Mailing:
    """Ask, and let them wait again; the mailing that `send` then carries. Raises NewsletterError, exit 4."""
    from newsletter.cli.sending_mailing import which, wrong_state
    from newsletter.cli.sending_run import confirmed
    from newsletter.cli.settle import by_whom
    from newsletter.sending import again

    mailing = which(output, config, issue)
    if mailing.state not in again.ENDED:
        raise wrong_state(mailing, "sent to the missing", "newsletter send goes on where it stopped.")
    reasons = again.explain_missing(mailing)
    people = sum(reasons.values())
    again.must_be_agreed(people, expected)
    output.say(f"{words.people(people)} of {number(mailing.frozen)} did not get {mailing.slug}:")
    rows = [*reasons.items()]
    for why, affected in rows[:REASONS]:
        output.say(f"  {number(affected)}   {visible(why)}")
    if rows[REASONS:]:
        output.say(f"  {number(sum(affected for _, affected in rows[REASONS:]))}   for other reasons")
    output.say("  Who has it, is uncertain or has left is not sent it; people who joined since are not in it either.")
    if dry_run:
        return mailing
    if not (yes and expected is not None):
        if not sys.stdin.isatty():
            raise _not_agreed(
                f"This would e-mail {words.people(people)}; without a terminal nobody can agree to it",
                f"Say the number: newsletter send --missing {mailing.slug} --yes --expect {people}",
            )
        if not confirmed(output, f"Type {people} to send:", people):
            raise _not_agreed("That is not the number; nothing was sent", "Run newsletter send --missing again.")
        expected = range(people, people + 1)
    again.missing(mailing, expected, by_whom())
    return mailing


def _not_agreed(message: str, hint: str) -> NewsletterError:
    return NewsletterError(Problem("must-be-agreed", message, hint=hint), exit=Exit.REFUSED)
