"""`newsletter replies export`: conversations as evidence, with the hash of everything."""

from __future__ import annotations

from pathlib import Path

import click

from newsletter.cli.output import Output, count, json_option, print_json
from newsletter.problems import Exit


@click.command()
@click.argument("numbers", nargs=-1, required=True, metavar="NUMBER…", type=click.IntRange(1, 10**17))
@click.option("--to", "to", required=True, type=click.Path(path_type=Path), help="A new folder, or a file.zip.")
@click.option("--as", "as_", default="", metavar="NAME", help="Who does this, as named in [staff].")
@json_option
@click.pass_obj
def export(output: Output, numbers: tuple[int, ...], to: Path, as_: str, as_json: bool) -> int:
    """Write conversations as evidence: raw mail, files, the log, and a SHA-256 of each.

    Nothing is overwritten, and nothing is there before it is whole. A README in it says how it is checked.

    \b
    newsletter replies export 12 --to evidence-12.zip
    newsletter replies export 12 15 --to evidence/
    """
    from newsletter.audience import database

    config = output.config()
    database.ready(config)
    from newsletter.replies import evidence, who

    made = evidence.export(numbers, to, who.reader(config, as_).key)
    if as_json:
        facts = {"path": str(made.path), "conversations": made.conversations, "files": made.files, "bytes": made.size}
        print_json(made.problems, **facts, sha256_of_sums=made.seal)
    else:
        done = f"{count(len(made.conversations), 'conversation')} in {count(made.files, 'file')}: {made.path}"
        output.done(done)
        output.say(f"  Seal      {made.seal}")
        output.say("            the SHA-256 of SHA256SUMS: write it down elsewhere, and nothing can be changed unseen")
        output.problems(made.problems)
        if made.path.suffix.lower() != ".zip":
            output.next(f"cd {made.path} && sha256sum --check SHA256SUMS", "check it")
    return Exit.FAILURES if made.problems else Exit.FINE
