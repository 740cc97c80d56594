"""`newsletter replies receive`: the end of a mail server's pipe. What is not on our disk stays with the server."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import Output, json_option, print_json, visible
from newsletter.problems import Exit, NewsletterError, Problem

if TYPE_CHECKING:
    from newsletter.replies.sorting import Verdict

ABOUT_THE_MESSAGE = ("message-too-big", "empty-message")


class ForMailServers(click.Command):
    """A command whose wrong options also end with 75: exit 2 would make the server send the message back."""

    def make_context(self, *arguments: Any, **more: Any) -> click.Context:
        try:
            return super().make_context(*arguments, **more)
        except click.UsageError as error:
            error.show()
            raise click.exceptions.Exit(Exit.TRY_AGAIN) from error


@click.command(cls=ForMailServers)
@click.option("--recipient", default="", help="Envelope recipient; without it the headers are searched.")
@click.option("--sender", default="", help="Envelope sender; empty for a bounce.")
@json_option
@click.pass_obj
def receive(output: Output, recipient: str, sender: str, as_json: bool) -> int:
    """Take in one message on standard input, from a mail server's pipe.

    Exit 0: it is on our disk. Exit 75: it is not, keep it and try again.

    \b
    newsletter -C /srv/news replies receive --recipient "$recipient" --sender "$sender" < mail.eml
    """
    try:
        verdict = _accept(output, recipient, sender)
    except NewsletterError as error:
        if error.problems[0].code in ABOUT_THE_MESSAGE:
            raise  # the message itself is the reason: asking the server to try again would not help
        output.problems(error.problems, err=True)
        return _not_kept(error.problems[0].code)
    except (Exception, KeyboardInterrupt) as error:
        if output.debug:
            raise
        return _not_kept(type(error).__name__)
    if as_json:
        print_json(kind=verdict.kind, reason=verdict.reason, raw=verdict.raw_id, conversation=verdict.conversation_id)
    else:
        where = f", conversation {verdict.conversation_id}" if verdict.conversation_id else ""
        output.done(visible(f"Kept as {verdict.kind or 'not read yet'}{where}: {verdict.reason}"))
    return Exit.FINE


def _accept(output: Output, recipient: str, sender: str) -> Verdict:
    """Read, check the size, and hand over; raises for everything that kept the message from our disk."""
    from newsletter.audience import database

    database.ready(output.config())
    from newsletter.replies import intake

    if sys.stdin.isatty():
        output.say("Reading one message from the keyboard; Ctrl-D ends it. Usual is `… receive < mail.eml`.")
    raw = sys.stdin.buffer.read(intake.BIGGEST + 1)
    if not raw.strip():
        hint = "Give it a message: newsletter replies receive < mail.eml"
        raise NewsletterError(Problem("empty-message", "There was no message on standard input", hint), exit=Exit.USAGE)
    if len(raw) > intake.BIGGEST:
        hint = "Set your mail server's own limit to 50 MB or less, so that it can tell the sender at once."
        raise NewsletterError(
            Problem("message-too-big", f"The message is larger than {intake.BIGGEST // 1024 // 1024} MB", hint)
        )
    verdict = intake.accept(raw, recipient, sender, "pipe")
    intake.finish_unread()
    return verdict


def _not_kept(why: str) -> int:
    click.echo(f"Not kept ({why}): the mail server should keep the message and try again.", err=True)
    return Exit.TRY_AGAIN
