"""`newsletter replies`: receive, list and show what people answered."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Callable
from typing import Any

import click

from newsletter.cli.output import Output, count, json_option, print_json, visible
from newsletter.cli.replies_balance import balance, ready
from newsletter.cli.replies_fetch import fetch
from newsletter.cli.replies_receive import receive
from newsletter.cli.replies_reclassify import let_go, reclassify, refused_as_sender, sorted_
from newsletter.cli.replies_serve import serve
from newsletter.cli.replies_silence import silence
from newsletter.cli.replies_sort import sort_
from newsletter.problems import Exit, NewsletterError, Problem

JOINERS = re.compile("([\u200c\u200d])")  # they join letters in Persian, Urdu and emoji, and move no cursor


@click.group()
def command() -> None:
    """Receive, list and show what people answered."""


command.add_command(receive)
for _verb in (fetch, balance, serve, sort_, sorted_, reclassify, let_go):
    command.add_command(_verb)


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Also what was answered and what was junk.")
@json_option
@click.pass_obj
def list_(output: Output, everything: bool, as_json: bool) -> int:
    """Who waits for an answer, oldest first."""
    problems = ready(output)
    from newsletter.replies import bounces, showing

    problems += silence()
    blocked, latest = bounces.blocked_lately()
    if blocked:
        problems.append(refused_as_sender(blocked, latest))
    found, aside = showing.waiting(everything), showing.set_aside()
    if as_json:
        print_json(problems, conversations=found, quarantine=aside)
        return Exit.FINE
    if not found:
        output.say("Nobody waits for an answer.")
    else:
        rows = [
            (
                one["id"],
                showing.age(one["created"]),
                _cut(_name(one), 28),
                _cut(one["issue"] or "–", 24),
                _cut(one["first_words"], 60),
            )
            for one in found
        ]
        output.table(("No.", "Waiting", "Who", "Issue", "What they wrote"), rows)
        output.say()
        output.say(count(len(found), "conversation"))
        output.next(f"newsletter replies show {found[0]['id']}", "read the oldest")
    if aside:
        output.say()
        output.say(
            f"{count(len(aside), 'message')} could not be read, or came too often, and "
            f"{'waits' if len(aside) == 1 else 'wait'} for a look:"
        )
        output.table(
            ("No.", "From", "Why"),
            [(one["id"], _cut(one["sender"] or "<>", 40), visible(one["reason"])) for one in aside],
        )
    output.problems(problems)
    return Exit.FINE


@command.command()
@click.argument("name", metavar="NUMBER")
@click.option("--full", is_flag=True, help="Everything they sent, with the quoted text.")
@click.option("--raw", "save", is_flag=True, help="Write the raw messages to var/raw/ and say where.")
@json_option
@click.pass_obj
def show(output: Output, name: str, full: bool, save: bool, as_json: bool) -> int:
    """One conversation: who, how sure that is, their area, and what they wrote.

    NUMBER is the one that `newsletter replies list` shows; q12 is a message that could not be read.
    """
    problems = ready(output)
    from newsletter.replies import showing

    if re.fullmatch(r"q\d{1,18}", name):
        return _show_set_aside(output, name, save, as_json)
    found = showing.conversation(int(name)) if re.fullmatch(r"\d{1,18}", name) else None
    if found is None:
        hint = "`newsletter replies list --all` shows every number."
        raise NewsletterError(
            Problem("no-such-conversation", f"There is no conversation {visible(name)[:40]}", hint), exit=Exit.USAGE
        )
    paths = showing.save_raw(message["raw"] for message in found["messages"]) if save else []
    if as_json:
        print_json(problems, conversation=found, raw_files=[str(path) for path in paths])
        return Exit.FINE
    output.say(output.style(visible(found["subject"]) or "(no subject)", bold=True))
    output.facts(_facts(found))
    for message in found["messages"]:
        output.say()
        output.say(output.style(f"{showing.clock(message['at'])}  {visible(_name(message))}", dim=True))
        width = shutil.get_terminal_size().columns if output.fancy else 0
        output.say(_paragraphs(message["full_text"] if full else message["new_words"], width) or "    (no words)")
    output.say()
    if address := found["from"]["address"]:
        output.say(f"  Answer    from your own mail program, to {visible(address)}")
    for path in paths:
        output.say(f"  Raw       {path}")
    if not full and any(message["full_text"].strip() != message["new_words"].strip() for message in found["messages"]):
        output.next(f"newsletter replies show {found['id']} --full", "with the text they quoted")
    output.problems(problems)
    return Exit.FINE


def _facts(found: dict[str, Any]) -> list[tuple[str, object]]:
    sender = found["from"]
    name = f"{sender['name']} <{sender['address']}>" if sender["name"] else sender["address"] or "nobody"
    person = found["person"]
    rows: list[tuple[str, object]] = [("From", visible(name)), ("Who", visible(found["who"]))]
    if person:
        rows.append(
            ("Person", visible(f"{person['name']} <{person['address']}>" if person["name"] else person["address"]))
        )
        rows.append(("Area", visible(person["area"]) or "not known"))
    if found["left"]:
        rows.append(("Left", f"has left every list, the last one on {found['left']}"))
    return [*rows, ("Issue", visible(found["issue"] or "not known")), ("State", found["state"])]


def _show_set_aside(output: Output, name: str, save: bool, as_json: bool) -> int:
    """A quarantined message: what is known, and where its bytes are."""
    from newsletter.replies import showing

    found = next((one for one in showing.set_aside() if one["id"] == name), None)
    if found is None:
        hint = "`newsletter replies list` shows those that wait for a look."
        raise NewsletterError(
            Problem("no-such-conversation", f"No message {name} waits for a look", hint), exit=Exit.USAGE
        )
    paths = showing.save_raw([int(name[1:])]) if save else []
    if as_json:
        print_json(quarantine=found, raw_files=[str(path) for path in paths])
        return Exit.FINE
    output.facts(
        [
            ("From", visible(found["sender"] or "<>")),
            ("To", visible(found["recipient"])),
            ("Bytes", found["size"]),
            ("Why", visible(found["reason"])),
        ]
    )
    if paths:
        output.say(f"  Raw       {paths[0]}")
    else:
        output.next(f"newsletter replies show {name} --raw", "write the raw message to a file")
    return Exit.FINE


def _name(found: dict[str, Any]) -> str:
    """The name to show in a list, with the warning that matters most."""
    name = found["from"]["name"] or found["from"]["address"] or "nobody"
    if "verified" not in found:
        return str(name)
    if not found["verified"]:
        return f"{name} (not verified)"
    return f"{name} (someone else)" if found["someone_else"] else str(name)


def _cut(text: str, width: int) -> str:
    shown = _line(text)
    return shown if len(shown) <= width else f"{shown[: width - 1]}…"


def _line(text: str) -> str:
    """One line for a terminal: nothing in it can move the cursor, but joined letters stay joined."""
    keep: Callable[[str], str] = lambda part: part if JOINERS.fullmatch(part) else visible(part)  # noqa: E731
    return "".join(map(keep, JOINERS.split(text)))


def _paragraphs(text: str, width: int) -> str:
    """What somebody wrote, indented, line by line; wrapped between words where `width` columns are known."""
    lines = [_line(line).rstrip() for line in text.strip().splitlines()]
    if width:
        lines = [part for line in lines for part in textwrap.wrap(line, max(width - 5, 20)) or [""]]
    return "\n".join(f"    {line}".rstrip() for line in lines)
