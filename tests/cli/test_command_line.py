"""The command line forgives: -C stands anywhere, and a pipe gets plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest

from newsletter.cli import COMMANDS, GROUPS, group, hoisted
from tests.workspace import Workspace


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("status -C demo --json", "-C demo status --json"),
        ("-C demo status", "-C demo status"),
        ("send --plain --yes --debug", "--plain --debug send --yes"),
        ("new -- -C", "new -- -C"),
        ("list -C", "-C list"),
    ],
)
def test_the_folder_may_be_named_anywhere(typed: str, meant: str) -> None:
    assert hoisted(typed.split()) == meant.split()


def test_a_folder_named_last_is_the_folder_that_is_used(folder: Workspace) -> None:
    done = folder.run("config", "show", "site", "-C", str(folder.root))
    assert (done.exit, "Example Council" in done.out) == (0, True)


def test_help_fits_every_terminal_and_has_no_colours(folder: Workspace) -> None:
    text = folder.run("--help").out
    assert "\x1b" not in text
    assert all(len(line) <= 80 for line in text.splitlines())
    assert [name for name in COMMANDS if not re.search(rf"^  {name} ", text, re.MULTILINE)] == []


def helps(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner
            yield from helps(inner, click.Context(inner, context, name))


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_help_of_every_command_fits_the_window(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    found = dict(helps(group, click.Context(group, info_name="newsletter", **group.context_settings)))
    assert len(found) > 80
    wide = [(path, line) for path, text in found.items() for line in text.splitlines() if len(line) > min(columns, 100)]
    assert not wide
    lists = [text.partition("\nCommands:\n")[2] for text in found.values()]
    assert not [line for text in lists for line in text.splitlines() if line.endswith("...")], "nothing is cut"
    if columns >= 80:
        example = next(line for line in found["newsletter send"].splitlines() if "tomorrow 8:00'   the worker" in line)
        assert example.endswith("the worker sends it then"), "an example and its words stand on one line"


def test_every_command_stands_under_a_heading() -> None:
    assert {heading for _, heading, _ in COMMANDS.values()} == set(GROUPS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_in_the_list_and_the_commands_own_help_both_are_sentences(name: str) -> None:
    command = group.get_command(click.Context(group), name)
    assert command and command.help
    for text in (COMMANDS[name][2], command.help.strip().split("\n\n")[0]):
        assert text[0].isupper(), text
        assert text.rstrip().endswith((".", ":")), text


def test_the_names_of_commands_hide_nothing_that_python_needs() -> None:
    """newsletter.cli.list takes the name `list` in newsletter.cli as soon as it is imported."""
    import newsletter.cli
    import newsletter.cli.list

    assert newsletter.cli.group.list_commands(click.Context(newsletter.cli.group)) == [*COMMANDS]
