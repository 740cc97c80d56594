"""`newsletter recipients add|edit|remove`: what a colleague does with one person's record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from newsletter.cli.output import Output, json_option, print_json, visible
from newsletter.problems import Exit, NewsletterError, Problem

if TYPE_CHECKING:
    from newsletter.audience.subscribing import Change
    from newsletter.config import Config

as_option = click.option("--as", "as_", default="", metavar="NAME", help="Who does this, as named in [staff].")
set_option = click.option(
    "--set",
    "facts",
    multiple=True,
    metavar="FIELD=VALUE",
    help="name, language, postcode, areas, tags … or a field of [fields]; nothing after = removes it.",
)


@click.command()
@click.argument("email")
@click.option("--list", "list_keys", multiple=True, required=True, metavar="KEY", help="A list that they join.")
@click.option("--told", required=True, metavar="TEXT", help="What they were told and agreed to; kept as proof.")
@set_option
@click.option("--again", is_flag=True, help="They left a list and asked to be on it again.")
@click.option("--why", default="", metavar="TEXT", help="Kept as proof, such as “rang us on 3 May”.")
@as_option
@json_option
@click.pass_obj
def add(
    output: Output,
    email: str,
    list_keys: tuple[str, ...],
    told: str,
    facts: tuple[str, ...],
    again: bool,
    why: str,
    as_: str,
    as_json: bool,
) -> int:
    """Add one person. Who must not be mailed is not added, and who left a list stays off it without --again."""
    config, canonical, by = _ready(output, email, as_)
    from newsletter.audience import database, selecting, subscribing
    from newsletter.audience.facts import checked

    keys = selecting.known(config, list_keys)
    known = checked(config, _pairs(facts))
    with database.problems_of():
        change = subscribing.add(canonical, email.strip(), keys, wording=told, facts=known, why=why, by=by, again=again)
    if change.suppressed:
        hint = f"`newsletter recipients show {canonical}` says since when. Lift it only when the person asks for it."
        problem = Problem("never-written-to", f"{canonical} must not be mailed, so nobody was added", hint)
        raise NewsletterError(problem, exit=Exit.REFUSED)
    stay = [key for key in keys if not again and _has_left(canonical, key)]
    if as_json:
        print_json(email=canonical, changed=change.changed, lists=change.lists, stays_off=stay)
        return Exit.FINE
    if stay:
        output.say(f"{visible(canonical)} left {', '.join(stay)} and stays off; --again if they asked to be back")
    if change.changed:
        output.done(f"Added {visible(canonical)}" + (f" to {', '.join(change.lists)}" if change.lists else ""))
    else:
        output.say("Nothing to change: they are on it already.")
    return Exit.FINE


@click.command()
@click.argument("email")
@set_option
@click.option("--leave", "leave_keys", multiple=True, metavar="KEY", help="Take them off this list.")
@click.option("--address", "new_address", default="", metavar="NEW", help="Their new address; only when they ask.")
@click.option("--why", default="", metavar="TEXT", help="Kept as proof.")
@as_option
@json_option
@click.pass_obj
def edit(
    output: Output,
    email: str,
    facts: tuple[str, ...],
    leave_keys: tuple[str, ...],
    new_address: str,
    why: str,
    as_: str,
    as_json: bool,
) -> int:
    """Change what is on record about one person, or their address. Every change is written down."""
    config, canonical, by = _ready(output, email, as_)
    from newsletter.audience import database, selecting, subscribing
    from newsletter.audience.facts import checked

    known, keys = checked(config, _pairs(facts)), selecting.known(config, leave_keys)
    new = _canonical(new_address) if new_address else ""
    done: list[Change] = []
    with database.problems_of():
        _known(canonical)
        if known:
            done.append(subscribing.edit(canonical, known, "staff", by=by, why=why))
        if keys:
            done.append(subscribing.leave(canonical, keys, "staff", why=why, by=by))
        if new:
            moved = subscribing.move(canonical, new_address, "staff", why=why and f"{why}: to {new}", by=by)
            _or_refused(moved, new)
            done.append(moved)
    changed = [key for one in done for key in one.lists] + (["address"] if new and done[-1].changed else [])
    if as_json:
        print_json(email=new or canonical, changed=changed)
    elif changed:
        output.done(f"Changed {', '.join(changed)} of {visible(new or canonical)}")
    else:
        output.say("Nothing to change: it is so already.")
    return Exit.FINE


@click.command()
@click.argument("email")
@click.option("--why", required=True, metavar="TEXT", help="Kept as proof.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_option
@json_option
@click.pass_obj
def remove(output: Output, email: str, why: str, yes: bool, as_: str, as_json: bool) -> int:
    """Take one person's record away and never mail them again. To erase every trace, use forget.

    The proof of their choices, the ledger and their replies stay.
    """
    _, canonical, by = _ready(output, email, as_)
    from newsletter.audience import database, subscribing
    from newsletter.cli.recipients_forget import ask

    with database.problems_of():
        _known(canonical)
        if not yes:
            question = f"This removes 1 person, {canonical}. It cannot be undone. Type the address to go on"
            ask(question, canonical)
        subscribing.remove(canonical, why=why, by=by)
    if as_json:
        print_json(email=canonical, removed=True)
    else:
        output.done(f"Removed {visible(canonical)}; no import brings them back")
        output.next(f"newsletter recipients suppress remove {canonical} --why …", "if it was a mistake")
    return Exit.FINE


def _ready(output: Output, email: str, as_: str) -> tuple[Config, str, str]:
    from newsletter.audience import database

    config = output.config()
    database.ready(config)
    from newsletter.replies import who

    return config, _canonical(email), who.reader(config, as_).key


def _canonical(email: str) -> str:
    from newsletter.mail import addresses

    try:
        return addresses.canonical(email)
    except ValueError as error:
        problem = Problem("bad-address", f"‘{email[:80]}’ is not an e-mail address: {error}")
        raise NewsletterError(problem) from None


def _pairs(facts: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for one in facts:
        key, sign, value = one.partition("=")
        if not sign:
            raise click.BadParameter(f"‘{one[:60]}’ has no =, such as ward=North", param_hint="--set")
        pairs[key.strip()] = value
    return pairs


def _known(canonical: str) -> None:
    from newsletter.audience.models import Subscriber

    if not Subscriber.objects.filter(canonical=canonical).exists():
        hint = f"`newsletter recipients show {canonical}` says what is on record about this address."
        raise NewsletterError(Problem("no-such-person", f"There is nobody with the address {canonical}", hint))


def _has_left(canonical: str, key: str) -> bool:
    from newsletter.audience import subscribing

    return subscribing.has_left(canonical, [key])


def _or_refused(moved: Change, new: str) -> None:
    words = {
        "taken": (f"{new} belongs to somebody on the list already", "Remove one of the two records first."),
        "suppressed": (f"{new} must not be mailed", f"`newsletter recipients show {new}` says why."),
    }
    if moved.why in words:
        raise NewsletterError(Problem("address-not-free", *words[moved.why]), exit=Exit.REFUSED)
