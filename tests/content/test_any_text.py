"""Whatever people type, reading never raises, never loses a field, and tells the same twice."""

from __future__ import annotations

import re
import tempfile
from functools import lru_cache
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter import config
from newsletter.content import starting
from newsletter.content.fields import understand
from newsletter.content.model import Heading, Issue, marker, plain_json
from newsletter.content.reading import read
from newsletter.problems import NewsletterError, has_errors
from tests.content.conftest import FRONT
from tests.workspace import TOML

QUICK = settings(suppress_health_check=[HealthCheck.too_slow])
# Pieces of the dialect, right and wrong, so that chance finds the places where they meet.
PIECES = st.sampled_from(
    [
        *("{{ ward }}", '{{ first_name or "you" }}', "{{ ward | title }}", "{{", "}}", "{{ nope }}", "\\{{ x }}", "{%"),
        *(":::callout\n", ":::\n", "::::\n", "::::columns\n", ":::column\n", ':::only{ward="A"}\n', ":::otherwise\n"),
        *(
            "::reply[Answer]\n",
            "::button[Go]{href=https://a.example}\n",
            "::include{file=issue.md}\n",
            ":::group{lang=cy}\n",
        ),
        *(
            ":::card[T]\n",
            "::image[A]{src=a.png}\n",
            "::spacer{height=3}\n",
            "[",
            "]",
            "(",
            ")",
            "{",
            "}",
            '"',
            "'",
            "“",
        ),
        *("# ", "## ", "#### ", "- ", "1. ", "> ", "    ", "\t", "---\n", "===\n", "|", "|-|-|\n", "```\n", "~~~", "`"),
        *(
            "*",
            "**",
            "_",
            "\\",
            "<b>",
            "<!--",
            "-->",
            "&amp;",
            "&#0;",
            "<https://a.example/",
            "https://a.example/",
            "www.a.example",
        ),
        *(
            "![a](b.png)",
            "[a](",
            "[a]: ",
            "[a]",
            "sam@a.example",
            "text",
            " ",
            "\n",
            "\n\n",
            "\r\n",
            "\r",
            "\u2028",
            "\ufeff",
        ),
        *("سلام", "é", "😀", "\x00", "\x07", "\x1b[0m", "Zq00000000v0000qZ", "\u202e", "\ufffe"),
    ]
)
TEXTS = st.one_of(
    st.lists(PIECES, max_size=25).map("".join),
    st.text(max_size=80),
    st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=25).map("".join),
)
STRAIGHT = str.maketrans("“”‘’", "\"\"''")
FRONT_MATTER = st.sampled_from(
    [
        *("subject", "from", "hero", "vars", "by", "allow", "text", ":", " ", "\n", "- ", "[", "]", "{", "}", ","),
        *('"', "'", "|", ">", "#", " #", "a", "---", "\t", "{{ ward }}", "  "),
    ]
)


@lru_cache(maxsize=1)
def workspace() -> tuple[Path, config.Config]:
    root = Path(tempfile.mkdtemp(prefix="newsletter-any-"))
    (root / "newsletter.toml").write_text(TOML, encoding="utf-8")
    folder = root / "issues" / "2026-12-08-any"
    folder.mkdir(parents=True)
    return folder, config.load(root)


def as_read(text: str) -> Issue | None:
    """The issue, or None when the bytes are refused as no text at all."""
    folder, settings_of = workspace()
    (folder / "issue.md").write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        return read(folder, settings_of)
    except NewsletterError as error:
        assert {problem.code for problem in error.problems} <= {"binary-file", "not-utf8"}
        return None


def tree(issue: Issue) -> str:
    """Everything that a reader could meet, as one text."""

    def strings(value: object) -> list[str]:
        if hasattr(value, "children") and hasattr(value, "attrs"):
            inner = [text for child in value.children or () for text in strings(child)]
            return [value.content if not value.children else "", *map(str, value.attrs.values()), *inner]
        if isinstance(value, tuple | list):
            return [text for item in value for text in strings(item)]
        if hasattr(value, "__dataclass_fields__"):
            return [text for name in value.__dataclass_fields__ for text in strings(getattr(value, name))]
        return [value] if isinstance(value, str) else []

    return "\n".join(strings((issue.front, issue.nodes)))


@QUICK
@given(TEXTS)
def test_any_message_is_read_and_loses_no_field(text: str) -> None:
    issue = as_read(FRONT + text)
    if issue is None:
        return
    shown = tree(issue)
    if not has_errors(issue.problems):
        for slot in issue.slots:
            assert marker(issue.nonce, slot.number) in shown
    numbers = {int(number) for number in re.findall(rf"Zq{issue.nonce}v(\d+)qZ", shown)}
    assert numbers <= {slot.number for slot in issue.slots}, "a marker without its field"
    for problem in issue.problems:
        where = problem.where
        assert where and where.line and problem.message and problem.hint
        assert where.column is None or 1 <= where.column <= len(where.source) + 1
        assert where.end_column is None or where.end_column > (where.column or 0)


@QUICK
@given(TEXTS)
def test_any_file_is_read(text: str) -> None:
    as_read(text)
    as_read("---\n" + text)


@QUICK
@given(st.lists(FRONT_MATTER, max_size=30).map("".join))
def test_any_front_matter_is_read(text: str) -> None:
    issue = as_read(f"---\nsubject: A\nfrom: council\naudience: [monthly]\n{text}\n---\nHello.\n")
    assert issue


@QUICK
@given(TEXTS)
def test_reading_changes_nothing_and_is_the_same_twice(text: str) -> None:
    first, second = as_read(FRONT + text), as_read(FRONT + text)
    assert plain_json(first) == plain_json(second)


@QUICK
@given(st.text(max_size=60))
def test_any_expression_is_understood_or_refused(text: str) -> None:
    wish = understand(text)
    assert bool(wish.complaint) != bool(wish.key)


@QUICK
@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=70).filter(
    lambda text: " ".join(text.split()) == text and text.isprintable()))  # fmt: skip
def test_any_title_starts_an_issue_that_says_it(title: str) -> None:
    issue = as_read(starting.fresh(title, "alert", "council", "monthly", "en-GB"))
    assert issue
    shown = title.replace("{%", "{ %")
    assert issue.front.subject == shown
    assert not [problem for problem in issue.problems if problem.code != "unknown-theme"]
    heading = issue.nodes[0]
    assert isinstance(heading, Heading)
    said = "".join(token.content for token in heading.tokens)
    assert said.translate(STRAIGHT) == shown.translate(STRAIGHT)
