"""`newsletter replies note|tag|close|reopen|snooze|spam|merge|hold`: what is done with one conversation."""

from __future__ import annotations

from typing import Any

import click

from newsletter.cli.output import Output, json_option, print_json
from newsletter.cli.replies_words import as_option, at_the_desk, line, moment, number_of, text_of, together
from newsletter.problems import Exit, NewsletterError, Problem

LIST = ("newsletter replies list", "who waits for an answer")


def _ended(output: Output, as_json: bool, words: str, step: tuple[str, str] = LIST, **facts: Any) -> int:
    """What was done, and the command that most people type then."""
    if as_json:
        print_json((), **facts)
    else:
        output.done(words)
        output.next(*step)
    return Exit.FINE


def _show(number: int) -> tuple[str, str]:
    return f"newsletter replies show {number}", "read it"


@click.command()
@click.argument("name", metavar="NUMBER")
@click.option("--text", help="The note; else it is read from standard input or written in your editor.")
@as_option
@json_option
@click.pass_obj
def note(output: Output, name: str, text: str | None, as_: str, as_json: bool) -> int:
    """Leave a note for colleagues; it is never sent to anybody."""
    by = at_the_desk(output, as_)
    from newsletter.replies import desk

    made = desk.note(number_of(name), by, text_of(text, None, ask="# Your note stands above this line."))
    said = "Noted; only colleagues see it."
    return _ended(output, as_json, said, _show(int(name)), id=int(name), message=made.pk)


@click.command()
@click.argument("name", metavar="NUMBER")
@click.argument("words", nargs=-1)
@click.option("--remove", multiple=True, metavar="WORD", help="Take this one off; may be repeated.")
@as_option
@json_option
@click.pass_obj
def tag(output: Output, name: str, words: tuple[str, ...], remove: tuple[str, ...], as_: str, as_json: bool) -> int:
    """Put words on a conversation, to find it again and to answer many alike."""
    by = at_the_desk(output, as_)
    from newsletter.replies import desk

    if not words and not remove:
        raise NewsletterError(Problem("nothing-said", "A tag needs a word", "For instance lighting."), exit=Exit.USAGE)
    found = desk.tag(number_of(name), by, list(words), list(remove))
    step = (f'newsletter replies list --tag "{line(found[0])}"', "all that have it") if found else LIST
    return _ended(output, as_json, f"Tags: {line(', '.join(found)) or 'none'}", step, id=int(name), tags=found)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NUMBER…")
@click.option("--why", default="", help="For the log, such as: a thank-you.")
@as_option
@json_option
@click.pass_obj
def close(output: Output, names: tuple[str, ...], why: str, as_: str, as_json: bool) -> int:
    """Close conversations that need nothing more; whoever writes again opens it again."""
    by = at_the_desk(output, as_)
    from newsletter.replies import desk

    with together():
        done = [desk.close(number_of(one), by, why).pk for one in names]
    return _ended(output, as_json, f"Closed: {', '.join(map(str, done))}", closed=done)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NUMBER…")
@as_option
@json_option
@click.pass_obj
def reopen(output: Output, names: tuple[str, ...], as_: str, as_json: bool) -> int:
    """Put conversations back among those that need an answer, also from the junk."""
    by = at_the_desk(output, as_)
    from newsletter.replies import desk

    with together():
        done = [desk.reopen(number_of(one), by).pk for one in names]
    return _ended(output, as_json, f"Open again: {', '.join(map(str, done))}", _show(done[0]), open=done)


@click.command()
@click.argument("name", metavar="NUMBER")
@click.option("--until", required=True, metavar="WHEN", help="A day (09:00 of it) or a time: 2026-12-01 14:30.")
@as_option
@json_option
@click.pass_obj
def snooze(output: Output, name: str, until: str, as_: str, as_json: bool) -> int:
    """Put a conversation off until then. If they write before, it comes back; the promised time runs on."""
    by = at_the_desk(output, as_)
    from newsletter.replies import desk, showing

    when = moment(until)
    desk.snooze(number_of(name), by, when)
    step = ("newsletter replies list --state snoozed", "all that were put off")
    said = f"Put off until {showing.clock(when)}."
    return _ended(output, as_json, said, step, id=int(name), snoozed_until=when)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NUMBER…")
@as_option
@json_option
@click.pass_obj
def spam(output: Output, names: tuple[str, ...], as_: str, as_json: bool) -> int:
    """Junk: out of sight, and what the same writer adds to it stays there. `reopen` brings it back."""
    by = at_the_desk(output, as_)
    from newsletter.replies import desk

    with together():
        done = [desk.spam(number_of(one), by).pk for one in names]
    return _ended(output, as_json, f"Junk: {', '.join(map(str, done))}", spam=done)


@click.command()
@click.argument("name", metavar="NUMBER")
@click.option("--into", metavar="NUMBER", help="The conversation that it becomes a part of.")
@click.option("--two-writers", is_flag=True, help="They are from two people, and may know of each other.")
@click.option("--undo", is_flag=True, help="Part it again.")
@as_option
@json_option
@click.pass_obj
def merge(output: Output, name: str, into: str | None, two_writers: bool, undo: bool, as_: str, as_json: bool) -> int:
    """Show two conversations as one; nothing is lost, and --undo parts them again."""
    by = at_the_desk(output, as_)
    from newsletter.replies import merging

    if undo == bool(into):
        problem = Problem("wrong-usage", "Say --into NUMBER, or --undo", "For instance merge 12 --into 10.")
        raise NewsletterError(problem, exit=Exit.USAGE)
    if into is None:
        found = merging.part(number_of(name), by)
        said = f"{found.pk} is a conversation of its own again."
        return _ended(output, as_json, said, _show(found.pk), id=found.pk, into=None)
    target = merging.merge(number_of(name), number_of(into), by, two_writers=two_writers)
    said = f"{name} is part of {target.pk} now."
    return _ended(output, as_json, said, _show(target.pk), id=int(name), into=target.pk)


@click.command()
@click.argument("name", metavar="NUMBER")
@click.option(
    "--from",
    "first",
    type=click.IntRange(1),
    required=True,
    metavar="MESSAGE",
    help="The first message of the new one, as `show` numbers them.",
)
@as_option
@json_option
@click.pass_obj
def split(output: Output, name: str, first: int, as_: str, as_json: bool) -> int:  # fmt: skip
    """Part a conversation in two: this message and all after it become one of their own, with its own clock.

    For a second matter that came in the same thread. Nothing is copied or lost; `merge` shows both as one again.

    \b
    newsletter replies split 12 --from 3
    """
    by = at_the_desk(output, as_)
    from newsletter.replies import splitting

    made = splitting.split(number_of(name), first, by)
    said = f"Message {first} and what follows are conversation {made.pk} now ({made.reference})."
    return _ended(output, as_json, said, _show(made.pk), id=int(name), made=made.pk)


@click.command()
@click.argument("name", metavar="NUMBER")
@click.option("--release", is_flag=True, help="Lift the hold.")
@click.option("--why", default="", help="For the log, such as a case number.")
@as_option
@json_option
@click.pass_obj
def hold(output: Output, name: str, release: bool, why: str, as_: str, as_json: bool) -> int:
    """Legal hold: nothing of this conversation is erased until --release. Both are in the log."""
    by = at_the_desk(output, as_)
    from newsletter.replies import desk

    desk.hold(number_of(name), by, not release, why)
    words = "Released: it may be erased in its time." if release else "Held: nothing of it is erased until --release."
    return _ended(output, as_json, words, id=int(name), held=not release)
