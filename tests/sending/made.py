"""An issue and its rendering made by hand, so that tests of sending say nothing about themes."""

from __future__ import annotations

from pathlib import Path

from newsletter.content.model import FrontMatter, Issue, Slot, SlotKind
from newsletter.rendering.model import Condition, Context, Hole, Mark, Mode, Piece, Rendered

SLOTS = (
    Slot(0, "first_name", fallback="neighbour"),
    Slot(1, "unsubscribe_url", SlotKind.SYSTEM),
    Slot(2, "reply_mailto", SlotKind.SYSTEM),
    Slot(3, "view_url", SlotKind.SYSTEM),
    Slot(4, "meeting", filters=("date",)),
    Slot(5, "why", SlotKind.SYSTEM),
)
FILLER = "".join(
    f"<p>Line {number} of what everybody gets, long enough to be cut anywhere.</p>\n" for number in range(60)
)


def an_issue(
    slug: str = "2026-11-24-test", audience: tuple[str, ...] = ("all-residents",), subject: str = "Is it you?"
) -> Issue:
    front = FrontMatter(subject=subject, sender="council", audience=audience)
    return Issue(
        slug=slug,
        folder=Path(slug),
        file="issue.md",
        source="",
        sha256="0" * 64,
        nonce="abcd1234",
        language="en-GB",
        front=front,
        nodes=(),
        slots=SLOTS,
    )


def a_rendered(
    slug: str = "2026-11-24-test",
    subject: tuple[Piece, ...] = ("Is it you?",),
    more: tuple[Piece, ...] = (),
    conditions: tuple[Condition, ...] = (),
    language: str = "en-GB",
    mode: Mode = Mode.SEND,
) -> Rendered:
    html: tuple[Piece, ...] = (
        "<html><body><p>Hello ",
        Hole(0, Context.HTML),
        f',</p>{FILLER}<a href="',
        Hole(1, Context.URL),
        '">Leave</a> <a href="',
        Hole(2, Context.URL),
        '">Reply</a> <a href="',
        Hole(3, Context.URL),
        '">View</a>',
        *more,
        "</body></html>",
    )
    return Rendered(
        slug=slug,
        language=language,
        direction="ltr",
        theme="by hand",
        mode=mode,
        title="Is it you?",
        preheader="",
        subject=subject,
        html=html,
        text=("Hello ", Hole(0, Context.PLAIN), ",\n\n", Hole(5, Context.PLAIN), "\n"),
        slots=SLOTS,
        conditions=conditions,
        assets=(),
        problems=(),
        checksum="c" * 64,
    )


NORTH = Condition((("ward", ("Stafford North",)),))


def only_north(words: str) -> tuple[Piece, ...]:
    return (Mark(0, True), f"<p>{words}</p>", Mark(0, False))
