"""A person's values come out right wherever they stand, or are refused; they are never markup."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import html

from newsletter.problems import NewsletterError
from newsletter.rendering import merge
from newsletter.rendering.model import Rendered
from tests.rendering.conftest import Desk, filled

BODY = """# News for {{ first_name or "you" }}

Hello {{ first_name or "neighbour" }}, see [your page](https://riverside.example/p?name={{ first_name }}&x=1).

::button[Look, {{ first_name }}]{href=https://riverside.example/b/{{ first_name }}}

![A picture for {{ first_name }}](images/p.png)
"""
ISOLATES = re.compile("[\u2066-\u2069]")


@pytest.fixture(scope="module")
def rendered(shared: Desk) -> Rendered:
    from PIL import Image

    folder = shared.root / "issues" / "2026-11-24-news" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 20), "navy").save(folder / "p.png")
    found = shared.render(BODY, subject="News for {{ first_name }}")
    assert not [problem for problem in found.problems if problem.severity == "error"]
    return found


def told(text: str) -> str:
    """Text as a reader sees it: white space as one blank, isolates not at all."""
    return " ".join(ISOLATES.sub("", text).split())


anything = st.text(min_size=1, max_size=80)


@settings(suppress_health_check=list(HealthCheck))
@given(anything)
@example('"><script>alert(1)</script>')
@example("O'Neill & Sons <b>")
@example("{{ first_name }}")
@example("&amp;&lt;")
@example("line\nbreak\r\nagain")
@example("علي")
@example("\u200fRTL\u200e mark")
@example("👩‍👩‍👧‍👦 family")
@example("\x00nul")
@example("\u202eevil")
@example("Zq00000000v0001qZ")
@example("x" * 10_000)
def test_any_value_comes_out_right_or_is_refused(rendered: Rendered, value: str) -> None:
    fields = {"first_name": value}
    variant = merge.variant(rendered, ())
    try:
        values = merge.fill(rendered, variant, fields, {})
    except NewsletterError as error:
        assert error.problems[0].code == "bad-value-for-slot"
        return
    subject, page, text = (merge.join(part, values) for part in (variant.subject, variant.html, variant.text))
    wanted = told(value)
    root = html.document_fromstring(page)
    name = wanted or "neighbour"
    assert f"Hello {name}," in told(root.text_content())
    assert f"Hello {name}," in told(text) or len(value) > 40
    assert "\n" not in subject and "\r" not in subject
    assert told(subject) == told(f"News for {wanted}")
    assert told(root.xpath("//img/@alt")[0]) == told(f"A picture for {wanted}")
    plain = html.document_fromstring(merge.join(variant.html, merge.fill(rendered, variant, {"first_name": "x"}, {})))
    count = lambda tree: sum(1 for _ in tree.iter() if _.tag not in ("bdi",))  # noqa: E731
    assert count(root) == count(plain), "a value made or broke an element"
    link = next(href for href in root.xpath("//a/@href") if "/p?" in href)
    assert told(unquote(link)) == told(f"https://riverside.example/p?name={wanted}&x=1")


def test_a_name_with_quotes_stays_inside_its_attribute(rendered: Rendered) -> None:
    page = filled(rendered, {"first_name": 'Al "Ace" <x>'}).html
    assert html.document_fromstring(page).xpath("//img/@alt") == ['A picture for Al "Ace" <x>']


def test_an_empty_value_gives_the_fallback_or_nothing(desk: Desk) -> None:
    made = desk.copy('Hello {{ first_name or "neighbour" }}{{ last_name }}.\n', {"first_name": "  ", "last_name": ""})
    assert "Hello neighbour." in made.html and "Hello neighbour." in made.text


def test_a_value_of_ten_thousand_letters_is_whole_in_the_body_and_refused_in_the_subject(desk: Desk) -> None:
    long = "x" * 10_000
    assert long in desk.copy("{{ first_name }}\n", {"first_name": long}).html
    with pytest.raises(NewsletterError, match="10,000 letters"):
        desk.copy("Words.\n", {"first_name": long}, subject="News {{ first_name }}")


@pytest.mark.parametrize(
    "value", ["a\x00b", "a\x1bb", "a\x7fb", "a\x85b"[:1] + "\x9b", "a\ufffeb", "a\ud800b", "\u202eevil", "a\u2069"]
)
def test_what_nobody_could_see_is_refused(desk: Desk, value: str) -> None:
    with pytest.raises(NewsletterError) as caught:
        desk.copy("Hello {{ first_name }}\n", {"first_name": value})
    assert caught.value.problems[0].code == "bad-value-for-slot"


def test_balanced_direction_marks_are_text(desk: Desk) -> None:
    assert "\u2067علي\u2069" in desk.copy("Hello {{ first_name }}\n", {"first_name": "\u2067علي\u2069"}).html


def test_a_right_to_left_name_is_isolated_in_a_left_to_right_mail(desk: Desk) -> None:
    made = desk.copy("Hello {{ first_name }}, welcome.\n", {"first_name": "علي"}, subject="For {{ first_name }}")
    assert "Hello <bdi>علي</bdi>, welcome." in made.html
    assert "Hello \u2068علي\u2069, welcome." in made.text
    assert made.subject == "For \u2068علي\u2069"


def test_a_latin_name_and_a_number_are_isolated_in_a_right_to_left_mail(desk: Desk) -> None:
    body = "مرحبا {{ first_name }}، اتصل على +44 1785 232 385 أو 101.\n"
    made = desk.copy(body, {"first_name": "Sam"}, more="language: ar\n")
    assert "<bdi>Sam</bdi>" in made.html and "\u2068Sam\u2069" in made.text
    assert '<span dir="ltr">+44 1785 232 385</span>' in made.html
    assert "\u2068+44\xa01785\xa0232\xa0385\u2069" in made.text


def test_a_bracket_after_a_latin_name_stays_on_its_side_in_a_right_to_left_mail(desk: Desk) -> None:
    made = desk.copy("اتصل بـ Sam Okafor (R&D, Safety Officer) اليوم، أو زر Stafford Library.\n", more="language: ar\n")
    assert '<span dir="ltr">Sam Okafor (R&amp;D, Safety Officer)</span>' in made.html
    assert "Sam Okafor (R&D, Safety Officer)\u200e" in made.text
    assert '<span dir="ltr">Stafford' not in made.html, "plain names are in order by themselves"


def test_a_latin_name_needs_no_isolation_in_an_english_mail(desk: Desk) -> None:
    assert "Hello Sam," in desk.copy("Hello {{ first_name }},\n", {"first_name": "Sam"}).html


@pytest.mark.parametrize(
    ("language", "shown"),
    [("en-GB", "8 December 2026"), ("cy", "8 Rhagfyr 2026"), ("ar", "8 ديسمبر 2026"), ("ur", "8 دسمبر 2026")],
)
def test_dates_are_written_in_the_language_of_the_mail(desk: Desk, language: str, shown: str) -> None:
    made = desk.copy("{{ meeting | date }}\n", {"meeting": "2026-12-08"}, more=f"language: {language}\n")
    assert shown in re.sub("<.?bdi>", "", made.html)


def test_numbers_are_grouped(desk: Desk) -> None:
    assert "12,345" in desk.copy("{{ visits | number }}\n", {"visits": "12345"}).text


@pytest.mark.parametrize(("text", "why"), [("{{ meeting | date }}", "no date"), ("{{ visits | number }}", "no number")])
def test_a_value_that_a_filter_cannot_read_is_refused(desk: Desk, text: str, why: str) -> None:
    with pytest.raises(NewsletterError, match=why):
        desk.copy(f"{text}\n", {"meeting": "soon", "visits": "many"})


def test_a_whole_address_of_a_person_must_have_a_known_scheme(desk: Desk) -> None:
    body = "[your page]({{ page }})\n"
    assert 'href="https://e.example/?a=1&amp;b=2"' in desk.copy(body, {"page": "https://e.example/?a=1&b=2"}).html
    for bad in ("javascript:alert(1)", "data:text/html,x", "//e.example", "nonsense"):
        with pytest.raises(NewsletterError, match="no address"):
            desk.copy(body, {"page": bad})


def test_each_marker_in_a_value_is_only_text(desk: Desk) -> None:
    """Values are joined after splitting: a token typed by a person is never looked at again."""
    rendered = desk.render("Hello {{ first_name }} {{ last_name }}\n")
    nonce = desk.issue("Hello {{ first_name }} {{ last_name }}\n").nonce
    made = filled(rendered, {"first_name": f"Zq{nonce}v0001qZ", "last_name": "Khan"})
    assert f"Hello Zq{nonce}v0001qZ Khan" in made.html
