"""The front matter says what people mean: text to the end of the line, lists, small maps, no surprises."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from newsletter.content.model import By, Issue
from tests.content.conftest import Written

Front = Callable[..., Issue]


@pytest.mark.parametrize(
    ("written_as", "subject"),
    [
        ("Is it you? #1 worry", "Is it you? #1 worry"),
        ("Reply by 5pm: what to do", "Reply by 5pm: what to do"),
        ('"Fire" at mill', '"Fire" at mill'),
        ('"Fire" and "smoke"', '"Fire" and "smoke"'),
        ('"Fire at mill"', "Fire at mill"),
        ("'Fire at mill'", "Fire at mill"),
        ("'It''s on'", "It's on"),
        ('"Say \\"yes\\""', 'Say "yes"'),
        ("'Tis the season", "'Tis the season"),
        ("[Update] Fire at mill", "[Update] Fire at mill"),
        ("{Update} Fire", "{Update} Fire"),
        ("#1 worry", "#1 worry"),
        ("Yes", "Yes"),
        ("007", "007"),
        ("2026-12-08", "2026-12-08"),
        ("null", "null"),
        ("5 # not a comment", "5 # not a comment"),
        ("- a dash", "- a dash"),
        ("& * ! % @ `", "& * ! % @ `"),
        ("key: value: more", "key: value: more"),
        ("  blanks around  ", "blanks around"),
        ("\\{{ as text }}", "{{ as text }}"),
        ("Ydych chi’n iawn? 😀", "Ydych chi’n iawn? 😀"),
    ],
)
def test_a_subject_is_its_text_to_the_end_of_the_line(front: Front, written_as: str, subject: str) -> None:
    issue = front(f"subject: {written_as}")
    assert not issue.problems
    assert issue.front.subject == subject


def test_a_colon_in_the_subject_is_just_text(front: Front) -> None:
    assert front("subject: Tonight: fire at mill: stay in").front.subject == "Tonight: fire at mill: stay in"


def test_a_comment_ends_other_values(front: Front) -> None:
    issue = front("subject: A\ntopic: safety # for now\n# a whole line\n\nlanguage: cy #x\nnumber: a#b")
    assert not issue.problems
    assert (issue.front.topic, issue.front.language, issue.front.number) == ("safety", "cy", "a#b")


@pytest.mark.parametrize(
    "audience",
    [
        "[all-residents, monthly]",
        "[all-residents, monthly,]   # both",
        "[\"all-residents\", 'monthly']",
        "\n  - all-residents\n  - monthly",
        "\n- all-residents   # first\n- monthly",
        "[all-residents, monthly, all-residents]",
    ],
)
def test_a_list_may_be_written_in_both_ways(written: Written, audience: str) -> None:
    issue = written("Hi.", f"---\nsubject: A\nfrom: council\naudience: {audience}\ntopic: b\n---\n")
    assert not issue.problems
    assert issue.front.audience == ("all-residents", "monthly")
    assert issue.front.topic == "b"


def test_one_list_needs_no_brackets(written: Written) -> None:
    issue = written("Hi.", "---\nsubject: A\nfrom: council\naudience: monthly\n---\n")
    assert issue.front.audience == ("monthly",)


@pytest.mark.parametrize(
    "by",
    [
        "{name: Sam Okafor, role: Sergeant, Stafford North, area: Town}",
        '{name: "Sam Okafor", role: "Sergeant, Stafford North", area: Town}  # who',
        "\n  name: Sam Okafor\n  role: Sergeant, Stafford North\n  area: Town # who",
    ],
)
def test_a_map_may_be_written_in_both_ways(front: Front, by: str) -> None:
    issue = front(f"subject: A\nby: {by}")
    assert not issue.problems
    assert issue.front.by == By("Sam Okafor", "Sergeant, Stafford North", "Town", "")


@pytest.mark.parametrize(
    "allow",
    [
        "[{code: dead-link, until: 2026-12-31, why: the page comes on Monday}]",
        "\n  - {code: dead-link, until: 2026-12-31, why: the page comes on Monday}",
        "\n  - code: dead-link\n    until: 2026-12-31\n    why: the page comes on Monday",
        "\n- code: dead-link\n  until: 2026-12-31\n  why: the page comes on Monday",
    ],
)
def test_waivers_are_a_list_of_maps(front: Front, allow: str) -> None:
    issue = front(f"subject: A\nallow: {allow}")
    assert not issue.problems
    assert issue.front.allow == ({"code": "dead-link", "until": "2026-12-31", "why": "the page comes on Monday"},)


def test_who_sent_it_is_the_sender_unless_somebody_else_is_named(front: Front) -> None:
    assert front("subject: A").front.by == By("Example Council")
    assert front("subject: A\nby: {role: Duty officer}").front.by == By("Example Council", "Duty officer")


def test_a_text_of_several_lines_keeps_them(front: Front) -> None:
    issue = front("subject: A\ntext: |\n  Dear {{ first_name }},\n\n    indented\n  bye # no comment\ntopic: b")
    marker = f"Zq{issue.nonce}v0000qZ"
    assert issue.front.text == f"Dear {marker},\n\n  indented\nbye # no comment"
    assert issue.front.topic == "b"
    assert issue.slots[0].where and issue.slots[0].where.line == 4


def test_a_folded_text_is_one_line(front: Front) -> None:
    assert front("subject: >\n  Meet\n  your officers\ntopic: b").front.subject == "Meet your officers"


def test_the_title_is_the_subject_unless_it_is_written(front: Front) -> None:
    assert front("subject: A").front.title == "A"
    assert front("subject: A\ntitle: B #2").front.title == "B #2"


def test_defaults_are_those_of_the_reference(front: Front) -> None:
    facts = front("subject: A").front
    assert (facts.reply_to, facts.template, facts.archive, facts.sensitive) == ("inbox", "alert", "unlisted", False)
    assert (facts.purpose, facts.hero, facts.allow) == ("public task", None, ())


def test_fields_stand_in_subject_preheader_and_title(front: Front) -> None:
    issue = front('subject: {{ first_name or "You" }}, look\npreheader: In {{ ward }}\ntitle: For {{ ward }}')
    assert not issue.problems
    assert issue.front.subject == f"Zq{issue.nonce}v0000qZ, look"
    assert issue.front.preheader == f"In Zq{issue.nonce}v0001qZ"
    assert issue.front.title == f"For Zq{issue.nonce}v0001qZ"


@pytest.mark.parametrize("newline", ["\r\n", "\r", "\n"])
def test_the_line_ends_of_every_system_are_read(written: Written, newline: str) -> None:
    text = "---\nsubject: A\nfrom: council\naudience: [monthly]\n---\n# Hello\n\n:::callout\nHi\n:::\n"
    issue = written("", text.replace("\n", newline))
    assert not issue.problems
    assert [(type(node).__name__, node.line) for node in issue.nodes] == [("Heading", 6), ("Callout", 8)]


def test_a_byte_order_mark_is_no_letter(written: Written) -> None:
    assert not written("Hi.", "\ufeff---\nsubject: A\nfrom: council\naudience: [monthly]\n---\n").problems


def test_empty_lines_may_come_first(written: Written) -> None:
    issue = written("Hi.", "\n\n" + "---\nsubject: A\nfrom: council\naudience: [monthly]\n---\n")
    assert not issue.problems
    assert issue.front.lines["subject"] == 4
    assert issue.nodes[0].line == 8


def test_a_translation_says_only_what_differs(written: Written) -> None:
    written("Hello.", "---\nsubject: A\nfrom: council\naudience: [monthly]\nnumber: 7\nkind: alert\n---\n")
    issue = written("Helo.", "---\nsubject: B\n---\n", language="cy")
    assert not issue.problems
    assert (issue.file, issue.language, issue.front.subject) == ("issue.cy.md", "cy", "B")
    assert (issue.front.sender, issue.front.audience, issue.front.number) == ("council", ("monthly",), "7")


def test_a_language_that_contradicts_the_file_s_name_is_told(written: Written) -> None:
    written("Hello.")
    issue = written("Salaam.", "---\nsubject: B\nlanguage: ar\n---\n", language="ur")
    assert [problem.code for problem in issue.problems] == ["language-mismatch"]
