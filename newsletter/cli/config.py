"""Shows every setting, its value, and where it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING

import click

from newsletter.cli.helping import Group
from newsletter.cli.output import Output, json_option, print_json, visible
from newsletter.problems import Exit, NewsletterError, Problem, did_you_mean

if TYPE_CHECKING:
    from newsletter.config import Config

HIDDEN = "(set, not shown)"


@click.group(cls=Group)
def command() -> None:
    """Show every setting and where it came from."""


@command.command()
@click.argument("section", required=False)
@json_option
@click.pass_obj
def show(output: Output, section: str | None, as_json: bool) -> int:
    """Print every value with where it came from: a default, a line of newsletter.toml, or a variable.

    SECTION narrows it, such as `mail` or `relays.main`. Secrets are never printed.
    """
    config = output.config()
    rows = [row for row in values(config) if section is None or row[0].startswith(f"{section}.")]
    if not rows:
        from newsletter.config import SECTIONS, TABLES

        hint = did_you_mean(section or "", [*SECTIONS, *TABLES, "themes"])
        raise NewsletterError(Problem("unknown-section", f"Nothing is set in [{section}]", hint=hint), exit=Exit.USAGE)
    if as_json:
        print_json(
            workspace=str(config.root),
            values={key: {"value": value, "origin": origin} for key, value, origin in rows},
        )
        return Exit.FINE
    output.say(f"Workspace  {config.root}\n")
    output.table(("SETTING", "FROM", "VALUE"), [(key, origin, _shown(value)) for key, value, origin in rows])
    return Exit.FINE


def values(config: Config) -> list[tuple[str, object, str]]:
    """(dotted key, value, origin) of every setting, in the order of the reference; secrets as HIDDEN or empty."""
    from newsletter.config.describing import settings_in

    rows: list[tuple[str, object, str]] = []

    def walk(value: object, path: str) -> None:
        if is_dataclass(value):
            for item in settings_in(value):
                inner = getattr(value, item.name)
                if f"{path}.{item.name}" == "database.url":
                    inner = config.database.shown  # a password may stand in it
                walk(HIDDEN if item.metadata.get("secret") and inner else inner, f"{path}.{item.name}")
            for tag, words in getattr(value, "languages", {}).items():  # [lists.KEY.cy]
                walk(words, f"{path}.{tag}")
        elif isinstance(value, Mapping):
            for key, inner in value.items():
                walk(inner, f"{path}.{key}")
        else:
            rows.append((path, value, config.origins.get(path, "default")))

    for item in fields(config):
        if item.name not in ("root", "origins"):
            walk(getattr(config, item.name), item.name)
    return [*rows, *_of_themes(config)]


def _of_themes(config: Config) -> Iterator[tuple[str, object, str]]:
    """The options that newsletter.toml leaves to the themes. A broken theme is for `doctor` to name."""
    from newsletter.content import places
    from newsletter.rendering import themes

    for name in places.themes(config):
        with suppress(NewsletterError):
            for key, value in themes.load(name, config).options.items():
                if key not in config.themes.get(name, {}):
                    yield f"themes.{name}.{key}", value if isinstance(value, bool) else str(value), "theme.toml"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    return visible(str(value)) or "(empty)"
