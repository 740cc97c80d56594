"""Two conversations that are one: shown and answered together, and parted again without loss."""

from __future__ import annotations

from django.db import transaction

from newsletter.problems import Exit, NewsletterError, Problem
from newsletter.replies import clock, desk, journal, states
from newsletter.replies.models import Conversation, Look
from newsletter.replies.who import Colleague


def merge(number: int, into: int, by: Colleague, *, two_writers: bool = False) -> Conversation:
    """Show `number` as part of `into`. Its messages stay its own, so that it can be parted again.

    Two people are never mixed unless somebody says so: an answer then asks which of them it goes to.
    Raises NewsletterError: merge-with-itself, two-writers, merged-away, no-such-conversation.
    """
    if desk.root(into) == number:
        problem = Problem("merge-with-itself", f"{number} cannot be merged into itself", "Name two conversations.")
        raise NewsletterError(problem, exit=Exit.USAGE)
    with transaction.atomic():
        for pk in sorted((number, desk.root(into))):  # always in this order: two merges at once cannot block each other
            desk.held(pk)
        return _merge(number, desk.root(into), by, two_writers)


def _merge(number: int, into: int, by: Colleague, two_writers: bool) -> Conversation:
    with desk.changing(into, by) as target, desk.changing(number, by) as found:
        if found.writer != target.writer and not two_writers:
            hint = "Add --two-writers where they know of each other; an answer then asks whom it goes to."
            message = f"{number} is from {found.writer}, and {target.pk} from {target.writer}"
            raise NewsletterError(Problem("two-writers", message, hint), exit=Exit.REFUSED)
        waits = found.waiting_since if found.state in (states.NEW, states.OPEN) else None
        if waits and (target.waiting_since is None or waits < target.waiting_since):
            target.waiting_since, target.due = waits, found.due
        if waits and target.state not in (states.NEW, states.OPEN):
            target.state, target.snoozed_until = states.OPEN, None
        target.held = target.held or found.held
        target.sensitive = target.sensitive or found.sensitive
        target.look_first = target.look_first or found.look_first
        if found.climb_at is not None:  # whoever is told until somebody looks is told of the whole
            target.climb_at, target.looked_at = min(filter(None, (found.climb_at, target.climb_at))), None
            found.climb_at = None
        if {found.safe_to_write, target.safe_to_write} & {"no", "unsure"}:
            target.safe_to_write = "no" if "no" in (found.safe_to_write, target.safe_to_write) else "unsure"
        found.merged_into = target
        found.state, found.snoozed_until = states.CLOSED, None
        clock.stop(found)
        journal.note(found, "merged", f"into {target.pk}", by.key)
        journal.note(target, "merged", f"with {number}", by.key)
    return target


def part(number: int, by: Colleague) -> Conversation:
    """Undo a merge: it is a conversation of its own again, and open. Raises NewsletterError(not-merged)."""
    with transaction.atomic():
        found = desk.held(number)
        target = found.merged_into
        if target is None:
            hint = f"`newsletter replies show {number} --log` says what was done with it."
            raise NewsletterError(
                Problem("not-merged", f"{number} is not merged into another", hint), exit=Exit.REFUSED
            )
        found.merged_into = None
        found.version += 1
        found.state = states.OPEN
        clock.again(found)
        found.save()
        Look.objects.filter(conversation=found, staff=by.key).update(version=found.version)
        journal.note(found, "parted", f"from {target.pk}", by.key)
        journal.note(target, "parted", f"from {number}", by.key)
    return found
