"""All words that people are shown come from catalogues, and every catalogue is complete in every language."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
MUST = ("en", "cy", "ur")  # what the product promises; a catalogue may have more
# Words that are rightly the same as in English, each with its reason: (catalogue, language, key).
SAME: dict[tuple[str, str, str], str] = {}
# Literal words on a page that nobody reads, each with its reason.
UNREAD = {
    "Leave this empty": "the trap for programs: hidden from people and from screen readers (aria-hidden)",
    "HTML": "the name of a language, the same in every other",
}
# Rightly without words: (catalogue, key).
EMPTY = {("newsletter/sending/own_mails.toml", "moved_button"): "this mail has nothing to press"}
# Modules of which some texts are for colleagues.
FOR_COLLEAGUES = {"own_data.py": "what staff are told about a legal hold"}


def catalogues() -> Iterator[tuple[str, dict[str, dict[str, str]]]]:
    """Every TOML file with a table for English and for Welsh, wherever it lies: (its name, language → key → words)."""
    for path in sorted([*ROOT.glob("newsletter/**/*.toml"), *ROOT.glob("templates/*/theme.toml")]):
        if "_example" in path.parts:
            continue
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        tables = data.get("strings", data)
        if isinstance(tables.get("en"), dict) and isinstance(tables.get("cy"), dict):
            yield path.relative_to(ROOT).as_posix(), tables


FOUND = dict(catalogues())


def test_the_catalogues_are_found() -> None:
    assert {"newsletter/rendering/strings.toml", "newsletter/replies/acknowledgements.toml"} <= set(FOUND)
    assert any(name.startswith("newsletter/web/words") for name in FOUND)
    assert "templates/alert/theme.toml" in FOUND


@pytest.mark.parametrize("name", FOUND)
def test_every_language_has_the_same_sentences_with_the_same_places(name: str) -> None:
    tables = FOUND[name]
    assert set(MUST) <= set(tables)
    for language, words in tables.items():
        assert set(words) == set(tables["en"]), (name, language)
        for key, text in words.items():
            assert isinstance(text, str) and (text.strip() or (name, key) in EMPTY), (name, language, key)
            assert places(text) == places(tables["en"][key]), (name, language, key)


def places(text: str) -> list[str]:
    return sorted(re.findall(r"{(\w+)}", text))


@pytest.mark.parametrize("name", FOUND)
def test_nothing_was_left_in_english(name: str) -> None:
    tables = FOUND[name]
    same = {
        (name, language, key)
        for language, words in tables.items()
        if language != "en"
        for key, text in words.items()
        if text == tables["en"][key] and re.search(r"[^\W\d_]", re.sub(r"{\w+}", "", text))
    }
    unlike = {one for one in same - set(SAME) if one[2] != "direction"}
    assert not unlike, "translate it, or give the reason in SAME"


def test_no_reason_outlives_its_words() -> None:
    gone = [
        (name, language, key)
        for name, language, key in SAME
        if FOUND.get(name, {}).get(language, {}).get(key) != FOUND.get(name, {}).get("en", {}).get(key)
    ]
    assert not gone


class Literals(HTMLParser):
    """The words that stand in a template itself, and in attributes that people read or hear."""

    READ = ("alt", "title", "placeholder", "aria-label", "aria-description", "summary")

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style", "mj-style", "mj-attributes"):
            self.inside.append(tag)
        for name, value in attrs:
            if (
                name in self.READ
                or (name == "value" and tag == "input" and dict(attrs).get("type") in ("submit", "button"))
            ) and value:
                self.words.append(value)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_endtag(self, tag: str) -> None:
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_data(self, data: str) -> None:
        if not self.inside:
            self.words.append(data)


def literals(template: str) -> set[str]:
    """Words outside of tags and of Jinja."""
    bare = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}", " ", template, flags=re.DOTALL)
    reader = Literals()
    reader.feed(bare)
    reader.close()
    # What a macro gives back may be attributes, which are no words.
    found = (" ".join(re.sub(r"[\w-]+=\"[^\"]*\"", " ", words).split()) for words in reader.words)
    return {words for words in found if re.search(r"[^\W\d_]{2}", words)}


def test_the_scan_of_templates_sees_words() -> None:
    page = '<button type="submit" value="leave">{{ w("b") }}</button>{% if x %}<p>Stray {{ w("a") }}</p>'
    page += '<img alt="A dog"><style>a b</style>{% endif %}<i>{{ "no" }} – ✓</i>'
    assert literals(page) == {"Stray", "A dog"}


PAGES = sorted(ROOT.glob("newsletter/web/pages/**/*.html"))
TEMPLATES = sorted([*ROOT.glob("newsletter/rendering/*.mjml.j2"), *ROOT.glob("templates/*/*.mjml.j2")])


@pytest.mark.parametrize("path", [*PAGES, *TEMPLATES], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_page_and_no_theme_has_words_of_its_own(path: Path) -> None:
    assert not literals(path.read_text(encoding="utf-8")) - set(UNREAD), "write them into the catalogue"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_key_that_a_page_asks_for_is_in_the_catalogue(path: Path) -> None:
    known = {key for name, tables in FOUND.items() if name.startswith("newsletter/web/") for key in tables["en"]}
    asked = set(re.findall(r"\bw(?:\.plain)?\(\s*\"(\w+)\"\s*[,)]", path.read_text(encoding="utf-8")))
    assert not asked - known


# Modules whose texts go into mails and onto pages; all other packages speak to colleagues, in English. So do the
# checks, and the engine, which speaks to authors of themes.
SPEAKING = sorted(
    [
        *(one for one in ROOT.glob("newsletter/web/*.py") if one.name not in FOR_COLLEAGUES),
        *(one for one in ROOT.glob("newsletter/rendering/*.py") if not one.name.startswith(("check", "engine"))),
        ROOT / "newsletter/mail/page_mail.py",
        *ROOT.glob("newsletter/sending/own_mails*.py"),
        *ROOT.glob("newsletter/sending/own_mails/*.py"),
    ]
)
# Calls whose texts are for colleagues, for the log, or for the database.
INWARD = re.compile(r"(Problem|Error|warn|info|debug|exception|error|critical|execute|compile|problem|raw|_note|why)$")
SENTENCE = re.compile(r"^[^\W\d_]+[’']?[^\W\d_]* [^\W\d_]+( [^\W\d_]+)*[.!?:]?$|[a-z]{2,}[.!?] [A-Z]")


def sentences(path: Path) -> Iterator[tuple[int, str]]:
    """Texts of two words and more that a module may show: no docstrings, and nothing within INWARD calls."""
    tree = ast.parse(path.read_text(encoding="utf-8"))

    def walk(node: ast.AST, quiet: bool) -> Iterator[tuple[int, str]]:
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            quiet = quiet or bool(INWARD.search(name))
        if isinstance(node, ast.Raise | ast.Assert):
            quiet = True
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.Expr | ast.keyword):
            names = _names(node)
            quiet = quiet or bool(names & {"hint", "message", "reason", "why", "said", "HINT"})
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return  # a docstring
        text = node.value if isinstance(node, ast.Constant) and not quiet else None
        if isinstance(text, str) and SENTENCE.search(text.strip()) and "\n" not in text:
            yield getattr(node, "lineno", 0), text
        for child in ast.iter_child_nodes(node):
            yield from walk(child, quiet)

    yield from walk(tree, False)


def _names(node: Any) -> set[str]:
    if isinstance(node, ast.keyword):
        return {node.arg or ""}
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return (
        {getattr(part, "id", "") for target in targets for part in ast.walk(target) if target} if targets[0] else set()
    )


# Texts that look like sentences and are none, each with its reason.
NO_SENTENCE = {"light dark": "a value of CSS, color-scheme"}


@pytest.mark.parametrize("path", SPEAKING, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_code_that_makes_mails_or_pages_has_sentences_of_its_own(path: Path) -> None:
    found = [f"{path.name}:{line} {text}" for line, text in sentences(path) if text.strip() not in NO_SENTENCE]
    assert not found, "write them into the catalogue"
