"""A plate gives the very bytes that building the mail anew gives, whatever the tokens and the person are."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.mail import headers, outgoing
from newsletter.mail.segments import value
from tests.mail.examples import COMMON, person

STAND_INS = ("zkq3x7m2wzkq3x7m2wzkq3x7m2wzkq3x", "ppw4d6a5cppw4d6a5cppw4d6a5cppw4d")
tokens = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=32, max_size=32)
printable = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=("Cs", "Cc")), max_size=90)
TO = "ann.oakley@example.org"


def links(first: str, second: str, before: str) -> tuple[str, str]:
    """Two values as an issue has them: an address, and a text with the token somewhere on its line."""
    return f"https://news.example/u/{first}", f"{before}{second} and more = so on {first}"


@given(tokens, tokens, printable, printable, st.text("abc =.", max_size=100))
@example("2" * 32, "2" * 32, "", "", ".")  # two soft breaks in one token
def test_another_token_and_another_person_make_the_same_bytes_as_building_anew(
    first: str, second: str, name: str, greeting: str, before: str
) -> None:
    text, html = ("Hello ", 0, "\n", 1, " or ", 2), ("<p>", 2, "</p>", 0, '<a href="', 1, '">')
    compiled = outgoing.compile(COMMON, ("News",), text, html)
    plate = compiled.plate((None, *links(*STAND_INS, before)), person(token=STAND_INS[0]), STAND_INS)
    assert plate is not None and plate.holes == (0,)
    to = headers.mailbox("To", name, TO).encode()
    made = plate.build(to, [value(greeting)], [first.encode(), second.encode()])
    assert made == compiled.build((greeting, *links(first, second, before)), person(name=name, token=first))


def test_the_holes_are_told_in_the_order_in_which_they_stand() -> None:
    compiled = outgoing.compile(COMMON, ("News",), ("Hello ", 2, 0), ("<p>", 0, 1, 2))
    plate = compiled.plate((None, None, None), person(), STAND_INS)
    assert plate is not None and plate.holes == (2, 0, 1)
    made = plate.build(headers.mailbox("To", "", TO).encode(), [value(x) for x in "cab"], [b"", b""])
    assert made == compiled.build(("a", "b", "c"), person(name=""))


def test_there_is_no_plate_where_more_than_joining_is_left_to_do() -> None:
    values_in_subject = outgoing.compile(COMMON, ("News for ", 0), ("Hello ", 0))
    assert values_in_subject.plate((None,), person(), STAND_INS) is None
    arabic = outgoing.compile(replace(COMMON, language="ar"), ("News",), ("مرحبا " * 50, 0))
    assert arabic.plate((None,), person(), STAND_INS) is None
