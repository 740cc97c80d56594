"""`newsletter replies claim|assign|away`: whose a conversation is, and who stands in for whom."""

from __future__ import annotations

import click

from newsletter.cli.output import Output, count, json_option, print_json
from newsletter.cli.replies_words import as_option, at_the_desk, moment, number_of, together
from newsletter.problems import Exit, NewsletterError, Problem


@click.command()
@click.argument("numbers", nargs=-1, required=True, metavar="NUMBER…")
@as_option
@json_option
@click.pass_obj
def claim(output: Output, numbers: tuple[str, ...], as_: str, as_json: bool) -> int:
    """Take conversations: the others see that you do."""
    by = at_the_desk(output, as_)
    from newsletter.replies import desk

    with together():
        done = [desk.claim(number_of(one), by) for one in numbers]
    if as_json:
        print_json((), conversations=[{"id": one.pk, "assignee": one.assignee, "state": one.state} for one in done])
        return Exit.FINE
    output.done(f"{count(len(done), 'conversation')} with you now, {by.name}.")
    for one in done:
        if had := desk.taken_from(one):
            output.say(f"  {one.pk} was with {had}. `newsletter replies note {one.pk}` tells them why.")
    output.next(f"newsletter replies show {done[0].pk}", "read it")
    return Exit.FINE


@click.command()
@click.argument("numbers", nargs=-1, required=True, metavar="NUMBER…")
@click.option("--to", metavar="NAME", default="", help="A colleague or a team: a key of [staff] or [teams].")
@click.option("--nobody", is_flag=True, help="Give it back to everybody.")
@as_option
@json_option
@click.pass_obj
def assign(output: Output, numbers: tuple[str, ...], to: str, nobody: bool, as_: str, as_json: bool) -> int:
    """Give conversations to a colleague or a team; they are told by mail, without the person's words.

    Who is away is stood in for: `newsletter replies away`.
    """
    by = at_the_desk(output, as_)
    from newsletter.replies import desk, who

    if bool(to) == nobody:
        problem = Problem("wrong-usage", "Say whom it goes to: --to NAME, or --nobody", "For instance --to asb.")
        raise NewsletterError(problem, exit=Exit.USAGE)
    with together():
        done = [desk.assign(number_of(one), by, to) for one in numbers]
    if as_json:
        facts = [{"id": one.pk, "assignee": one.assignee, "team": one.team} for one in done]
        print_json((), conversations=facts)
        return Exit.FINE
    config = output.config()
    key = done[0].assignee or done[0].team
    instead = f", who stands in for {who.called(config, to)}" if to in config.staff and key != to else ""
    output.done(f"{count(len(done), 'conversation')} with {who.called(config, key) if key else 'nobody'} now{instead}.")
    return Exit.FINE


@click.command()
@click.argument("name", required=False)
@click.option("--until", metavar="DATE", default="", help="The day on which they are back.")
@click.option("--stand-in", metavar="OTHER", default="", help="Who takes what comes for them meanwhile.")
@click.option("--back", "is_back", is_flag=True, help="They are back.")
@json_option
@click.pass_obj
def away(output: Output, name: str | None, until: str, stand_in: str, is_back: bool, as_json: bool) -> int:
    """Say that a colleague is away and who stands in; without a name, list who is away.

    What waits for them goes to the stand-in at once, and whatever is assigned to them meanwhile.
    """
    from newsletter.audience import database

    config = output.config()
    database.ready(config)
    from newsletter.replies import absences, showing, who

    if name is None:
        rows = absences.now_away()
        if as_json:
            facts = [{"staff": one.staff, "stand_in": one.stand_in, "until": one.until} for one in rows]
            print_json((), away=facts)
        elif not rows:
            output.say("Everybody is here.")
        else:
            output.table(("Away", "Stands in", "Until"), [
                (who.called(config, one.staff), who.called(config, one.stand_in),
                 showing.clock(one.until) if one.until else "they say so") for one in rows])  # fmt: skip
        return Exit.FINE
    colleague = who.named(config, name)
    if is_back:
        absences.back(name)
        output.done(f"{colleague.name} is back.")
        handed: list[int] = []
    elif not stand_in:
        problem = Problem("wrong-usage", "Say who stands in: --stand-in OTHER, or --back", "They get what comes.")
        raise NewsletterError(problem, exit=Exit.USAGE)
    else:
        handed = absences.away(config, name, stand_in, moment(until) if until else None)
        when = f" until {showing.clock(moment(until))}" if until else " until `--back`"
        output.done(f"{who.called(config, stand_in)} stands in for {colleague.name}{when}.")
        if handed:
            output.say(f"  Handed over: {count(len(handed), 'conversation that waits', 'conversations that wait')}.")
    if as_json:
        print_json((), staff=name, stand_in=stand_in, handed_over=handed)
    return Exit.FINE
