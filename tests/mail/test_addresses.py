"""Addresses: what is taken, what is refused in words, and which two are the same person."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.addresses import canonical, domain_to_ascii, parse, unwrapped


def test_an_ordinary_address_keeps_its_spelling_and_has_one_canonical_form() -> None:
    address = parse("  Sam.Okafor@Staffordshire.Example ")
    assert address.typed == "Sam.Okafor@Staffordshire.Example"
    assert address.wire == "Sam.Okafor@staffordshire.example"
    assert address.canonical == "sam.okafor@staffordshire.example"
    assert not address.needs_smtputf8


def test_an_international_domain_is_written_in_ascii_on_the_wire() -> None:
    address = parse("info@münchen.example")
    assert address.wire == "info@xn--mnchen-3ya.example"
    assert not address.needs_smtputf8
    assert canonical("info@MÜNCHEN.example") == canonical("INFO@xn--mnchen-3ya.example")
    assert domain_to_ascii("例え.jp") == "xn--r8jz45g.jp"


def test_a_local_part_beyond_ascii_is_kept_and_says_what_it_needs() -> None:
    address = parse("jörg@example.org")
    assert (address.wire, address.needs_smtputf8) == ("jörg@example.org", True)
    # o + combining diaeresis and the ready letter are one person
    assert canonical("jo\u0308rg@example.org") == canonical("JÖRG@example.org")


def test_plus_tags_and_dots_tell_people_apart() -> None:
    assert canonical("ann+news@example.org") != canonical("ann@example.org")
    assert canonical("a.nn@example.org") != canonical("ann@example.org")


def test_this_computer_is_a_domain() -> None:
    assert parse("root@localhost").wire == "root@localhost"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "there is no address"),
        ("ann", "@-sign"),
        ("ann@@example.org", "more than one @"),
        ("ann@example.org, bob@example.org", "more than one @"),
        ("mailto:ann@example.org", "mailto"),
        ("Ann <ann@example.org>", "without name"),
        ("ann@example", "no dot"),
        ("ann@example..org", "periods"),
        ("an n@example.org", "SPACE"),
        ("ann@exam\u200bple.org", "invisible"),
        ("ann@example.org\r\nBcc: eve@example.org", "more than one @"),
        ("ann@nowhere.invalid", "reserved"),
        ('"an n"@example.org', "Quoting"),
        ("ann@[10.0.0.1]", "bracket"),
        ("x" * 65 + "@example.org", "too long"),
        ("x@" + "abc." * 80 + "org", "too long"),
    ],
)
def test_what_is_no_address_is_refused_in_words(typed: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(typed)


@pytest.mark.parametrize(
    "wrapped",
    [
        "reply+abc@x.example",
        "<reply+abc@x.example>",
        "prvs=0123456789=reply+abc@x.example",
        "btv1==039d8a7f6c9==reply+abc@x.example",
        "SRS0=HHH=TT=x.example=reply+abc@forwarder.example",
        "srs0+hhh=tt=x.example=reply+abc@forwarder.example",
        "SRS1=GGG=forwarder.example==HHH=TT=x.example=reply+abc@other.example",
        "SRS0=HHH=TT=x.example=prvs=0123456789=reply+abc@forwarder.example",
    ],
)
def test_what_gateways_and_forwarders_put_round_an_address_comes_off(wrapped: str) -> None:
    assert unwrapped(wrapped) == "reply+abc@x.example"


@given(st.text(max_size=80))
def test_any_text_is_an_address_or_a_refusal_and_never_holds_a_line_break(typed: str) -> None:
    try:
        address = parse(typed)
    except ValueError as error:
        assert str(error)
        return
    assert address.wire.count("@") == 1
    assert address.wire.isprintable() and " " not in address.wire
    assert address.domain.isascii()
    assert parse(address.wire).canonical == address.canonical


@given(st.emails())
def test_reading_the_wire_form_again_changes_nothing(typed: str) -> None:
    try:
        address = parse(typed)
    except ValueError:
        return  # quoted local parts and reserved names are legal and not wanted
    again = parse(address.wire)
    assert (again.wire, again.canonical) == (address.wire, address.canonical)
