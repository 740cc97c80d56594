"""Start-up stays quick because it imports only what it needs."""

from __future__ import annotations

import importlib
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "django",
    "jinja2",
    "premailer",
    "lxml",
    "mjml",
    "PIL",
    "cssutils",
    "markdown_it",
    "aiosmtpd",
    "smtplib",
    "psycopg",
    "cryptography",
    "shapely",
    "numpy",
)


def modules_after(code: str, folder: Path) -> set[str]:
    """The top-level packages that are imported once `code` has run in a process of its own."""
    script = f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=folder, check=True)
    return {name.split(".")[0] for name in done.stderr.split()}


def run(*words: str) -> str:
    return f"from newsletter.cli import main; sys.argv = {['newsletter', *words]!r}; main()"


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("-h",), ("no-such-command",)])
def test_help_imports_nothing_heavy(words: tuple[str, ...], tmp_path: Path) -> None:
    assert modules_after(run(*words), tmp_path).isdisjoint(HEAVY)


def test_help_does_not_even_read_the_configuration(tmp_path: Path) -> None:
    assert "tomllib" not in modules_after(run("--help"), tmp_path)


@pytest.mark.parametrize("words", [("render", "asb"), ("check", "--help"), ("preview", "--help"), ("new", "--help")])
def test_rendering_needs_no_django(words: tuple[str, ...], tmp_path: Path) -> None:
    from newsletter import files

    (tmp_path / "newsletter.toml").write_text(files.example("newsletter.toml").read_text())
    issue = next(files.example("issues").glob("*asb*"))
    shutil.copytree(issue, tmp_path / "issues" / issue.name)
    found = modules_after(run(*(issue.name if word == "asb" else word for word in words)), tmp_path)
    assert "django" not in found
    if words[0] == "render":
        assert "mjml" in found, "the render did not take place, so this test would show nothing"


@pytest.mark.parametrize("part", ["content", "rendering", "mail", "config", "problems", "files"])
def test_the_pure_packages_import_no_framework(part: str, tmp_path: Path) -> None:
    code = f"from tests.guard.test_start_up import import_all; import_all('newsletter.{part}')"
    assert modules_after(code, ROOT).isdisjoint({"django", "aiosmtpd", "waitress", "sqlite3", "smtplib"})


def import_all(name: str) -> None:
    """Import a module and, where it is a package, every module in it."""
    package = importlib.import_module(name)
    for module in pkgutil.iter_modules(getattr(package, "__path__", [])):
        importlib.import_module(f"{name}.{module.name}")
