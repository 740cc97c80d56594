"""`newsletter render`: writes an issue's mail as files, to look at, to keep or to hand on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import Output, json_option, number, print_json
from newsletter.problems import Exit, Problem, has_errors, worst_first

if TYPE_CHECKING:
    from newsletter.cli.copies_for_reading import Copy, Loaded, Reader
    from newsletter.config import Config


@click.command()
@click.argument("issue", required=False)
@click.option("--as", "address", metavar="EMAIL", help="The copy of this person; without it, example values.")
@json_option
@click.pass_obj
def command(output: Output, issue: str | None, address: str | None, as_json: bool) -> int:
    """Write the HTML, the plain text and the .eml of an issue.

    The files go to build/SLUG/, one set per language, with the pictures beside them. Open message.html in a browser or
    message.eml in a mail program. Nothing is sent.

    \b
    newsletter render 2026-11-24
    newsletter render --as sam@example.org
    """
    from newsletter.cli import copies_for_reading as copies
    from newsletter.cli.check import MOST_SHOWN
    from newsletter.content import finding

    config = output.config()
    folder = finding.find(config, issue, output.folder)
    target = config.root / "build" / folder.name
    written: list[Path] = []
    problems: dict[Problem, None] = {}
    for language in finding.languages(folder):
        loaded = copies.load(config, folder, language)
        problems.update(dict.fromkeys(loaded.problems))
        if loaded.rendered is None:
            continue
        reader = copies.find(config, loaded.issue, address) if address else copies.example(config, loaded.issue)
        made = copies.copy(config, loaded.issue, loaded.rendered, reader)
        problems.update(dict.fromkeys(made.problems))
        written += _write(config, target, loaded, made, reader)
    if as_json:
        print_json(problems, issue=folder.name, files=[str(path.relative_to(config.root)) for path in written])
    else:
        output.problems(worst_first(problems)[:MOST_SHOWN])
        if len(problems) > MOST_SHOWN:
            output.say(f"… and {number(len(problems) - MOST_SHOWN)} more: newsletter check {folder.name} --json")
        for path in written:
            output.done(f"{path.relative_to(config.root)}  {path.stat().st_size / 1024:.1f} KB")
        if written:
            output.next(f"newsletter preview {folder.name}", "shows it on a phone, in the dark, as plain text")
    return int(Exit.PROBLEMS if has_errors(problems) else Exit.FINE)


def _write(config: Config, target: Path, loaded: Loaded, made: Copy, reader: Reader) -> list[Path]:
    """The files of one language. A browser opens message.html from the disk, so its pictures are files beside it."""
    from newsletter.files import write_atomically

    rendered, suffix = loaded.rendered, f".{loaded.language}" if loaded.language else ""
    assert rendered is not None
    html, written = made.html, []
    for asset in rendered.assets:
        name = f"images/{asset.sha256}.{asset.extension}"
        write_atomically(target / name, asset.data)
        html = html.replace(f"cid:{asset.cid}", name).replace(f"{config.base_url}{asset.path}", name)
    parts: list[tuple[str, str | bytes]] = [
        ("html", html),
        ("txt", made.text),
        ("eml", eml(config, loaded, made, reader)),
    ]
    for kind, data in parts:
        written.append(target / f"message{suffix}.{kind}")
        write_atomically(written[-1], data)
    return written


def eml(config: Config, loaded: Loaded, made: Copy, reader: Reader) -> bytes:
    """The mail as it would be sent, with addresses and links that lead nowhere instead of signed ones."""
    from newsletter.cli import copies_for_reading as copies
    from newsletter.mail import outgoing

    rendered, issue = loaded.rendered, loaded.issue
    assert rendered is not None
    system = copies.system_values(config, issue, rendered)
    sender: Any = config.senders.get(issue.front.sender) or next(iter(config.senders.values()), None)
    key = issue.front.audience[0] if issue.front.audience else ""
    domain, known = config.mail.reply_domain, config.lists.get(key)
    common = outgoing.Common(
        from_name=sender.name if sender else config.site.name,
        from_address=sender.address if sender else f"newsletter@{domain}",
        date=datetime.now(UTC),
        language=rendered.language,
        list_id=f"{key or 'newsletter'}.{domain}",
        list_title=known.said(rendered.language).title if known else "",
    )
    images = [asset for asset in rendered.assets if asset.inline]
    compiled = outgoing.compile(common, made.variant.subject, made.variant.text, made.variant.html, images)
    person = outgoing.Person(
        to=str(reader.fields.get("email") or "somebody@example.org"),
        message_id=f"example@{domain}",
        reply_to=system["reply_address"],
        unsubscribe_url=system["unsubscribe_url"],
        unsubscribe_mailto=f"unsubscribe{config.mail.separator}example@{domain}",
        name=str(reader.fields.get("name") or ""),
    )
    return compiled.build(made.values, person)
