"""The tutorial's commands are run in its order, in an empty folder; its files are written as it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stories.servers import free_port

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[str, str, str]]:
    """(language, the rest of the fence's line, text) of every fenced block."""
    return [(kind, more.strip(), text) for kind, more, text in FENCE.findall(page.read_text(encoding="utf-8"))]


class Shell:
    """A shell that keeps its folder from block to block, with `newsletter` on its path."""

    def __init__(self, folder: Path, more: dict[str, str]) -> None:
        self.folder = folder
        scripts = folder / ".bin"
        scripts.mkdir()
        (scripts / "newsletter").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m newsletter "$@"\n')
        (scripts / "newsletter").chmod(0o755)
        self.environment = {
            **more,
            "PATH": f"{scripts}:{os.environ['PATH']}",
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "NEWSLETTER_CATCH__SMTP": f"127.0.0.1:{free_port()}",
            "NEWSLETTER_CATCH__WEB": f"127.0.0.1:{free_port()}",
        }

    def run(self, text: str, code: int) -> str:
        done = subprocess.run(
            ["sh", "-eu", "-c", f'{text}\npwd > "$HOME/.where"'],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=110,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == code, f"{text}\n{done.stdout}\n{done.stderr}"
        if code == 0:
            self.folder = Path((Path(self.environment["HOME"]) / ".where").read_text().strip())
        return done.stdout + done.stderr

    def write(self, name: str, text: str) -> None:
        found = list(self.folder.glob(name)) if "*" in name else [self.folder / name]
        assert len(found) == 1, f"{name} names {len(found)} files"
        found[0].write_text(text, encoding="utf-8")


def walk(page: Path, folder: Path, more: dict[str, str]) -> str:
    """Do what a page says; everything that was printed."""
    shell, said = Shell(folder, more), ""
    for kind, more, text in blocks(page):
        options = dict(word.split("=", 1) for word in more.split())
        if kind == "sh":
            said += shell.run(text, int(options.get("exit", 0)))
        elif "file" in options:
            shell.write(options["file"], text)
    return said


def test_the_tutorial_does_what_it_says(tmp_path: Path, database: dict[str, str]) -> None:
    said = walk(ROOT / "docs" / "tutorial.md", tmp_path, database)
    assert "did you mean callout?" in said
    assert "Could you come before six?" in said
    assert "Traceback" not in said and "our-bug" not in said


def test_the_tutorial_has_commands_to_run() -> None:
    assert sum(kind == "sh" for kind, _, _ in blocks(ROOT / "docs" / "tutorial.md")) >= 8


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.name)
def test_every_command_in_the_docs_exists(page: Path) -> None:
    """A word after `newsletter` in a code block or in backticks is a command, and its long options are known."""
    from newsletter.cli import COMMANDS, group

    text = page.read_text(encoding="utf-8")
    code = "\n".join([block for _, _, block in blocks(page)] + re.findall(r"`([^`\n]+)`", text))
    import click

    for line in re.findall(r"^(?:\$ )?newsletter (.+)$", code, re.MULTILINE):
        if " n n - " in line:  # a line of Postfix's master.cf
            continue
        words = [word for word in re.sub(r"-C \S+\s*", "", line).split("#")[0].split() if word]
        if not words or not re.fullmatch(r"[a-z]+", words[0]):
            continue
        assert words[0] in COMMANDS, f"{page.name}: newsletter {line}"
        context = click.Context(group)
        command = group.get_command(context, words[0])
        if isinstance(command, click.Group) and len(words) > 1 and re.fullmatch(r"[a-z]+", words[1]):
            assert words[1] in command.list_commands(context), f"{page.name}: newsletter {line}"
            command = command.get_command(context, words[1])
        known = {option for parameter in command.params for option in parameter.opts} | {"--help", "--plain", "--debug"}  # type: ignore[union-attr]
        if not isinstance(command, click.Group):
            for option in re.findall(r"(?<!\S)--[a-z-]+", " ".join(words)):
                assert option in known, f"{page.name}: newsletter {line}"
