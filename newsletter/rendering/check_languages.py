"""A translation beside the issue it translates: nothing forgotten, nothing more, the same buttons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from newsletter.config import Config
from newsletter.content.model import (
    Button,
    Callout,
    Card,
    Columns,
    Heading,
    Issue,
    Node,
    Only,
    Picture,
    ReplyButton,
    Shown,
    Table,
)
from newsletter.problems import Problem, Severity
from newsletter.rendering import finding_places
from newsletter.rendering.model import Rendered

# What is counted; prose is not, for a translation may need more paragraphs, or fewer.
_KINDS: Mapping[type[Node], tuple[str, str]] = {
    Heading: ("heading", "headings"),
    Button: ("button", "buttons"),
    ReplyButton: ("reply button", "reply buttons"),
    Picture: ("picture", "pictures"),
    Callout: ("callout", "callouts"),
    Columns: ("row of columns", "rows of columns"),
    Card: ("card", "cards"),
    Table: ("table", "tables"),
    Shown: ("block for mail or web only", "blocks for mail or web only"),
}


def against(issue: Issue, original: Issue) -> Iterator[Problem]:
    """What a translation has not, or has besides, or leads elsewhere. Warnings; links elsewhere are notes."""
    if issue.front.subject and issue.front.subject == original.front.subject:
        where = finding_places.where(issue, "subject", issue.front.lines.get("subject", 0), issue.file)
        message = f"The subject of {issue.file} is the one of {original.file}, word for word"
        hint = f"Translate it; people who read {issue.language} see it first."
        yield Problem("translation-subject", message, hint, where, Severity.WARNING)
    for kind, names in _KINDS.items():
        yield from _numbers(kind, names, issue, original)
    yield from _blocks(issue, original)
    yield from _buttons(issue, original)


def lists(issue: Issue, rendered: Rendered, config: Config) -> Iterator[Problem]:
    """The lists of the audience without words in the issue's language; what is behind a segment the database knows."""
    return without_words(issue, rendered.language, config, issue.front.audience)


def without_words(issue: Issue, language: str, config: Config, keys: Iterable[str]) -> Iterator[Problem]:
    """A list whose name and footer's sentence this issue's readers would read in another language. Notes."""
    for key in keys:
        known = config.lists.get(key)
        if known and (missing := known.lacks(language)):
            said = " and ".join(missing)
            message = f"{issue.file} is in {language}; the {said} of [lists.{key}] would not be"
            lines = " and ".join(f'{name} = "…"' for name in missing)
            hint = f"Add a section [lists.{key}.{language}] to it, with {lines} below."
            where = config.where(f"lists.{key}.{missing[-1]}")
            yield Problem("list-not-translated", message, hint, where, Severity.NOTE)


def _numbers(kind: type[Node], names: tuple[str, str], issue: Issue, original: Issue) -> Iterator[Problem]:
    ours, theirs = _of(kind, issue), _of(kind, original)
    if len(ours) == len(theirs):
        return
    longer, wordy = (issue, ours) if len(ours) > len(theirs) else (original, theirs)
    node = wordy[min(len(ours), len(theirs))]  # the first of those that the other has not
    message = f"{issue.file} has {_many(len(ours), names)}, {original.file} has {_many(len(theirs), names)}"
    where = finding_places.where(longer, "", node.line, node.file)
    hint = "Was something forgotten? Everybody gets the same message, each in their language."
    yield Problem("translation-differs", message, hint, where, Severity.WARNING)


def _blocks(issue: Issue, original: Issue) -> Iterator[Problem]:
    """Blocks for some people, by whom they are for: a person must not miss one for the language they read."""

    def asked(one: Issue) -> Counter[tuple[object, bool]]:
        return Counter((node.terms, node.negated) for node in one.walk() if isinstance(node, Only))

    for have, lacks, one in (
        (original, issue, asked(original) - asked(issue)),
        (issue, original, asked(issue) - asked(original)),
    ):
        for node in have.walk():
            key = (node.terms, node.negated) if isinstance(node, Only) else None
            if key is None or not one[key]:
                continue
            one[key] -= 1
            assert isinstance(node, Only)
            word = ":::except" if node.negated else ":::only"
            said = " ".join(f'{name}="{", ".join(values)}"' for name, values in node.terms)
            where = finding_places.where(have, word, node.line, node.file)
            message = f"The block {word}{{{said}}} is in {have.file} and not in {lacks.file}"
            hint = "Who reads the one gets it and who reads the other does not. Translate it, or take it away."
            yield Problem("translation-differs", message, hint, where, Severity.WARNING)


def _buttons(issue: Issue, original: Issue) -> Iterator[Problem]:
    ours, theirs = _of(Button, issue), _of(Button, original)
    if len(ours) != len(theirs):
        return
    for number, (our, their) in enumerate(zip(ours, theirs, strict=True), 1):
        assert isinstance(our, Button) and isinstance(their, Button)
        if our.href != their.href:
            where = finding_places.where(issue, our.href, our.line, our.file)
            message = f"Button {number} leads to {our.href} here, and to {their.href} in {original.file}"
            hint = "Right where the page is in this language, too; otherwise correct one of them."
            yield Problem("translation-link", message, hint, where, Severity.NOTE)


def _of(kind: type[Node], issue: Issue) -> list[Node]:
    return [node for node in issue.walk() if type(node) is kind]


def _many(count: int, names: tuple[str, str]) -> str:
    return f"{count or 'no'} {names[count != 1]}"
