"""The words of an answer: without the copy that this very person was sent, and without our own answers."""

from __future__ import annotations

from dataclasses import replace

from newsletter.content.model import Slot
from newsletter.mail.incoming import Incoming
from newsletter.rendering.model import Context, Hole, Rendered
from newsletter.replies import words
from newsletter.sending import copies, mailings
from newsletter.sending.models import Delivery, Notice
from tests.sending.made import NORTH, a_rendered, an_issue, only_north
from tests.workspace import Workspace

LETTER = (
    "Hello ",
    Hole(0, Context.PLAIN),
    ",\n\nour next meeting is in the Town Hall, and everybody near the bridge is welcome to come and talk.\n\n",
)
MORE = "In the north the bins are emptied on Friday from now on, so please put them out on Thursday evening.\n\n"


def letter(language: str = "en-GB") -> Rendered:
    return replace(
        a_rendered(conditions=(NORTH,), language=language),
        text=(*LETTER, *only_north(MORE), "Leave: ", Hole(1, Context.PLAIN_URL), "\n"),
    )


def sent_to(workspace: Workspace, **facts: object) -> Delivery:
    workspace.people("sam@home.example", **facts)
    mailings.approve(workspace.config, {"": letter()}, an_issue())
    return Delivery.objects.get()


def reply(text: str, **more: object) -> Incoming:
    return Incoming(text=text, **more)  # type: ignore[arg-type]


def test_the_copy_of_this_person_is_left_out(workspace: Workspace) -> None:
    delivery = sent_to(workspace, first_name="Sam", attributes={"ward": "Stafford North"})
    plain, from_html, *_ = copies.texts(delivery)
    assert "Hello Sam," in plain and MORE.strip() in plain and "Line 7 of what everybody gets" in from_html
    found = words.of(reply(f"Thank you.\n\nQaanx 24 Mit 2026 10:02 X <x@y.example> blih:\n\n{plain}"), b"", delivery)
    assert found.new == "Thank you." and "bins" in found.full


def test_somebody_elses_block_is_not_known_to_be_ours(workspace: Workspace) -> None:
    delivery = sent_to(workspace, first_name="Sam", attributes={"ward": "South"})
    plain, *_ = copies.texts(delivery)
    assert MORE.strip() not in plain


def test_what_their_program_made_of_the_html_is_left_out_too(workspace: Workspace) -> None:
    delivery = sent_to(workspace, first_name="Sam")
    quoted = copies.texts(delivery)[1]
    assert words.of(reply(f"Yes.\n\n{quoted}"), b"", delivery).new == "Yes."


def test_descriptions_that_outlook_writes_for_pictures_are_left_out_too(workspace: Workspace) -> None:
    workspace.people("sam@home.example")
    picture = (
        '<p>Until then.</p><img src="cid:x" alt="A lamp by the bridge" width="600"><p>The very last line of it.</p>',
    )
    mailings.approve(workspace.config, {"": replace(letter(), html=a_rendered(more=picture).html)}, an_issue())
    delivery = Delivery.objects.get()
    quoted = "\n".join(copies.texts(delivery)[1].split("\n")[-30:])
    written = quoted.replace("Until then.", "Until then.\n\n[A lamp by the bridge]")
    assert written != quoted and words.of(reply(f"Yes.\n\n{written}"), b"", delivery).new == "Yes."


def test_an_answer_of_ours_that_is_answered_is_left_out(workspace: Workspace) -> None:
    ours = "We have asked the lighting team to look at every lamp in Mill Lane before the end of this week for you."
    Notice.objects.create(
        kind="answer",
        address="a@x.example",
        canonical="a@x.example",
        message_id="n1@x",
        data=f"Subject: x\n\n{ours}".encode(),
    )
    text = f"Still dark!\n\n{ours}\n"
    assert words.of(reply(text, in_reply_to=("n1@x",)), b"", None).new == "Still dark!"
    assert words.of(reply(text, in_reply_to=("other@x",)), b"", None).new == text.strip()


def test_a_frozen_issue_that_cannot_be_read_loses_no_reply(workspace: Workspace) -> None:
    from newsletter.sending.models import Mailing

    delivery = sent_to(workspace)
    for damaged in ({}, {"": {"format": 99}}, {"": []}, []):
        copies._renderings.cache_clear()
        copies._words_of_html.cache_clear()
        Mailing.objects.update(rendered=damaged)
        assert words.of(reply("Yes."), b"", delivery).new == "Yes."


def test_html_is_cleaned_when_it_comes_in(workspace: Workspace) -> None:
    html = '<p onclick="x()">Yes <img src="https://t.example/a.gif"></p>'
    found = words.of(reply("Yes", html=html), b"", None)
    assert found.html == '<p>Yes <span class="blocked-picture">[picture not loaded]</span></p>' and found.blocked == 1


def test_the_rendering_is_read_once_for_many_answers(workspace: Workspace) -> None:
    """200 KB of JSON for each of 10,000 answers in a day would be 2 GB."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    delivery = sent_to(workspace)
    copies._renderings.cache_clear()
    copies._words_of_html.cache_clear()
    with CaptureQueriesContext(connection) as asked:
        for _ in range(3):
            words.of(reply("Yes."), b"", Delivery.objects.get(pk=delivery.pk))
    assert sum('"rendered"' in query["sql"] for query in asked) == 1


def test_slots_without_values_show_their_fallback(workspace: Workspace) -> None:
    assert isinstance(letter().slots[0], Slot)
    assert "Hello neighbour," in copies.texts(sent_to(workspace))[0]
