"""The house stays tidy: small files, small functions, working links, and nothing of one person's machine in it."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = {
    ".py",
    ".md",
    ".toml",
    ".txt",
    ".html",
    ".j2",
    ".css",
    ".csv",
    ".in",
    ".lock",
    ".yml",
    ".yaml",
    ".sh",
    ".json",
    "",
}
# Written in two halves, so that this file does not name what it forbids.
FORBIDDEN = ["/wo" + "rk/", "/tmp/con" + "tract", "pypi" + ".org", "files.python" + "hosted", "registry.npm" + "js"]


def tracked() -> list[Path]:
    """The files that git knows and that are still there; outside a checkout, every file of the folders we own."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


FILES = tracked()
PYTHON = [path for path in FILES if path.suffix == ".py"]
# An issue's links are checked by `newsletter check`; the page of problems shows Markdown as examples.
OTHERS = ("issues", "tests", "docs/reference/problems.md")
PAGES = [path for path in FILES if path.suffix == ".md" and not path.relative_to(ROOT).as_posix().startswith(OTHERS)]


def test_git_lists_the_tree() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    assert len(PYTHON) > 30


def test_no_file_is_over_500_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): count for path in PYTHON if (count := len(path.read_text().splitlines())) > 500
    }
    assert not long


def test_no_function_is_over_60_lines() -> None:
    long = []
    for path in PYTHON:
        if path.is_relative_to(ROOT / "newsletter"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
                    length = node.end_lineno - node.lineno + 1
                    if length > 60:
                        long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name} has {length} lines")
    assert not long


def test_every_module_says_in_one_sentence_what_it_is() -> None:
    without = [
        str(path.relative_to(ROOT))
        for path in PYTHON
        if path.is_relative_to(ROOT / "newsletter")
        and path.read_text().strip()
        and "migrations" not in path.parts
        and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not without


def test_nothing_names_a_machine_or_a_registry() -> None:
    found = []
    for path in FILES:
        if path.suffix in TEXT:
            text = path.read_text(encoding="utf-8", errors="replace")
            found += [f"{path.relative_to(ROOT)}: {word}" for word in FORBIDDEN if word in text]
    assert not found


def test_the_readme_is_short_and_shows_the_mail() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 120
    assert re.search(r"!\[[^\]]{20,}\]\(docs/pictures/[\w-]+\.png\)", text), (
        "the picture, with words for who cannot see it"
    )
    for word in ("newsletter-desk", "A/B test", "open tracking", "discussion list", "utomation", "WSL"):
        assert word.lower() in text.lower(), word


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)[^)]*\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        file = (page.parent / unquote(path)).resolve() if path else page
        if not file.exists() or (fragment and file.suffix == ".md" and fragment not in anchors(file)):
            broken.append(target)
    assert not broken


def anchors(page: Path) -> set[str]:
    """The anchors that a Markdown page's headings get."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE):
        words = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(words.replace(" ", "-"))
    return found
