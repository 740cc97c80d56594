"""Whatever people are called and whatever they wrote: an exact mail, or a clear refusal."""

from __future__ import annotations

from dataclasses import replace
from email.utils import parseaddr

from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.mail import outgoing
from newsletter.problems import NewsletterError
from tests.mail.examples import COMMON, person
from tests.mail.oracle import decoded, lines, read, with_email_message

anything = st.text(st.characters(exclude_categories=()), max_size=120)
nasty = st.one_of(
    anything,
    st.sampled_from(
        [
            "",
            ".",
            "\r\n.\r\n",
            "\r\n.\r\nMAIL FROM:<eve@example.org>\r\n",
            "x\r\nBcc: eve@example.org\r\n\r\n",
            "From here\nFrom there",
            "x" * 5000,
            " edge ",
            "=",
            "=?utf-8?b?QmNjOiBldmU=?=",
            "a\u2028b\x85c",
            "\u202eevil\u202c",
            "👩‍👩‍👧‍👦 family",
            "--=_a_",
        ]
    ),
)
EXPECTED = {
    "message-id date from to subject reply-to list-unsubscribe list-unsubscribe-post list-id precedence "
    "x-auto-response-suppress feedback-id content-language mime-version content-type"
}


@given(subject=nasty, name=nasty, sender=nasty, title=nasty, greeting=nasty, link=nasty, literal=nasty)
@example("S", "N", "F", "T", "\r", "\n", "a\r")
def test_any_text_in_any_field_is_an_exact_mail_or_a_refusal(
    subject: str, name: str, sender: str, title: str, greeting: str, link: str, literal: str
) -> None:
    text = ("Hello ", 0, ", ", 1, literal, 0)
    html = (literal, 1, "<p>", 0, "</p>")
    common = replace(COMMON, from_name=sender, list_title=title, reply_name=title)
    try:
        raw = outgoing.compile(common, ("S: ", 2), text, html).build((greeting, link, subject), person(name=name))
    except NewsletterError as error:
        assert error.problems[0].code in ("bad-header-value", "not-text")
        return
    mail = read(raw)
    assert set(mail.headers) == set(next(iter(EXPECTED)).split())
    assert mail.headers["subject"] == f"S: {subject}"
    assert box(raw, "To") == (name, "ann.oakley@example.org")
    assert box(raw, "From") == (sender, "sam.okafor@staffordshire.example")
    assert box(raw, "Reply-To")[0] == title
    assert mail.text == "Hello " + lines(greeting) + ", " + lines(link) + lines(literal) + lines(greeting)
    assert mail.html == lines(literal) + lines(link) + "<p>" + lines(greeting) + "</p>"
    assert b"\r\n." not in raw and max(map(len, raw.split(b"\r\n"))) <= 998


words = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=60).map(str.strip)


@given(name=words, body=st.text(st.characters(exclude_categories=("Cs",)), max_size=300))
def test_our_mail_says_what_emailmessage_says(name: str, body: str) -> None:
    # EmailMessage splits lines at U+2028, U+0085 and form feeds too, which is its own business and not the wire's.
    body = "\n".join(body.splitlines())
    ours = read(outgoing.compile(COMMON, ("Hello",), (0, "\n"), ("<p>", 0, "</p>\n")).build((body,), person(name=name)))
    theirs = read(with_email_message(COMMON, "Hello", f"{body}\n", f"<p>{body}</p>\n", person(name=name)))
    assert (ours.text, ours.html) == (theirs.text, theirs.html)
    assert set(ours.headers) == set(theirs.headers)


def box(raw: bytes, name: str) -> tuple[str, str]:
    head = raw.partition(b"\r\n\r\n")[0].decode().replace("\r\n ", " ")
    value = next(line.partition(": ")[2] for line in head.split("\r\n") if line.startswith(f"{name}: "))
    display, address = parseaddr(value)
    return (decoded(display) if "=?" in display else display), address
