"""Explains a problem code: what it means, why it matters, what to do."""

from __future__ import annotations

import click

from newsletter.cli.output import Output, json_option, print_json
from newsletter.problems import Exit, NewsletterError, Problem, did_you_mean


def catalogue() -> dict[str, dict[str, str]]:
    """Every code with its title, why and do, in alphabetical order, from `newsletter/explain/*.toml`."""
    import tomllib

    from newsletter.files import PACKAGE

    entries: dict[str, dict[str, str]] = {}
    for path in sorted((PACKAGE / "explain").glob("*.toml")):
        entries |= tomllib.loads(path.read_text(encoding="utf-8"))
    return dict(sorted(entries.items()))


@click.command()
@click.argument("code", required=False)
@json_option
@click.pass_obj
def command(output: Output, code: str | None, as_json: bool) -> int:
    """Explain CODE, the word at the end of a problem's first line; without CODE, list them all.

    \b
    Example:
      newsletter explain unknown-block
    """
    known = catalogue()
    if code is None:
        if as_json:
            print_json(codes=known)
        else:
            output.table(("CODE", "WHAT IT MEANS"), [(name, entry["title"]) for name, entry in known.items()])
        return Exit.FINE
    if code not in known:
        hint = did_you_mean(code, known) or "`newsletter explain` alone lists every code."
        raise NewsletterError(Problem("unknown-code", f"There is no problem code ‘{code}’", hint=hint), exit=Exit.USAGE)
    entry = known[code]
    if as_json:
        print_json([], **{"code": code, **entry})
        return Exit.FINE
    output.say(f"{output.style(code, bold=True)}  {entry['title']}")
    output.say(f"\n{_wrapped(entry['why'])}\n\n{output.style('What to do', bold=True)}\n{_wrapped(entry['do'])}")
    return Exit.FINE


def _wrapped(text: str) -> str:
    import textwrap

    return "\n".join(textwrap.fill(line, 90) for line in text.strip().splitlines())
