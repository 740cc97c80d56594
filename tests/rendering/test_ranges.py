"""`only`, `except` and `otherwise`: who sees what, and a cut that leaves no trace."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import groupby

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from newsletter.content.model import Group, Issue, Node, Only
from newsletter.rendering import layout, merge, pipeline, themes
from newsletter.rendering.model import Mode
from tests.rendering.conftest import Copy, Desk, filled

NORTH, SOUTH = {"ward": "North Quay"}, {"ward": "South Quay"}


def both(desk: Desk, body: str) -> tuple[Copy, Copy]:
    rendered = desk.render(body)
    assert not rendered.problems
    return filled(rendered, NORTH), filled(rendered, SOUTH)


def test_only_people_of_the_named_ward_see_the_block(desk: Desk) -> None:
    north, south = both(desk, '# News\n\n:::only{ward="North Quay"}\nA drop-in on Tuesday.\n:::\n\nFor all.\n')
    assert "A drop-in on Tuesday." in north.html and "A drop-in on Tuesday." in north.text
    assert "A drop-in on Tuesday." not in south.html and "A drop-in on Tuesday." not in south.text
    assert "For all." in south.html


def test_except_is_the_opposite(desk: Desk) -> None:
    north, south = both(desk, ':::except{ward="North Quay"}\nNot for the north.\n:::\n\nFor all.\n')
    assert "Not for the north." not in north.html and "Not for the north." in south.html


def test_otherwise_is_for_everybody_else(desk: Desk) -> None:
    body = ':::only{ward="North Quay"}\nNorthern.\n:::\n\n:::otherwise\nElsewhere.\n:::\n'
    north, south = both(desk, body)
    assert ("Northern." in north.html, "Elsewhere." in north.html) == (True, False)
    assert ("Northern." in south.html, "Elsewhere." in south.html) == (False, True)


def test_letter_case_and_blanks_of_a_spreadsheet_do_not_count(desk: Desk) -> None:
    rendered = desk.render(':::only{ward="North Quay"}\nNorthern.\n:::\n')
    assert "Northern." in filled(rendered, {"ward": " north quay "}).html


def test_terms_are_joined_by_and_their_values_by_or(desk: Desk) -> None:
    rendered = desk.render(':::only{ward="North Quay, South Quay" list=all}\nBoth.\n:::\n')
    assert "Both." in filled(rendered, {"ward": "South Quay", "list": ["all"]}).html
    assert "Both." not in filled(rendered, {"ward": "South Quay", "list": []}).html
    assert "Both." not in filled(rendered, {"ward": "East", "list": ["all"]}).html


def test_an_inner_range_is_cut_with_the_outer_one_even_when_it_is_true(desk: Desk) -> None:
    body = '::::only{ward="North Quay"}\nOuter.\n\n:::only{list=all}\nInner.\n:::\n::::\n\nFor all.\n'
    rendered = desk.render(body)
    assert "Inner." not in filled(rendered, {"ward": "South Quay", "list": ["all"]}).html
    assert "Inner." in filled(rendered, {"ward": "North Quay", "list": ["all"]}).html
    assert "Outer." in filled(rendered, {"ward": "North Quay"}).html


def test_equal_conditions_make_one_variant(desk: Desk) -> None:
    rendered = desk.render(":::only{ward=A}\nOne.\n:::\n\nMiddle.\n\n:::only{ward=A}\nTwo.\n:::\n")
    assert len(rendered.conditions) == 1


def test_the_public_page_shows_every_range_with_a_label_and_no_person(desk: Desk) -> None:
    body = (
        'Hello {{ first_name or "neighbour" }},\n\n:::only{ward="North Quay, South Quay"}\nNear the river.\n:::\n\n'
        ":::otherwise\nAway.\n:::\n"
    )
    rendered = desk.render(body, mode=Mode.WEB)
    page = filled(rendered, {"first_name": "Ameera", **NORTH})
    assert "For people in North Quay and South Quay" in page.html
    assert "For everyone else" in page.html
    assert "Near the river." in page.html and "Away." in page.html
    assert "Hello neighbour," in page.html and "Ameera" not in page.html
    assert not rendered.slots and not rendered.conditions
    assert "/u/" not in page.html and "/v/" not in page.html and "mailto:reply" not in page.html


def test_the_public_page_calls_lists_by_their_titles(desk: Desk) -> None:
    page = desk.copy(":::only{list=all}\nFor them.\n:::\n\n:::except{list=all}\nFor others.\n:::\n", mode=Mode.WEB)
    for part in (page.html, page.text):
        assert "For people who get All residents" in part and "For people who do not get All residents" in part


def test_a_card_stands_one_level_below_the_heading_above_it(desk: Desk) -> None:
    card = ":::card[Drop-in]\nWords.\n:::\n\n"
    hidden = ":::only{ward=A}\n## For some\n\nWords.\n:::\n\n"
    html = desk.copy(f"# News\n\n{card}{hidden}{card}## More\n\n{card}### Deep\n\n{card}").html
    assert re.findall(r"<(h\d)[^>]*>Drop-in", html) == ["h2", "h2", "h3", "h3"]


def test_web_only_and_email_only_go_where_they_say(desk: Desk) -> None:
    body = ":::email-only\nIn the mail.\n:::\n\n:::web-only\nOn the page.\n:::\n"
    mail, page = desk.copy(body), desk.copy(body, mode=Mode.WEB)
    assert ("In the mail." in mail.html, "On the page." in mail.html, "On the page." in mail.text) == (
        True,
        False,
        False,
    )
    assert ("In the mail." in page.html, "On the page." in page.html) == (False, True)


# -- cutting equals compiling without

BLOCKS = {
    "text": "Some words.\n",
    "list": "- one\n- two\n",
    "heading": "# A heading\n",
    "button": "::button[Look]{href=https://riverside.example/look}\n",
    "divider": "---\n",
    "callout": ":::callout{tone=info}\nMind this.\n:::\n",
    "card": ":::card[Title]\nCard words.\n:::\n",
    "columns": "::::columns\n:::column\nLeft.\n:::\n:::column\nRight.\n:::\n::::\n",
}


def fenced(inside: str, condition: str) -> str:
    return f"::::::only{{ward={condition}}}\n{inside}\n::::::\n"


bodies = st.lists(
    st.one_of(
        st.sampled_from(sorted(BLOCKS)).map(lambda name: BLOCKS[name]),
        st.tuples(st.lists(st.sampled_from(sorted(BLOCKS)), min_size=1, max_size=3), st.sampled_from("AB")).map(
            lambda made: fenced("\n".join(BLOCKS[name] for name in made[0]), made[1])
        ),
    ),
    min_size=1,
    max_size=5,
)


def without(nodes: tuple[Node, ...], true: set[str]) -> tuple[Node, ...]:
    """The issue as somebody would have written it for one reader: false ranges gone, true ones plain.

    A range that holds sections, or stands alone between sections, is sections of its own; empty groups keep the breaks.
    """
    found: list[Node] = []
    for alone, run in runs(nodes):
        for node in run:
            if not isinstance(node, Only):
                found.append(node)
                continue
            inner = node.children if node.terms[0][1][0] in true else ()
            gap = (Group(node.line, children=()),) if alone or layout.needs_sections(node) else ()
            found += [*gap, *inner, *gap]
    return tuple(found)


def runs(nodes: tuple[Node, ...]) -> list[tuple[bool, list[Node]]]:
    """Neighbours that share a section, and whether nothing but ranges is among them."""
    grouped = [list(run) for _, run in groupby(nodes, key=layout.needs_sections)]
    return [(not any(layout.is_for_all(node) for node in run), run) for run in grouped]


def normalised(html: str) -> str:
    """The body as a tree. The head may keep a width rule for columns that this reader does not get."""
    html = html[html.index("<body") :]
    html = re.sub(r"<!--(?!\[if|<!\[endif).*?-->", "", html, flags=re.DOTALL)
    html = re.sub(
        r"<!\[endif\]-->\s*<!--\[if mso \| IE\]>", "", html
    )  # MJML merges neighbours where no mark stands between
    root = etree.fromstring(html, etree.HTMLParser(remove_comments=False))
    return re.sub(r"\s+", " ", etree.tostring(root, encoding="unicode")).replace("> <", "><")


@settings(suppress_health_check=list(HealthCheck))
@given(bodies, st.sets(st.sampled_from("AB")))
def test_cutting_a_range_equals_compiling_without_it(shared: Desk, parts: list[str], true: set[str]) -> None:
    issue = shared.issue("# News\n\n" + "\n".join(parts) + "\nLast words.\n")
    assert not issue.problems
    theme = themes.load("plain", shared.config)
    rendered = pipeline.render(issue, theme, shared.config)
    met = [number for number, one in enumerate(rendered.conditions) if one.terms[0][1][0] in true]
    variant = merge.variant(rendered, met)
    plain: Issue = replace(issue, nodes=without(issue.nodes, true))
    expected = merge.variant(pipeline.render(plain, theme, shared.config), ())
    assert normalised(merge.join(variant.html, ["x"] * 99)) == normalised(merge.join(expected.html, ["x"] * 99))
    assert merge.join(variant.text, ["x"] * 99) == merge.join(expected.text, ["x"] * 99)


def test_a_range_alone_between_sections_leaves_no_empty_section(desk: Desk) -> None:
    body = BLOCKS["callout"] + "\n" + fenced(BLOCKS["button"], "A") + "\n" + BLOCKS["callout"]
    cut, never = filled(desk.render(body), {"ward": "B"}), desk.copy(BLOCKS["callout"] * 2)
    assert cut.html.count('class="section"') == never.html.count('class="section"')


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_every_block_can_stand_in_a_range(desk: Desk, name: str) -> None:
    rendered = desk.render("First.\n\n" + fenced(BLOCKS[name], "A") + "\nLast.\n")
    shown, cut = filled(rendered, {"ward": "A"}), filled(rendered, {"ward": "B"})
    assert len(shown.html) > len(cut.html) and "First." in cut.html and "Last." in cut.html
