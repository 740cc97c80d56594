"""`newsletter replies list`: who waits for an answer, whose it is, and how much time is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import Output, count, json_option, number, print_json, visible
from newsletter.cli.replies_reclassify import refused_as_sender
from newsletter.cli.replies_silence import silence
from newsletter.cli.replies_words import as_option, clock, cut, line, name_of, ready
from newsletter.problems import Exit

if TYPE_CHECKING:
    from newsletter.replies.listing import Page

STATES = ("new", "open", "waiting", "snoozed", "closed", "spam", "all", "needs")


@click.command("list")
@click.option("--all", "everything", is_flag=True, help="Also what was answered and what was junk.")
@click.option("--mine", is_flag=True, help="Only what is with me.")
@click.option("--free", is_flag=True, help="Only what is with nobody yet.")
@click.option("--team", metavar="TEAM", default="", help="Only this team's: a key of [teams].")
@click.option("--issue", metavar="ISSUE", default="", help="Only answers to this issue, or to those that begin so.")
@click.option("--state", type=click.Choice(STATES), help="Only in this state.")
@click.option("--overdue", is_flag=True, help="Only those whose promised time is over.")
@click.option("--look-first", is_flag=True, help="Only those that should be looked at first.")
@click.option("--tag", metavar="WORD", default="", help="Only those with this tag.")
@click.option("--search", metavar="WORDS", default="", help="Only those in which all these words stand.")
@click.option("--by-issue", is_flag=True, help="How many replies each issue has, and how many wait.")
@click.option("--page", "page_number", type=click.IntRange(1, 100_000), default=1, help="The next pages.")
@click.option("--size", type=click.IntRange(1, 500), default=50, help="How many on a page.")
@as_option
@json_option
@click.pass_obj
def list_(output: Output, everything: bool, mine: bool, free: bool, team: str, issue: str, state: str | None,
          overdue: bool, look_first: bool, tag: str, search: str, by_issue: bool, page_number: int, size: int,
          as_: str, as_json: bool) -> int:  # fmt: skip
    """Who waits for an answer, with the time that is left: what must be looked at first, then the oldest.

    \b
    newsletter replies list --mine
    newsletter replies list --team asb --overdue
    newsletter replies list --issue 2026-11-24 --search "street light"
    """
    problems = ready(output)
    config = output.config()
    from newsletter.replies import bounces, listing, showing, who

    if by_issue:
        return _by_issue(output, as_json)
    wanted = listing.Filter(
        state=state or ("all" if everything else "needs"),
        assignee=who.colleague(config, as_).key if mine else "",
        team=team,
        issue=issue,
        tag=tag,
        words=search,
        overdue=overdue,
        unassigned=free,
        look_first=look_first,
    )
    problems += silence()
    blocked, latest = bounces.blocked_lately()
    if blocked:
        problems.append(refused_as_sender(blocked, latest))
    found = listing.page(config, wanted, page_number, size)
    aside = showing.set_aside()
    if as_json:
        more = {"total": found.total, "page": found.number, "more": found.more}
        print_json(problems, conversations=found.rows, quarantine=aside, **more)
        return Exit.FINE
    if found.rows:
        _table(output, found, listing.MOST_COUNTED)
    else:
        output.say("Nobody waits for an answer." if wanted == listing.Filter() else "There is none of that kind.")
    _aside(output, aside)
    output.problems(problems)
    return Exit.FINE


def _table(output: Output, found: Page, most: int) -> None:
    from newsletter.replies import showing

    head = ("No.", "Waiting", "Answer", "Who", "With", "Issue", "What they wrote")
    rows = [
        (
            one["id"],
            showing.age(one["waiting_since"] or one["created"]),
            clock(output, one) or ("answered" if one["state"] == "waiting" else one["state"]),
            cut(("! " if one["look_first"] else "") + name_of(one), 28),
            one["assignee"] or one["team"] or "–",
            cut(one["issue"] or "–", 24),
            cut(_words(one), 60),
        )
        for one in found.rows
    ]
    if columns := output.too_wide(head, rows):
        below = []
        for *_, issue, words in rows:  # their words under each name: a row of 150 columns breaks anywhere at 80
            place = "" if issue == "–" else f"  {issue}"
            below.append(f"{cut(words, max(20, columns - 6 - len(place)))}{place and output.style(place, dim=True)}")
        output.table(head[:-2], [(*row[:3], cut(row[3], 24), row[4]) for row in rows], below)
    else:
        output.table(head, rows)
    output.say()
    total = f"{number(most)} or more conversations" if found.total >= most else count(found.total, "conversation")
    first = (found.number - 1) * found.size
    part = f", {number(first + 1)} to {number(first + len(rows))} shown" if len(rows) < found.total else ""
    output.say(f"{total}{part}")
    if any(one["look_first"] for one in found.rows):
        output.say("! Look at these first.")
    waiting = [one for one in found.rows if one["waiting_since"]] or found.rows  # --all has the newest on top
    if urgent := sorted((one for one in waiting if one["look_first"]), key=lambda one: bool(one["assignee"])):
        output.next(f"newsletter replies show {urgent[0]['id']}", "read this one first")
    else:
        oldest = min(waiting, key=lambda one: one["waiting_since"] or one["created"])
        output.next(f"newsletter replies show {oldest['id']}", "read the oldest")
    if found.more:
        output.next(f"newsletter replies list --page {found.number + 1}", "the next page, with the same options")


def _words(one: dict[str, Any]) -> str:
    """Their first words, and the tags that colleagues put on them."""
    return " ".join([one["first_words"] or "(no words)", *(f"#{tag}" for tag in one["tags"])])


def _aside(output: Output, aside: list[dict[str, Any]]) -> None:
    if not aside:
        return
    output.say()
    output.say(
        f"{count(len(aside), 'message')} could not be read, or came too often, and "
        f"{'waits' if len(aside) == 1 else 'wait'} for a look:"
    )
    output.table(
        ("No.", "From", "Why"),
        [(one["id"], cut(one["sender"] or "<>", 40), visible(one["reason"])) for one in aside],
    )


def _by_issue(output: Output, as_json: bool) -> int:
    """`42 replies to ASB issue`: what no other desk shows."""
    from newsletter.replies import listing, showing

    found = listing.by_issue()
    if as_json:
        print_json((), issues=found)
        return Exit.FINE
    if not found:
        output.say("Nobody has written yet.")
        return Exit.FINE
    rows = [
        (
            line(one["issue"] or "no issue is known"),
            one["replies"],
            one["need"],
            one["late"],
            showing.age(one["oldest"]) if one["oldest"] else "–",
        )
        for one in found
    ]
    output.table(("Issue", "Replies", "Need an answer", "Late", "Oldest"), rows)
    output.say()
    output.say(f"{count(sum(one['replies'] for one in found), 'reply', 'replies')} to {count(len(found), 'issue')}")
    return Exit.FINE
