"""Each block becomes its node, with what was written and with sensible values for what was not."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.content.model import (
    Button,
    Callout,
    Card,
    Column,
    Columns,
    Divider,
    Group,
    Heading,
    Issue,
    Node,
    Only,
    Picture,
    Prose,
    ReplyButton,
    Shown,
    Spacer,
    Table,
)
from tests.content.conftest import FIRST, Written


def shape(nodes: tuple[Node, ...]) -> list[object]:
    """The tree as names, such as ["Heading", ["Callout", ["Prose"]]]."""
    found: list[object] = []
    for node in nodes:
        inner = [*getattr(node, "columns", ()), *getattr(node, "children", ())]
        found.append([type(node).__name__, *shape(tuple(inner))] if inner else type(node).__name__)
    return found


def only_node(issue: Issue) -> Node:
    assert not issue.problems, issue.problems
    assert len(issue.nodes) == 1, shape(issue.nodes)
    return issue.nodes[0]


@pytest.fixture
def picture(issue_folder: Path) -> Path:
    (issue_folder / "images").mkdir()
    path = issue_folder / "images" / "tree.png"
    path.write_bytes(b"\x89PNG")
    return path


def test_markdown_becomes_headings_prose_tables_and_dividers(written: Written) -> None:
    issue = written(
        "# One\nText\n\n- a\n- b\n\n> q\n\nTwo\n===\n\n|A|B|\n|-|-|\n|1|2|\n\n***\n\n1. x\n\n```\ncode\n```"
    )
    assert not issue.problems
    assert shape(issue.nodes) == ["Heading", "Prose", "Heading", "Table", "Divider", "Prose"]
    assert [node.line - FIRST + 1 for node in issue.nodes] == [1, 2, 9, 12, 16, 18]
    heading, prose, second, table, _, _ = issue.nodes
    assert isinstance(heading, Heading) and heading.level == 1 and heading.tokens[0].content == "One"
    assert isinstance(second, Heading) and second.level == 1
    assert isinstance(prose, Prose) and [t.type for t in prose.tokens if t.nesting == 1 and t.level == 0] == [
        "paragraph_open",
        "bullet_list_open",
        "blockquote_open",
    ]
    assert isinstance(table, Table) and table.tokens[0].type == "table_open"


def test_quotes_become_typographic(written: Written) -> None:
    issue = written(""""It's here," she said.\n\n::reply["Don't" wait]\n\n:::callout{title="It's on"}\nHi\n:::""")
    prose, reply, callout = issue.nodes
    assert isinstance(prose, Prose)
    assert [child.content for child in prose.tokens[1].children or ()] == ["“It’s here,” she said."]
    assert isinstance(reply, ReplyButton) and reply.label == "“Don’t” wait"
    assert isinstance(callout, Callout) and callout.title == "It’s on"


def test_what_is_written_stays_otherwise(written: Written) -> None:
    """No (c) into ©, no -- into –, no ... into …: only quotes are touched."""
    issue = written("(c) 5 -- 6 ... +-1 (tm)")
    assert isinstance(issue.nodes[0], Prose)
    assert (issue.nodes[0].tokens[1].children or [])[0].content == "(c) 5 -- 6 ... +-1 (tm)"


def test_a_picture_alone_is_a_picture(written: Written, picture: Path) -> None:
    node = only_node(written('![A tree](images/tree.png "In March")'))
    assert node == Picture(FIRST, "images/tree.png", picture, "A tree", caption="In March")


def test_a_picture_may_be_a_link(written: Written, picture: Path) -> None:
    node = only_node(written("[![A tree](images/tree.png)](https://a.example)"))
    assert isinstance(node, Picture) and (node.href, node.path) == ("https://a.example", picture)


def test_an_image_block_takes_width_place_and_caption(written: Written, picture: Path) -> None:
    node = only_node(
        written(
            '::image[A tree]{src=images/tree.png width=300px align=left href=https://a.example caption="In \\"May\\""}'
        )
    )
    assert node == Picture(FIRST, "images/tree.png", picture, "A tree", "https://a.example", 300, "left", "In “May”")


def test_a_picture_may_be_mere_decoration_when_somebody_says_so(written: Written, picture: Path) -> None:
    node = only_node(written('::image{src=images/tree.png alt=""}'))
    assert isinstance(node, Picture) and node.alt == ""


def test_a_button_is_primary_unless_it_says_otherwise(written: Written) -> None:
    assert only_node(written("::button[Go]{href=https://a.example}")) == Button(FIRST, "Go", "https://a.example")
    node = only_node(written("::button[Go]{href=https://a.example style=secondary align=center}"))
    assert node == Button(FIRST, "Go", "https://a.example", "secondary", "center")


def test_a_label_may_hold_brackets(written: Written) -> None:
    node = only_node(written("::button[Go [now] \\] there]{href=https://a.example}"))
    assert isinstance(node, Button) and node.label == "Go [now] ] there"


def test_a_reply_button_needs_only_its_words(written: Written) -> None:
    assert only_node(written("::reply[Answer us]")) == ReplyButton(FIRST, "Answer us")


def test_a_callout_is_information_unless_it_says_otherwise(written: Written) -> None:
    node = only_node(written(":::callout\nHi\n:::"))
    assert isinstance(node, Callout) and (node.tone, node.title) == ("info", "")
    node = only_node(written(":::callout[Mind]{tone=warning lang=cy}\nHi\n:::"))
    assert isinstance(node, Callout) and (node.tone, node.title, node.lang) == ("warning", "Mind", "cy")


def test_columns_share_the_width_evenly_unless_they_say_otherwise(written: Written) -> None:
    body = "::::columns{}\n" + ":::column\nA\n:::\n" * 3 + "::::"
    node = only_node(written(body))
    assert isinstance(node, Columns)
    assert node.widths == (34, 33, 33)
    assert all(isinstance(column, Column) for column in node.columns)
    node = only_node(written(body.replace("{}", '{widths="50, 30%, 20"}')))
    assert isinstance(node, Columns) and node.widths == (50, 30, 20)


def test_a_card_has_a_title_a_picture_and_a_link(written: Written, picture: Path) -> None:
    node = only_node(
        written(':::card[Trees]{image=images/tree.png alt="A tree" href=https://a.example lang=cy}\nHi\n:::')
    )
    assert isinstance(node, Card)
    assert (node.title, node.href, node.lang) == ("Trees", "https://a.example", "cy")
    assert node.picture and (node.picture.path, node.picture.alt) == (picture, "A tree")


def test_dividers_and_spacers(written: Written) -> None:
    issue = written("::divider\n::spacer\n::spacer{height=40}\n\n---\n")
    assert not issue.problems
    assert issue.nodes == (Divider(FIRST), Spacer(FIRST + 1), Spacer(FIRST + 2, 40), Divider(FIRST + 4))


def test_only_asks_for_fields_lists_tags_and_areas(written: Written) -> None:
    node = only_node(written(':::only{ward="North, South" list=monthly tag="a,b" area=Town lang=cy}\nHi\n:::'))
    assert isinstance(node, Only)
    assert node.terms == (
        ("ward", ("North", "South")),
        ("list", ("monthly",)),
        ("tag", ("a", "b")),
        ("area", ("Town",)),
    )
    assert (node.negated, node.otherwise, node.lang) == (False, (), "cy")


def test_otherwise_belongs_to_the_only_or_except_above_it(written: Written) -> None:
    node = only_node(written(':::except{ward="North"}\nA\n:::\n\n:::otherwise\nB\n:::'))
    assert isinstance(node, Only) and node.negated
    assert shape(node.children) == shape(node.otherwise) == ["Prose"]
    assert node.otherwise[0].line == FIRST + 5


def test_parts_for_mail_or_web_alone(written: Written) -> None:
    issue = written(":::email-only\nA\n:::\n:::web-only\nB\n:::")
    assert [isinstance(node, Shown) and node.mail for node in issue.nodes] == [True, False]


def test_a_group_sets_the_language_of_its_inside(written: Written) -> None:
    node = only_node(written(":::group{lang=cy}\nHelo\n:::"))
    assert isinstance(node, Group) and node.lang == "cy"


def test_longer_fences_hold_shorter_ones_and_equal_ones_are_counted(written: Written) -> None:
    issue = written(':::only{ward="A"}\n:::callout\nHi\n:::\n:::\n\n::::::callout\n:::only{ward="A"}\nHi\n:::\n::::::')
    assert not issue.problems
    assert shape(issue.nodes) == [["Only", ["Callout", "Prose"]], ["Callout", ["Only", "Prose"]]]


def test_blocks_may_be_indented_a_little(written: Written) -> None:
    issue = written("::::columns\n  :::column\n  A\n  :::\n  ::: column\n  B\n  :::\n::::")
    assert not issue.problems
    assert shape(issue.nodes) == [["Columns", ["Column", "Prose"], ["Column", "Prose"]]]


def test_colons_in_code_are_code(written: Written) -> None:
    issue = written("```\n:::callout\n::\n```\n\n~~~~\n:::\n~~~\n:::x\n~~~~\n\nAfter :: it, a::b and ::) too.")
    assert not issue.problems
    assert shape(issue.nodes) == ["Prose"]


def test_a_block_ends_the_paragraph_above_it(written: Written) -> None:
    issue = written("Text\n::reply[Answer]\nmore")
    assert shape(issue.nodes) == ["Prose", "ReplyButton", "Prose"]


def test_typographic_quotes_around_an_attribute_are_quotes(written: Written) -> None:
    node = only_node(written(":::only{ward=“Stafford North”}\nHi\n:::"))
    assert isinstance(node, Only) and node.terms == (("ward", ("Stafford North",)),)


def test_the_inside_of_a_faulty_block_is_still_read(written: Written) -> None:
    issue = written(":::calout\n# Hi\n\n{{ ward }}\n:::")
    assert shape(issue.nodes) == ["Heading", "Prose"]
    assert [slot.key for slot in issue.slots] == ["ward"]


def test_link_addresses_may_stand_below_in_another_block(written: Written) -> None:
    issue = written("See [it][a].\n\n:::callout\nAlso [that][a].\n:::\n\n[a]: https://a.example\n")
    assert not issue.problems
    links = [
        child.attrs["href"]
        for node in issue.walk()
        if isinstance(node, Prose)
        for token in node.tokens
        for child in token.children or ()
        if child.type == "link_open"
    ]
    assert links == ["https://a.example"] * 2
