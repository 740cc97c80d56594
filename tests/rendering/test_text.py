"""The plain-text part: the issue's own words, every link of the HTML, lines of 72."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from newsletter.rendering.model import Mode
from newsletter.rendering.wrapping import width, wrap
from tests.rendering.conftest import Copy, Desk

EVERYTHING = """# The main thing

Hello {{ first_name or "neighbour" }}, please read [the plan](https://riverside.example/plan?a=1&b=2) and
[your page](https://riverside.example/p/{{ first_name }}), or write to help@riverside.example.

## A list

- harassment
- alarm, with a [link](https://riverside.example/alarm)
    - nested

1. first
2. second

> A quotation.

| Day | Place |
|---|---|
| Tuesday | Library |
| Thursday | [Hall](https://riverside.example/hall) |

::button[Book a place]{href=https://riverside.example/book?x=ü}

::reply[Answer us]

:::callout{tone=warning title="Take care"}
Do not open it. See [the advice](https://riverside.example/advice).
:::

---

:::card[A card]{href=https://riverside.example/card}
Words of the card.
:::

::::columns
:::column
Left words.
:::
:::column
Right words.
:::
::::

:::only{ward="North Quay"}
Only north: [a page](https://riverside.example/north).
:::
"""
PERSON = {"first_name": "Ameera", "ward": "North Quay"}


def links_of_html(made: Copy) -> set[str]:
    return {href.removeprefix("mailto:") for href in html.document_fromstring(made.html).xpath("//a/@href")}


def links_of_text(made: Copy) -> set[str]:
    found = re.findall(r"(?:https?://|mailto:)[^\s<>]+", made.text)
    return {one.removeprefix("mailto:") for one in found} | set(re.findall(r"\bhelp@riverside\.example", made.text))


@pytest.mark.parametrize("person", [PERSON, {"first_name": "", "ward": "South"}, {"first_name": "Ü & <b>"}])
def test_text_and_html_hold_the_same_links(desk: Desk, person: dict[str, str]) -> None:
    made = desk.copy(EVERYTHING, person)
    assert links_of_text(made) == links_of_html(made)
    assert len(links_of_text(made)) >= 9


def test_each_block_has_its_plain_form(desk: Desk) -> None:
    text = desk.copy(EVERYTHING, PERSON).text
    for part in (
        "The main thing\n==============\n",
        "A list\n------\n",
        "• harassment\n• alarm, with a link <https://riverside.example/alarm>\n  • nested\n",
        "1. first\n2. second\n",
        "> A quotation.\n",
        "Day       Place\n--------  ---",
        "Book a place: https://riverside.example/book?x=%C3%BC\n",
        "Answer us: https://news.riverside.example/r/abc\nor just reply to this e-mail\n",
        "| Take care\n\n| Do not open it. See the advice <https://riverside.example/advice>.\n",
        "A card\n------\n\nWords of the card.\n\nhttps://riverside.example/card\n",
        "Left words.\n\nRight words.\n",
    ):
        assert part in text, part


def test_the_footer_says_why_how_to_leave_and_from_where(desk: Desk) -> None:
    text = desk.copy("Words.\n").text
    end = text[text.rindex("-" * 40) :]
    assert "You asked for news from Riverside Council." in end
    assert "Unsubscribe: https://news.riverside.example/u/abc" in end
    assert "View in browser: https://news.riverside.example/v/abc" in end
    assert end.endswith("Riverside Council\n1 Quay Street, Riverside\n")


def test_no_line_is_longer_than_72_but_for_an_address(desk: Desk) -> None:
    for line in desk.copy(EVERYTHING * 2, PERSON).text.split("\n"):
        assert len(line) <= 72 or "://" in line or "mailto:" in line


def test_a_writer_can_give_the_text_and_the_footer_stays(desk: Desk) -> None:
    more = 'text: Short version for {{ first_name or "you" }}. https://riverside.example/short?n={{ first_name }}\n'
    made = desk.copy(
        "# News\n\nLong version, [more of it](https://riverside.example/long).\n", {"first_name": "A b"}, more=more
    )
    assert made.text.startswith("Short version for A b. https://riverside.example/short?n=A%20b\n")
    assert "Long version" not in made.text
    assert "Unsubscribe: " in made.text
    assert "https://riverside.example/long" in made.text, "the HTML's links are all there"


def test_the_text_of_the_test_copy_says_so(desk: Desk) -> None:
    made = desk.copy("Words.\n", mode=Mode.TEST)
    assert made.subject == "[TEST] News" and made.text.startswith("This is a test copy.")
    assert "This is a test copy." in made.html


def test_a_picture_is_its_description(desk: Desk) -> None:
    from PIL import Image

    folder = desk.write("![A map of the quay](images/map.png)\n")
    (folder / "images").mkdir()
    Image.new("RGB", (10, 10)).save(folder / "images" / "map.png")
    assert "[Picture: A map of the quay]" in desk.copy("![A map of the quay](images/map.png)\n").text


def test_a_wide_table_becomes_lines(desk: Desk) -> None:
    long = "a rather long cell that goes on and on and on"
    text = desk.copy(f"| First column | Second column |\n|---|---|\n| {long} | {long} |\n").text
    assert f"First column: {long}\nSecond column: {long}\n" in text


# -- wrapping


@given(st.text(max_size=400))
def test_wrapping_loses_no_letter(text: str) -> None:
    assert re.sub(r"[ \t\n\r\f\v]", "", wrap(text)) == re.sub(r"[ \t\n\r\f\v]", "", text)


@given(
    st.lists(st.text(st.characters(codec="utf-8", categories=["L", "M", "N"]), min_size=1, max_size=12), max_size=60)
)
def test_every_line_fits(words: list[str]) -> None:
    for line in wrap(" ".join(words)).split("\n"):
        assert width(line) <= 72


def test_an_address_is_never_broken() -> None:
    address = "https://riverside.example/" + "a" * 200
    assert address in wrap(f"See {address} for more").split("\n")


def test_scripts_without_blanks_are_broken_between_letters() -> None:
    lines = wrap("文" * 100 + "。").split("\n")
    assert [width(line) for line in lines] == [72, 72, 58] or all(width(line) <= 72 for line in lines)
    assert not any(line.startswith("。") for line in lines)
