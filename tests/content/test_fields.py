"""Fields become slots: the same wish the same slot, wherever a text or a link may hold one."""

from __future__ import annotations

import pytest

from newsletter.content.fields import understand
from newsletter.content.model import Button, Callout, Heading, Prose, marker
from newsletter.content.values import formatted
from tests.content.conftest import FRONT, Written


def text_of(node: Prose) -> str:
    return "\n".join(token.content for token in node.tokens if token.type == "inline")


@pytest.mark.parametrize(
    ("expression", "wish"),
    [
        ("first_name", ("first_name", None, ())),
        (' first_name or "neighbour" ', ("first_name", "neighbour", ())),
        ("first_name or 'you'", ("first_name", "you", ())),
        ("first_name or “neighbour”", ("first_name", "neighbour", ())),
        ('first_name or ""', ("first_name", "", ())),
        ("first_name | title", ("first_name", None, ("title",))),
        ('first_name | title or "you"', ("first_name", "you", ("title",))),
        ('first_name or "you" | title', ("first_name", "You", ("title",))),
        ('(first_name or "you") | upper', ("first_name", "YOU", ("upper",))),
        ('meeting | date or "soon"', ("meeting", "soon", ("date",))),
        ('meeting or "soon" | date', ("meeting", "soon", ("date",))),
        ('ward or "}}"', ("ward", "}}", ())),
        ("first_name|lower|title", ("first_name", None, ("lower", "title"))),
    ],
)
def test_what_staff_may_write_is_understood(expression: str, wish: tuple[str, str | None, tuple[str, ...]]) -> None:
    found = understand(expression)
    assert not found.complaint
    assert (found.key, found.fallback, found.filters) == wish


# Escapes and floods that have worked against template engines elsewhere (threat T7): none is ever run.
@pytest.mark.parametrize(
    "expression",
    [
        "''.__class__.__mro__[1].__subclasses__()",
        "first_name.__class__",
        "first_name['__class__']",
        "first_name | attr('__class__')",
        "first_name | map(attribute='x')",
        "config",
        "self._TemplateReference__context",
        "cycler.__init__.__globals__.os.popen('id').read()",
        "lipsum(1000)",
        "range(10**9)",
        "'a' * 10**9",
        "9**9**9",
        "[1] * 99",
        "first_name ~ last_name",
        "first_name + last_name",
        "not first_name",
        "first_name and last_name",
        "first_name is defined",
        "first_name in 'x'",
        "namespace(a=1)",
        "env['PATH']",
        "first_name | format",
        "first_name | safe",
        "first_name % 2",
        "{'a': 1}",
        "(first_name, last_name)",
        "-first_name",
        "first_name or (last_name or 'x')",
        "loop.index",
        "{{ first_name",
        "(" * 140 + "first_name" + ")" * 140,
        "x" * 400,
        "'unended",
    ],
)
def test_nothing_else_is_let_through(written: Written, expression: str) -> None:
    found = understand(expression)
    assert found.complaint or found.key in ("config", "x" * 400)
    issue = written(f"A {{{{ {expression} }}}} B")
    assert issue.problems
    assert not issue.slots


def test_the_same_wish_is_the_same_slot(written: Written) -> None:
    issue = written("{{ ward }} {{ward}} {{ ward or \"x\" }} {{ ward or 'x' }} {{ ward | upper }}")
    assert [(slot.number, slot.fallback, slot.filters) for slot in issue.slots] == [
        (0, None, ()),
        (1, "x", ()),
        (2, None, ("upper",)),
    ]
    n = issue.nonce
    assert isinstance(issue.nodes[0], Prose)
    assert text_of(issue.nodes[0]) == f"Zq{n}v0000qZ Zq{n}v0000qZ Zq{n}v0001qZ Zq{n}v0001qZ Zq{n}v0002qZ"


def test_a_field_stands_in_links_buttons_labels_and_headings(written: Written) -> None:
    issue = written(
        "# For {{ ward }}\n\n[go](https://a.example/?w={{ ward }}) [all]({{ ward }})\n\n"
        '::button[In {{ ward }}]{href="https://a.example/{{ ward }}"}\n\n:::callout{title="{{ ward }}"}\nHi\n:::'
    )
    assert not issue.problems
    slot = f"Zq{issue.nonce}v0000qZ"
    heading, prose, button, callout = issue.nodes
    assert isinstance(heading, Heading) and heading.tokens[0].content == f"For {slot}"
    assert isinstance(prose, Prose)
    links = [child for child in prose.tokens[1].children or () if child.type == "link_open"]
    assert [link.attrs["href"] for link in links] == [f"https://a.example/?w={slot}", slot]
    assert isinstance(button, Button) and (button.label, button.href) == (f"In {slot}", f"https://a.example/{slot}")
    assert isinstance(callout, Callout) and callout.title == slot


def test_two_brackets_can_be_text(written: Written) -> None:
    issue = written("Write \\{{ like this }}.")
    assert not issue.problems and not issue.slots
    assert isinstance(issue.nodes[0], Prose)
    assert [child.content for child in issue.nodes[0].tokens[1].children or ()] == ["Write {{ like this }}."]


CONSTANTS = FRONT.replace(
    "---\nsubject",
    '---\nvars: {venue: *The* [Mill] "A" & B, day: 2026-12-08, link: https://a.example/x y, n: 12480}\nsubject',
)


def test_constants_are_text_whatever_is_in_them(written: Written) -> None:
    issue = written("Meet at {{ venue }} on {{ day | date }}, {{ n | number }} of us.", CONSTANTS)
    assert not issue.problems and not issue.slots
    assert isinstance(issue.nodes[0], Prose)
    children = issue.nodes[0].tokens[1].children or []
    assert [child.type for child in children] == ["text"]
    assert children[0].content == 'Meet at *The* [Mill] "A" & B on 8 December 2026, 12,480 of us.'


def test_a_constant_is_encoded_where_it_is_part_of_an_address(written: Written) -> None:
    issue = written('::button[Go]{href="https://a.example/{{ venue }}"}\n\n# {{ venue }}', CONSTANTS)
    assert not issue.problems
    assert isinstance(issue.nodes[0], Button)
    assert issue.nodes[0].href == "https://a.example/%2AThe%2A%20%5BMill%5D%20%22A%22%20%26%20B"


def test_an_address_in_a_constant_becomes_a_link(written: Written) -> None:
    issue = written("See {{ page }}.", FRONT.replace("---\nsub", "---\nvars: {page: https://a.example/x}\nsub"))
    assert isinstance(issue.nodes[0], Prose)
    assert [child.type for child in issue.nodes[0].tokens[1].children or ()] == [
        "text",
        "link_open",
        "text",
        "link_close",
        "text",
    ]


@pytest.mark.parametrize(
    ("value", "filters", "language", "shown"),
    [
        ("2026-12-08", ("date",), "en-GB", "8 December 2026"),
        ("2026-12-08", ("date",), "cy", "8 Rhagfyr 2026"),
        ("2026-12-08T10:00:00Z", ("date",), "en", "8 December 2026"),
        ("soon", ("date",), "en", ""),
        ("12480", ("number",), "en", "12,480"),
        ("-1234.50", ("number",), "en", "-1,234.50"),
        ("1e9999", ("number",), "en", ""),
        ("NaN", ("number",), "en", ""),
        ("o'neill mcbride-jones", ("title",), "en", "O'neill Mcbride-jones"),
        ("ÅSA", ("lower", "title"), "en", "Åsa"),
        ("straße", ("upper",), "en", "STRASSE"),
    ],
)
def test_a_filter_writes_a_value_for_readers(value: str, filters: tuple[str, ...], language: str, shown: str) -> None:
    assert formatted(value, filters, language) == shown


@pytest.mark.parametrize("body", ["`\\{{ x }} {{ first_name }}`", "```\n\\{{ x }} {{ first_name }}\n```"])
def test_code_holds_fields_and_two_brackets_that_are_none(written: Written, body: str) -> None:
    issue = written(body)
    [prose] = issue.nodes
    assert isinstance(prose, Prose) and not issue.problems
    [token] = prose.tokens if len(prose.tokens) == 1 else prose.tokens[1].children or ()
    assert token.content.strip() == f"{{{{ x }}}} {marker(issue.nonce, 0)}"


def test_a_day_of_the_issue_that_is_in_no_calendar_is_named(written: Written) -> None:
    front = FRONT.replace("---\nsub", "---\nvars: {day: 2026-02-30, homes: many}\nsub")
    first, second = written("On {{ day | date }}, {{ homes | number }} homes, {{ day }}.", front).problems
    assert first.message == "‘day’ in `vars` is ‘2026-02-30’, which is no day of the calendar"
    assert second.message == "‘homes’ in `vars` is ‘many’, which is no number"


def test_a_word_that_is_the_same_for_everybody_is_sent_to_the_first_lines(written: Written) -> None:
    (problem,) = written("At {{ venue }}.").problems
    assert problem.hint.startswith("The same for everybody? Say it above: vars: {venue: …}.")
