"""`newsletter replies answer|forward`: shown before it leaves, asked about, and sent once."""

from __future__ import annotations

import sys
from typing import IO, TYPE_CHECKING, Any

import click

from newsletter.cli.output import Output, count, json_option, print_json
from newsletter.cli.replies_words import as_option, at_the_desk, line, number_of, paragraphs, text_of, yes_option
from newsletter.cli.settle import agree
from newsletter.config import Config
from newsletter.problems import Exit, NewsletterError, Problem

if TYPE_CHECKING:
    from newsletter.replies.answering import Plan, Sent
    from newsletter.replies.answering_many import Many
    from newsletter.replies.who import Colleague
    from newsletter.replies.writing import Letter

ASK = "# Your answer stands above this line. Leave it empty to send nothing."
_file = click.option("--file", type=click.File(encoding="utf-8"), help="A text file, or - for standard input.")


@click.command()
@click.argument("names", nargs=-1, metavar="NUMBER…")
@click.option("--text", help="The answer; else --file, standard input, or your editor.")
@_file
@click.option("--saved", metavar="KEY", help="A saved answer of [answers], with its fields filled in.")
@click.option("--to", metavar="ADDRESS", default="", help="Whom it goes to, where that is a question.")
@click.option("--message", type=int, metavar="ID", help="The message that is answered; else their latest.")
@click.option("--version", "version", type=int, metavar="N", help="The version that you read; `show` remembers it.")
@click.option("--anyway", is_flag=True, help="Also where they are not sure that writing to them is safe.")
@click.option("--no-quote", is_flag=True, help="Without their words under yours.")
@click.option("--tag", metavar="WORD", default="", help="One text to all that wait and have this tag.")
@click.option("--issue", metavar="ISSUE", default="", help="With --tag: only answers to this issue.")
@click.option("--close", "closing", is_flag=True, help="Close it with the answer; they can always write again.")
@click.option("--expect", type=int, metavar="PEOPLE", help="To many, without a terminal: how many people it may be.")
@yes_option
@as_option
@json_option
@click.pass_obj
def answer(output: Output, names: tuple[str, ...], text: str | None, file: IO[str] | None, saved: str | None, to: str,
           message: int | None, version: int | None, anyway: bool, no_quote: bool, tag: str, issue: str, closing: bool,
           expect: int | None, yes: bool, as_: str, as_json: bool) -> int:  # fmt: skip
    """Answer a conversation; shows the mail and asks before it leaves. With several numbers or --tag: many alike.

    \b
    newsletter replies answer 12
    newsletter replies answer 12 --text "Yes, you can apply here: …" --close
    newsletter replies answer --tag lighting --saved street-lights
    """
    by = at_the_desk(output, as_)
    config = output.config()
    from newsletter.replies import answering, writing

    if as_json:
        output.quiet = True
    numbers = [number_of(one) for one in names]
    if not numbers and not tag:
        problem = Problem("wrong-usage", "Say which conversation: its number, or --tag WORD", "For instance answer 12.")
        raise NewsletterError(problem, exit=Exit.USAGE)
    words = writing.saved(config, saved) if saved else text_of(text, file, ask=ASK)
    if len(numbers) != 1 or tag:
        return _many(output, config, by, numbers, words, tag, issue, closing, expect, yes, as_json)

    def planned(chosen: str) -> Plan:
        return answering.plan(config, numbers[0], by, words, to=chosen, message=message, version=version,
                              anyway=anyway, quote=not no_quote, fields=saved is not None)  # fmt: skip

    try:
        plan = planned(to)
    except NewsletterError as error:
        if error.problems[0].code != "choose-recipient" or not sys.stdin.isatty():
            raise
        output.problems(error.problems)
        plan = planned(click.prompt("Send it to"))
    _preview(output, config, plan)
    command = f"newsletter replies answer {numbers[0]} … --yes"
    agree(output, f"Send it to {plan.letter.to}?", yes, command)
    notice = answering.send(config, plan, by, close=closing)
    [sent] = answering.deliver(config, [notice])
    return _ended(output, [sent], plan.letter.to, as_json, closing=closing)


def _preview(output: Output, config: Config, plan: Plan) -> None:
    from newsletter.replies import who

    _letter(output, plan.letter)
    for warning in plan.warnings:
        name, opened, rest = warning.partition(" opened it ")
        words = f"{who.called(config, name)}{opened}{rest}" if opened else warning
        output.say(output.style(f"  ! {line(words)}", fg="yellow"))


def _letter(output: Output, letter: Letter) -> None:
    output.facts([("To", line(letter.to)), ("Subject", line(letter.subject))])
    output.say()
    output.say(paragraphs(letter.text, 0))
    output.say()


def _ended(output: Output, sent: list[Sent], to: str, as_json: bool, *, closing: bool = False, **more: Any) -> int:
    failed = [one for one in sent if one.state in ("failed", "suppressed", "uncertain")]
    if as_json:
        facts = [{"conversation": one.conversation, "state": one.state, "words": one.words} for one in sent]
        print_json((), sent=facts, closed=closing and not failed, **more)
    elif len(sent) == 1 and not more:
        (output.failed if failed else output.done)(f"To {line(to)}: {line(sent[0].words)}")
        if closing and not failed:
            output.say(f"  Conversation {sent[0].conversation} is closed; when they write again it opens again.")
        if not failed:
            output.next("newsletter replies list", "who waits now")
    else:
        gone = sum(one.state == "accepted" for one in sent)
        output.done(f"Sent to {count(gone, 'person', 'people')}.")
        if waiting := len(sent) - gone - len(failed):
            output.say(f"  {count(waiting, 'mail')} queued: `newsletter worker` sends them.")
        if closing:
            output.say("  They are closed; who writes again is back on the list.")
        for one in failed:
            output.failed(f"{one.conversation}: {line(one.words)}")
    return Exit.FAILURES if failed else Exit.FINE


def _many(output: Output, config: Config, by: Colleague, numbers: list[int], words: str, tag: str, issue: str,
          closing: bool, expect: int | None, yes: bool, as_json: bool) -> int:  # fmt: skip
    """One text to many: shows the first, how many people get it and who is left out, and asks."""
    from newsletter.replies import answering, answering_many, listing

    if tag:
        numbers = [*numbers, *listing.numbers(listing.Filter(tag=tag, issue=issue))]
    many = answering_many.plan(config, numbers, by, words)
    if many.plans:
        output.say("The first of them:")
        _letter(output, many.plans[0].letter)
    for number, why in many.left:
        output.say(f"  Not to {number}: {line(why)}")
    if not many.plans:
        if as_json:
            print_json((), sent=[], left=[{"conversation": pk, "why": why} for pk, why in many.left])
        else:
            output.say("Nobody is left to answer so.")
        return Exit.FAILURES if many.left else Exit.FINE
    _agree_to_many(output, many, expect, yes)
    notices, left = answering_many.send(config, many, by, close=closing)
    sent = answering.deliver(config, notices)
    for number, why in left:
        output.say(f"  Not to {number}: {line(why)}")
    everyone = [{"conversation": pk, "why": why} for pk, why in (*many.left, *left)]
    return _ended(output, sent, "", as_json, closing=closing, left=everyone)


def _agree_to_many(output: Output, many: Many, expect: int | None, yes: bool) -> None:
    people = count(many.people, "person", "people")
    if expect is not None and expect != many.people:
        hint = f"Look at them, then say --expect {many.people}."
        problem = Problem("count-changed", f"It would go to {people}, not to {expect}; nothing was sent", hint)
        raise NewsletterError(problem, exit=Exit.REFUSED)
    if yes and expect is None:
        hint = f"Say how many it may be: --yes --expect {many.people}."
        problem = Problem("must-be-agreed", f"It would go to {people}", hint)
        raise NewsletterError(problem, exit=Exit.REFUSED)
    agree(output, f"Send it to {people}, each a mail of their own?", yes, f"… --yes --expect {many.people}")


@click.command()
@click.argument("name", metavar="NUMBER")
@click.option("--to", required=True, metavar="ADDRESS", help="Who gets it.")
@click.option("--text", help="What you write to them; else --file, standard input, or your editor.")
@_file
@click.option("--words", is_flag=True, help="With what the person wrote, their name and their address.")
@yes_option
@as_option
@json_option
@click.pass_obj
def forward(output: Output, name: str, to: str, text: str | None, file: IO[str] | None, words: bool, yes: bool,
            as_: str, as_json: bool) -> int:  # fmt: skip
    """Pass a conversation on, with a record. Without --words it holds the reference and your text only.

    The person still waits for an answer of yours; what the other one writes back is a conversation of its own.
    """
    by = at_the_desk(output, as_)
    config = output.config()
    from newsletter.replies import answering, forwarding

    if as_json:
        output.quiet = True
    number = number_of(name)
    letter = forwarding.letter(config, number, to, text_of(text, file, ask=ASK), words=words)
    _letter(output, letter)
    agree(output, f"Send it to {to}?", yes, f"newsletter replies forward {number} --to {to} … --yes")
    notice = forwarding.forward(config, number, by, letter, words=words)
    return _ended(output, answering.deliver(config, [notice]), to, as_json)
