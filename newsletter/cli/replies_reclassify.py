"""`newsletter replies sorted`, `reclassify` and `let-go`: look at the sorting, correct it, follow a suggestion."""

from __future__ import annotations

import click

from newsletter.cli.output import Output, count, json_option, print_json, visible
from newsletter.cli.replies_words import cut
from newsletter.cli.sending_words import stamp
from newsletter.problems import Exit, NewsletterError, Problem, Severity

KINDS = ("auto", "bounce", "complaint", "unsubscribe", "quarantine")


@click.command("sorted")
@click.option("--kind", type=click.Choice(KINDS), default=None, help="Only these.")
@json_option
@click.pass_obj
def sorted_(output: Output, kind: str | None, as_json: bool) -> int:
    """The newest mail that was not taken for a person's, and why; for checking the sorting."""
    _open(output)
    from newsletter.replies import bounces, reclassifying

    found = reclassifying.lately(kind or "")
    blocked, latest = bounces.blocked_lately()
    problems = [refused_as_sender(blocked, latest)] if blocked else []
    if as_json:
        print_json(problems, messages=found, blocked=blocked)
        return Exit.FINE
    rows = [
        (one["id"], stamp(one["received"]), one["kind"], cut(one["sender"] or "<>", 32),
         cut(one["reason"], 60))
        for one in found
    ]  # fmt: skip
    if rows:
        head = ("No.", "Came", "Kind", "From", "Why")
        if columns := output.too_wide(head, rows):
            below = [cut(one["reason"], columns - 8) for one in found]
            output.table(head[:-1], [row[:-1] for row in rows], below)
        else:
            output.table(head, rows)
        output.next(f"newsletter replies reclassify {rows[0][0]} --as person", "when a person wrote it")
    else:
        output.say("Everything that came in was from people.")
    output.problems(problems)
    return Exit.FINE


@click.command()
@click.argument("number", type=click.IntRange(1))
@click.option("--as", "target", type=click.Choice(("person", "auto", "spam")), required=True, help="What it really is.")
@json_option
@click.pass_obj
def reclassify(output: Output, number: int, target: str, as_json: bool) -> int:
    """Correct the sorting of one message; what it did (a suppression, a leave) is undone.

    NUMBER is the one that `newsletter replies sorted` shows; of a person's message, `newsletter replies show --json`
    names it as raw.
    """
    _open(output)
    from newsletter.replies import reading, reclassifying
    from newsletter.replies.models import Raw
    from newsletter.sending import logbook

    row = Raw.objects.filter(pk=number).first()
    incoming = reading.read(bytes(row.data)) if row is not None and target == "person" else None
    changed = reclassifying.to(number, target, logbook.user(), incoming)
    if as_json:
        print_json(conversation=changed.conversation_id, undone=list(changed.undone))
        return Exit.FINE
    said = f"Message {number} counts as {target} now"
    output.done(f"{said}: conversation {changed.conversation_id}." if changed.conversation_id else f"{said}.")
    for words in changed.undone:
        output.say(f"  {words}")
    return Exit.FINE


@click.command("let-go")
@click.argument("number", type=click.IntRange(1))
@json_option
@click.pass_obj
def let_go(output: Output, number: int, as_json: bool) -> int:
    """Take the writer of conversation NUMBER off their lists, as they asked ("asks to leave")."""
    _open(output)
    from newsletter.replies import reclassifying
    from newsletter.replies.models import Conversation
    from newsletter.sending import logbook

    found = Conversation.objects.select_related("delivery").filter(pk=number).first()
    if found is None:
        hint = "`newsletter replies list --all` shows every number."
        raise NewsletterError(
            Problem("no-such-conversation", f"There is no conversation {number}", hint), exit=Exit.USAGE
        )
    if found.delivery is None or found.someone_else:
        hint = "Only whom the copy went to can be taken off so. `newsletter recipients show EMAIL` shows a person."
        raise NewsletterError(
            Problem("not-theirs-to-leave", "Nothing proves that the writer is on any list", hint), exit=Exit.REFUSED
        )
    lists = reclassifying.leave(found, logbook.user())
    if as_json:
        print_json(lists=list(lists))
    else:
        off = f"the list{'s' * (len(lists) > 1)} {', '.join(lists)}"
        output.done(f"They are off {off} now, and get no more mail from there." if lists else "They were off already.")
        output.next(f"newsletter replies close {number}", "when they said no more than that")
        output.next(f"newsletter replies answer {number}", "where they said more than that")
    return Exit.FINE


def refused_as_sender(blocked: int, latest: str) -> Problem:
    """The warning that our mail is refused for our sake, for `sorted`, `list` and doctor."""
    message = f"{count(blocked, 'mail')} came back in the last 7 days because we were refused, not the person"
    hint = f"The latest: {visible(latest)[:160]}. Nobody was taken off for it. See docs/how-to/bounces.md."
    return Problem("refused-as-sender", message, hint, severity=Severity.WARNING, affected=blocked)


def _open(output: Output) -> None:
    from newsletter.audience import database

    database.ready(output.config())
