"""`newsletter replies export`: conversations as evidence, with the hash of everything."""

from __future__ import annotations

import re
from pathlib import Path

import click

from newsletter.cli.output import Output, count, json_option, print_json
from newsletter.cli.replies_words import number_of
from newsletter.problems import Exit


@click.command()
@click.argument("numbers", nargs=-1, required=True, metavar="NUMBER…")
@click.option("--to", "to", required=True, type=click.Path(path_type=Path), help="A new folder, or a file.zip.")
@click.option("--as", "as_", default="", metavar="NAME", help="Who does this, as named in [staff].")
@json_option
@click.pass_obj
def export(output: Output, numbers: tuple[str, ...], to: Path, as_: str, as_json: bool) -> int:
    """Write conversations as evidence: raw mail, files, the log, and a SHA-256 of each.

    NUMBER is that of a conversation, or q12 for a message that was set aside. Nothing is overwritten, and nothing is
    there before it is whole. A README in it says how it is checked.

    \b
    newsletter replies export 12 --to evidence-12.zip
    newsletter replies export 12 15 --to evidence/
    """
    from newsletter.audience import database

    config = output.config()
    database.ready(config)
    from newsletter.replies import evidence, who

    aside = [int(one[1:]) for one in numbers if re.fullmatch(r"q\d{1,17}", one)]
    chosen = [number_of(one) for one in numbers if not one.startswith("q") or not one[1:].isdecimal()]
    made = evidence.export(chosen, to, who.reader(config, as_).key, aside)
    if as_json:
        facts = {"path": str(made.path), "conversations": made.conversations, "files": made.files, "bytes": made.size}
        print_json(made.problems, **facts, sha256_of_sums=made.seal)
    else:
        what = [count(len(made.conversations), "conversation")] if made.conversations else []
        what += [count(len(aside), "message")] if aside else []
        done = f"{' and '.join(what)} in {count(made.files, 'file')}: {made.path}"
        output.done(done)
        output.say(f"  Seal      {made.seal}")
        output.say("            the SHA-256 of SHA256SUMS: write it down elsewhere, and nothing can be changed unseen")
        output.problems(made.problems)
        if made.path.suffix.lower() != ".zip":
            output.next(f"cd {made.path} && sha256sum --check SHA256SUMS", "check it")
    return Exit.FAILURES if made.problems else Exit.FINE
