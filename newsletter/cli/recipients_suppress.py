"""Who must never be mailed: add, remove and list suppressed addresses."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.helping import Group
from newsletter.cli.output import Output, count, json_option, number, print_json, visible
from newsletter.cli.sending_words import stamp
from newsletter.problems import Exit, NewsletterError, Problem

if TYPE_CHECKING:
    from newsletter.audience.suppressing import Taken


@click.group(cls=Group)
def suppress() -> None:
    """Addresses that get no mailings; no import and no list can bring them back."""


@suppress.command()
@click.argument("email")
@click.option(
    "--scope",
    type=click.Choice(["bulk", "all"]),
    default="bulk",
    show_default=True,
    help="bulk: no mailings, but answers to their own messages still go out. all: nothing ever.",
)
@click.option("--why", default="", metavar="TEXT", help="Kept as proof, such as “asked on the telephone”.")
@json_option
@click.pass_obj
def add(output: Output, email: str, scope: str, why: str, as_json: bool) -> int:
    """Never mail EMAIL again."""
    canonical = _canonical(output, email)
    from newsletter.audience import database, subscribing

    with database.problems_of():
        change = subscribing.suppress(canonical, scope, "staff", "staff", why=why)
    if as_json:
        print_json(email=canonical, changed=change.changed)
    elif change.changed:
        output.done(f"{visible(canonical)} gets no more {'mail' if scope == 'all' else 'mailings'}")
    else:
        output.say(f"{visible(canonical)} was suppressed already; nothing changed")
    return Exit.FINE


@suppress.command()
@click.argument("email")
@click.option("--why", required=True, metavar="TEXT", help="Who asked for it and when; kept as proof.")
@json_option
@click.pass_obj
def remove(output: Output, email: str, why: str, as_json: bool) -> int:
    """Allow mail to EMAIL again. Only for a mistake, or when the person asks."""
    canonical = _canonical(output, email)
    from newsletter.audience import database, subscribing

    with database.problems_of():
        change = subscribing.lift(canonical, "staff", why)
    if not change.changed:
        raise NewsletterError(
            Problem(
                "not-suppressed", f"{canonical} is not suppressed", "newsletter recipients suppress list shows who is."
            )
        )
    if as_json:
        print_json(email=canonical, changed=True)
    else:
        output.done(f"{visible(canonical)} may be mailed again, where they are on a list")
    return Exit.FINE


@suppress.command("list")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 100_000), help="How many to show.")
@json_option
@click.pass_obj
def list_suppressed(output: Output, limit: int, as_json: bool) -> int:
    """List suppressed addresses, the newest first."""
    from newsletter.audience import database

    database.ready(output.config())
    from newsletter.audience.models import Suppression

    with database.problems_of():
        total = Suppression.objects.count()
        rows = list(Suppression.objects.order_by("-id").values("canonical", "scope", "reason", "at")[:limit])
    if as_json:
        print_json(suppressed=rows, total=total)
        return Exit.FINE
    if rows:
        output.table(
            ("EMAIL", "SCOPE", "WHY", "SINCE"),
            [(_shown(row["canonical"]), row["scope"], row["reason"], stamp(row["at"])) for row in rows],
        )
    output.say(f"{'' if not rows else chr(10)}{number(len(rows))} of {count(total, 'address', 'addresses')}")
    return Exit.FINE


def _shown(canonical: str) -> str:
    """The address; of an erased person there is only a hash of 64 digits, which tells nobody anything."""
    from newsletter.audience.never import MARK

    return "(an erased person)" if canonical.startswith(MARK) else visible(canonical)


@suppress.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--reason",
    type=click.Choice(["unsubscribed", "complaint", "gone", "staff"]),
    default="unsubscribed",
    show_default=True,
    help="For rows that do not say it in a column ‘reason’. unsubscribed: until they sign up themselves. "
    "complaint, staff: until you lift it. gone: the same, and nothing at all is sent there.",
)
@click.option("--dry-run", is_flag=True, help="Only read the file; writes nothing.")
@json_option
@click.pass_obj
def import_list(output: Output, file: Path, reason: str, dry_run: bool, as_json: bool) -> int:
    """Send no mailing to the addresses of FILE.

    It is a workbook or CSV with a column ‘email’, or one address a line. Columns ‘reason’ and ‘date’ are read where
    they are there. Importing the same file again changes nothing.
    An address without a reason counts as ‘unsubscribed’: no import brings it back, but the people themselves can, by
    signing up again. With --reason staff nobody but you can: newsletter recipients suppress remove.
    """
    from newsletter.audience import database

    config = output.config()
    database.ready(config)
    from newsletter.audience import suppressing
    from newsletter.cli.recipients_import import _found, _progress

    with database.problems_of():
        done = suppressing.take(
            _found(file, output), config, reason=reason, dry_run=dry_run, on_progress=_progress(output)
        )
    counts = done.counts
    kept = str(done.refused_file) if done.refused_file else None
    if as_json:
        print_json(done.problems, dry_run=dry_run, refused_file=kept, **counts.__dict__)
    else:
        output.problems(done.problems)
        if dry_run:
            good = counts.rows - counts.refused - counts.repeated
            output.say(f"{count(good, 'address', 'addresses')} in {count(counts.rows, 'row')}. Nothing was written.")
        else:
            output.facts((what, getattr(counts, what)) for what in ("suppressed", "already", "repeated", "refused"))
            if counts.suppressed:
                output.done(f"{count(counts.suppressed, 'address', 'addresses')} more will get no mailings")
            elif counts.already:
                output.done("Nothing new: none of them gets mailings as it is")
            if counts.suppressed and done.own:
                output.say(
                    "Those taken as ‘unsubscribed’ can undo it by signing up themselves; no import brings them back."
                )
                output.say("If only you may lift it, import them with --reason staff.")
        if done.refused_file:
            _refused(output, done, done.refused_file, reason)
    return Exit.FAILURES if counts.refused else Exit.FINE


def _refused(output: Output, done: Taken, kept: Path, reason: str) -> None:
    """In which file the refused rows are, and how they come in once they are mended."""
    from newsletter.cli.recipients_import import say_refused

    near = say_refused(output, done.counts.refused, kept, done.spared)
    words = ["newsletter", "recipients", "suppress", "import", near]
    words += ["--reason", reason] if reason != "unsubscribed" else []
    output.next(shlex.join(words), "after mending it")


def _canonical(output: Output, email: str) -> str:
    from newsletter.audience import database
    from newsletter.mail import addresses

    database.ready(output.config())
    try:
        return addresses.canonical(email)
    except ValueError as error:
        raise NewsletterError(Problem("bad-address", f"‘{email[:80]}’ is not an e-mail address: {error}")) from None
