"""One text to many who asked alike: each gets a mail of their own, and whoever needs a second thought is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.config import Config
from newsletter.problems import NewsletterError
from newsletter.replies import answering
from newsletter.replies.answering import Plan
from newsletter.replies.who import Colleague


@dataclass(frozen=True)
class Many:
    """Who gets it, and who does not, with the reason: those are for a person to answer one by one."""

    plans: tuple[Plan, ...]
    left: tuple[tuple[int, str], ...]

    @property
    def people(self) -> int:
        """How many different addresses are written to."""
        return len({one.letter.to for one in self.plans})


def plan(config: Config, numbers: Sequence[int], by: Colleague, text: str) -> Many:
    """Look at each conversation; nothing is written down yet.

    Left out are those where an answer to one person would ask first: a copy that was sent to somebody else, somebody
    in Cc, not safe to write, never written to, a field that is not known. Also what is to be looked at first: nobody in
    danger gets a circular. A fault in the text itself is raised.
    """
    plans: list[Plan] = []
    left: list[tuple[int, str]] = []
    for number in dict.fromkeys(numbers):
        found = answering.conversation(number)
        if found.look_first and found.looked_at is None:
            left.append((number, f"to be looked at first: {found.look_first}"))
            continue
        if found.state == "spam" or found.merged_into_id is not None:
            left.append((number, "junk" if found.state == "spam" else f"merged into {found.merged_into_id}"))
            continue
        try:
            plans.append(answering.plan(config, number, by, text, version=found.version, fields=True))
        except NewsletterError as error:
            if error.problems[0].code in ("unknown-answer-field", "nothing-said"):
                raise
            left.append((number, error.problems[0].message))
    return Many(tuple(plans), tuple(left))


def send(config: Config, many: Many, by: Colleague, *, close: bool = False) -> tuple[list[int], list[tuple[int, str]]]:
    """Queue each in a transaction of its own: the notices, and whom something that happened meanwhile left out."""
    notices: list[int] = []
    left: list[tuple[int, str]] = []
    for one in many.plans:
        try:
            notices.append(answering.send(config, one, by, close=close))
        except NewsletterError as error:
            left.append((one.conversation, error.problems[0].message))
    return notices, left
