"""Everything a person can type, set or be told has its words: commands, settings, problem codes, theme fields."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from newsletter.cli import COMMANDS, group
from newsletter.cli.explain import catalogue
from newsletter.config import SECTIONS, TABLES
from newsletter.config.describing import settings_in

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
SOURCES = sorted((ROOT / "newsletter").rglob("*.py"))


def codes_in(source: str) -> set[str]:
    """The codes of Problems that a module makes: Problem("code", …), Problem(code="code") and calls of helpers
    whose name says so: _problem("code"), report("code"), self.problem("code")."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name == "Problem" or re.search(r"(problem|report|warn|refuse|fatal)s?$", name):
                words = [*node.args[:1], *(word.value for word in node.keywords if word.arg == "code")]
                found |= {
                    word.value for word in words if isinstance(word, ast.Constant) and isinstance(word.value, str)
                }
    return {code for code in found if re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)+", code)}


def test_the_scan_sees_a_code() -> None:
    assert codes_in('Problem("no-such-thing", "x"); self.problem("two-words", ""); note("a b")') == {
        "no-such-thing",
        "two-words",
    }


def test_every_problem_code_can_be_explained() -> None:
    used = {code: path for path in SOURCES for code in codes_in(path.read_text(encoding="utf-8"))}
    unexplained = {code: str(path.relative_to(ROOT)) for code, path in used.items() if code not in catalogue()}
    assert not unexplained, "write them into newsletter/explain/*.toml"


def test_no_explanation_outlives_its_code() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in SOURCES)
    assert not [code for code in catalogue() if f'"{code}"' not in text]


@pytest.mark.parametrize("code", catalogue())
def test_an_explanation_says_what_why_and_what_to_do(code: str) -> None:
    entry = catalogue()[code]
    assert set(entry) == {"title", "why", "do"}
    assert all(len(text.strip()) > 10 for text in entry.values())


def test_no_code_is_explained_twice() -> None:
    headings = re.findall(
        r"^\[(.+)\]$", "\n".join(p.read_text() for p in (ROOT / "newsletter/explain").glob("*.toml")), re.MULTILINE
    )
    assert sorted(headings) == sorted(set(headings))


def commands(command: click.Command, path: str) -> list[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        found = [(path, command)]
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None, f"{path} {name} is announced but does not exist"
            found += commands(inner, f"{path} {name}")
        return found
    return [(path, command)]


def test_every_command_is_there_and_explains_itself() -> None:
    for path, command in commands(group, "newsletter"):
        assert (command.help or "").strip(), path
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help, f"{path} {option.opts}"


def test_every_command_is_in_the_reference() -> None:
    text = (REFERENCE / "cli.md").read_text(encoding="utf-8")
    missing = [path for path, _ in commands(group, "newsletter") if f"# {path}\n" not in text]
    assert not missing, "run `make docs`"


def test_every_setting_is_in_the_reference() -> None:
    text = (REFERENCE / "configuration.md").read_text(encoding="utf-8")
    for name, kind in [*SECTIONS.items(), *TABLES.items()]:
        section = text.split(f"## [{name}")[1].split("\n## ")[0]
        assert not [item.name for item in settings_in(kind) if f"`{item.name}`" not in section]
        assert all(item.metadata["help"] for item in settings_in(kind))


def test_every_command_module_is_announced() -> None:
    modules = {path.stem for path in (ROOT / "newsletter" / "cli").glob("*.py") if "\ncommand" in path.read_text()
               or "def command(" in path.read_text()}  # fmt: skip
    assert modules == {module for module, _, _ in COMMANDS.values()}


def test_every_option_of_a_theme_is_explained() -> None:
    import tomllib

    themes = sorted((ROOT / "templates").glob("*/theme.toml"))
    assert themes
    for path in themes:
        theme = tomllib.loads(path.read_text(encoding="utf-8"))
        for name, option in theme.get("options", {}).items():
            assert {"type", "default", "help"} <= set(option), f"{path.parent.name}: {name}"


def test_every_field_of_a_theme_is_in_the_reference() -> None:
    """The keys that theme.toml may hold are the ones the loader reads."""
    text = (REFERENCE / "theme-format.md").read_text(encoding="utf-8")
    for key in ("name", "title", "version", "options", "strings", "blocks", "supports", "type", "default", "help"):
        assert re.search(rf"[`\[.]{key}\b", text), key


def test_the_generated_pages_are_up_to_date(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "docs.generate", "--check"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_exit_code_is_in_the_reference() -> None:
    from newsletter.problems import Exit

    listed = re.findall(r"^\| (\d+) \|", (REFERENCE / "exit-codes.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == [str(int(code)) for code in Exit]
