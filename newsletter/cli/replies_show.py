"""`newsletter replies show`: one conversation, the words first, then who wrote them and what was done."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli import replies_files
from newsletter.cli.output import Output, json_option, print_json, visible
from newsletter.cli.replies_words import as_option, clock, line, name_of, paragraphs, ready
from newsletter.problems import Exit, NewsletterError, Problem

if TYPE_CHECKING:
    from newsletter.config import Config


@click.command()
@click.argument("name", metavar="NUMBER")
@click.option("--full", is_flag=True, help="Everything they sent, with the quoted text.")
@click.option(
    "--save-files",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write copies of the files into this folder.",
)
@click.option("--raw", "save", is_flag=True, help="Write the raw messages to var/raw/ and say where.")
@click.option("--copy", is_flag=True, help="Write exactly the mail that they were sent to var/copies/.")
@click.option("--log", "with_log", is_flag=True, help="What was done with it, by whom and when.")
@as_option
@json_option
@click.pass_obj
def show(output: Output, name: str, full: bool, folder: Path | None, save: bool, copy: bool, with_log: bool, as_: str,
         as_json: bool) -> int:  # fmt: skip
    """One conversation: what they wrote, who they are and how sure that is, and what was done. Reading it is logged.

    NUMBER is the one that `newsletter replies list` shows; q12 is a message that could not be read.
    """
    problems = ready(output)
    config = output.config()
    from newsletter.replies import answering, desk, showing, who

    if re.fullmatch(r"q\d{1,18}", name):
        return _show_set_aside(output, name, save, as_json)
    found = showing.conversation(int(name)) if re.fullmatch(r"\d{1,18}", name) else None
    if found is None:
        hint = "`newsletter replies list --all` shows every number."
        raise NewsletterError(
            Problem("no-such-conversation", f"There is no conversation {visible(name)[:40]}", hint), exit=Exit.USAGE
        )
    by = who.reader(config, as_)
    desk.seen(found["id"], by, found["version"])
    found["looking"] = [{"staff": key, "when": when} for key, when in answering.looking(found["id"], by)]
    paths = showing.save_raw(one["raw"] for one in found["messages"] if one["raw"]) if save else []
    copies = [showing.save_copy(found["id"])] if copy else []
    files, failed = showing.save_files(found["id"], folder) if folder else ([], [])
    problems += failed
    code = Exit.FAILURES if failed else Exit.FINE
    lines = showing.log(found["id"]) if with_log else []
    if as_json:
        more: dict[str, Any] = {"copy": str(copies[0]) if copies else None, "log": lines} if copy or with_log else {}
        more["saved_files"] = [str(path) for path in files]
        print_json(problems, conversation=found, raw_files=[str(path) for path in paths], **more)
        return code
    _say(output, config, found, full)
    for one in lines:
        by_name = who.called(config, one["by"])
        output.say(f"    {showing.clock(one['at'])}  {by_name} {one['what']} {line(one['words'])}".rstrip())
    _files(output, paths, copies, files)
    _what_next(output, config, found, full)
    if not folder and any(not file["refused"] for message in found["messages"] for file in message["files"]):
        output.next(f"newsletter replies show {found['id']} --save-files DIR", "copies of the files")
    output.problems(problems)
    return code


def _say(output: Output, config: Config, found: dict[str, Any], full: bool) -> None:
    """The words first; who wrote them and how things stand under them."""
    from newsletter.replies import showing, who

    output.say(output.style(visible(found["subject"]) or "(no subject)", bold=True))
    if found["look_first"]:
        output.say(output.style(f"Look at this one first. {line(found['look_first'])}", fg="red", bold=True))
    width = shutil.get_terminal_size().columns if output.fancy else 0
    for number, one in enumerate(found["messages"], 1):
        head = {
            "answer": f"Answer by {who.called(config, one['by'])} to {one['to']}",
            "forward": f"Passed on by {who.called(config, one['by'])} to {one['to']}",
            "acknowledgement": f"Acknowledged to {one['to']}",
            "note": f"Note by {who.called(config, one['by'])}, for colleagues only",
            "auto": f"{name_of(one)}, automatic",
        }.get(one["kind"], name_of(one))
        became = f"  ({one['trouble'] or one['sent']})" if one["sent"] and one["sent"] != "accepted" else ""
        output.say()
        counted = f"{number}. " if len(found["messages"]) > 1 else ""
        output.say(output.style(f"{counted}{showing.clock(one['at'])}  {line(head)}{line(became)}", dim=True))
        output.say(paragraphs(one["full_text"] if full else one["new_words"], width) or "    (no words)")
        replies_files.say(output, one, full)
    output.say()
    output.facts(_facts(output, config, found))


def _facts(output: Output, config: Config, found: dict[str, Any]) -> list[tuple[str, object]]:
    from newsletter.replies import showing, who

    sender = found["from"]
    name = (
        f"{sender['name']} <{sender['address']}>"
        if sender["name"]
        else sender["address"] or "no name and no address given"
    )
    person = found["person"]
    rows: list[tuple[str, object]] = [("From", visible(name)), ("Who", visible(found["who"])), *_proofs(found)]
    if person:
        rows.append(
            ("Person", visible(f"{person['name']} <{person['address']}>" if person["name"] else person["address"]))
        )
        rows.append(("Area", visible(person["area"]) or "not known"))
    if stop := found["stopped"]:
        what = "mail at all" if stop["scope"] == "all" else "mailings"
        rows.append(("Left", f"gets no {what} since {stop['since']}: {stop['reason']}"))
    elif found["left"]:
        rows.append(("Left", f"has left every list, the last one on {found['left']}"))
    for key, title in (("safe_to_write", "Write back?"), ("safe_to_phone", "Phone?")):
        if found[key]:
            rows.append(
                (title, {"yes": "safe, they say", "no": "NOT SAFE, they say"}.get(found[key], "they are unsure"))
            )
    if found["phone"]:
        rows.append(("Phone", line(found["phone"])))
    rows.append(("Issue", visible(found["issue"] or "not known")))
    waiting = "waiting for them: we have answered"
    state = [waiting if found["state"] == "waiting" else found["state"], clock(output, found)]
    if found["snoozed_until"]:
        state.append(f"until {showing.clock(found['snoozed_until'])}")
    rows.append(("State", ", ".join(filter(None, state))))
    with_ = [who.called(config, key) for key in (found["assignee"], found["team"]) if key]
    rows.append(("With", ", ".join(with_) or "nobody yet"))
    for one in found["looking"]:
        rows.append(("Look out", f"{who.called(config, one['staff'])} opened it {one['when']}"))
    if found["tags"]:
        rows.append(("Tags", line(", ".join(found["tags"]))))
    for key, words in (("held", "nothing of it is erased"), ("sensitive", "neutral subject, nothing quoted")):
        if found[key]:
            rows.append((key.title(), words))
    if found["merged_into"]:
        rows.append(("Merged", f"into {found['merged_into']}"))
    for one in found["earlier"][:5]:
        words = f"{one['id']} on {showing.clock(one['created'])}, {one['state']}: {line(one['subject'])[:60]}"
        rows.append(("Earlier", words))
    return [*rows, ("Reference", f"{found['reference']}, version {found['version']}")]


def _proofs(found: dict[str, Any]) -> list[tuple[str, object]]:
    """What is known of the sender of their latest message beside our own token."""
    theirs = [one for one in found["messages"] if one["kind"] == "person"]
    latest = theirs[-1] if theirs else {"vouched": "", "signed": False}
    domain = line(found["from"]["address"].rpartition("@")[2])
    said = {
        "proved": f"our mail server found that it comes from {domain}",
        "failed": f"NOT PROVED: {domain} says that it did not send this (DMARC), so the address may be forged",
    }
    rows: list[tuple[str, object]] = [("Sender", said[latest["vouched"]])] if latest["vouched"] in said else []
    return rows + [("Signature", "there is one, not checked")] * bool(latest["signed"])


def _files(output: Output, paths: list[Path], copies: list[Path | None], files: list[Path]) -> None:
    for path in paths:
        output.say(f"  Raw       {path}")
    for copied in copies:
        output.say(f"  Copy      {copied or 'none is known: nothing shows which mail this answers'}")
    for path in files:
        output.say(f"  File      {path}")


def _what_next(output: Output, config: Config, found: dict[str, Any], full: bool) -> None:
    output.say()
    if "asks to leave" in found["tags"] and not (found["left"] or found["stopped"]):
        output.next(f"newsletter replies let-go {found['id']}", "take them off their lists, as they ask")
    if config.staff and found["look_first"] and not found["assignee"]:
        output.next(
            f"newsletter replies claim {found['id']}", "take it: until then colleagues are told again and again"
        )
    if config.staff:
        output.next(f"newsletter replies answer {found['id']}", "answer it")
    elif address := found["from"]["address"]:
        output.say(f"  Answer    from your own mail program, to {visible(address)}")
        output.say(
            "            or from here: add yourself to newsletter.toml first, as [staff.jo] with name and address"
        )
    theirs = [one for one in found["messages"] if one["kind"] == "person"]
    if not full and any(one["quoted_hidden"] for one in theirs):
        output.next(f"newsletter replies show {found['id']} --full", "with the text they quoted")


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
