"""Writes docs/reference/{cli,configuration,problems}.md from the code; `--check` only says what is out of date."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from newsletter.cli import group
from newsletter.cli.explain import catalogue
from newsletter.config import SECTIONS, TABLES, ListWords
from newsletter.config.describing import settings_in

REFERENCE = Path(__file__).resolve().parent / "reference"
KINDS = {"tuple[str, ...]": "list of texts", "float": "number", "str": "text", "int": "number", "bool": "true or false"}
NOTE = "<!-- Written by `make docs` from the code; change it there. -->\n\n"


def cli() -> str:
    """Every command with its --help, in the order of `newsletter --help`."""
    parts = [
        "# Commands\n",
        "Every command takes `--help`; every command that answers a question takes `--json` ",
        "([the one object](formats.md#--json)). What a command says to the shell when it ends: ",
        "[exit codes](exit-codes.md).\n",
    ]
    parts += [f"\n## {path}\n\n```text\n{help_of(command, path)}\n```\n" for path, command in walk(group, "newsletter")]
    return "".join(parts)


def walk(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Each command after its group, with the words one types to reach it."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                yield from walk(inner, f"{path} {name}")


def help_of(command: click.Command, path: str) -> str:
    context = click.Context(command, info_name=path, terminal_width=96, max_content_width=96,
                            help_option_names=["-h", "--help"])  # fmt: skip
    return command.get_help(context).strip()


def configuration() -> str:
    """Every key of newsletter.toml: kind, default, meaning."""
    parts = [
        "# Settings\n\n",
        "`newsletter.toml` in the workspace's folder. A variable overrides a key: ",
        "`NEWSLETTER_MAIL__TRANSPORT=smtp` sets `[mail] transport`, ",
        "`NEWSLETTER_RELAYS__MAIN__HOST` sets `host` of `[relays.main]`. ",
        "`newsletter config show` prints every value with where it came from. ",
        "A key that is not listed here is an error with its line and the nearest right name.\n",
    ]
    for name, kind in SECTIONS.items():
        parts.append(section(f"[{name}]", kind))
    for name, kind in TABLES.items():
        parts.append(section(f"[{name}.KEY]", kind))
        if name == "lists":
            parts.append(section("[lists.KEY.LANGUAGE]", ListWords))
            parts.append(
                "\nThe same in another language: `[lists.monthly.cy]`. What is missing is said in the site's.\n"
            )
    parts.append("\n## [themes.NAME]\n\nColours, logo and the other options of the theme NAME: ")
    parts.append("see `[options]` in its `theme.toml` and [the theme format](theme-format.md).\n")
    return "".join(parts)


def section(title: str, kind: type) -> str:
    rows = ["| key | kind | default | meaning |", "|---|---|---|---|"]
    for item in settings_in(kind):
        choices = item.metadata["choices"]
        what = " or ".join(f"`{choice}`" for choice in choices) or KINDS[str(item.type)]
        default = "**must be set**" if item.metadata["required"] else shown(item.default)
        rows.append(f"| `{item.name}` | {what} | {default} | {item.metadata['help']} |")
    return f"\n## {title}\n\n" + "\n".join(rows) + "\n"


def shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"`{item}`" for item in value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`" if value != "" else "empty"


def problems() -> str:
    """Every problem code with its explanation."""
    parts = [
        "# Problems\n\n",
        "The word in square brackets at the end of a problem's first line is its code; `newsletter explain CODE` ",
        "prints the same words as this page. A problem is *Must fix* (nothing is sent), *Worth a look* or a *Note*.\n",
    ]
    for code, entry in catalogue().items():
        parts.append(f"\n## {code}\n\n**{entry['title']}.** {entry['why'].strip()}\n\n{entry['do'].strip()}\n")
    return "".join(parts)


def pages() -> dict[str, str]:
    """File name → its whole text."""
    makers = {"cli.md": cli, "configuration.md": configuration, "problems.md": problems}
    return {name: NOTE + make() for name, make in makers.items()}


def main() -> int:
    stale = []
    for name, text in pages().items():
        path = REFERENCE / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(text, encoding="utf-8")
    if stale and "--check" in sys.argv:
        print(f"Out of date: {', '.join(stale)}. Run `make docs`.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
