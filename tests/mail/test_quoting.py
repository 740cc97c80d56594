"""The new words of a reply: what the person wrote, and never less than that."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.html_text import to_text
from newsletter.mail.quoting import Policy, new_words

WORDS = "Thank you, I will be there.\nIs it free?"
QUOTED = "> Dear Ann,\n>\n> The meeting is on Tuesday.\n> -- \n> Sam"

INTRODUCTIONS = [
    "On Tue, 24 Nov 2026 at 10:02, Staffordshire Commissioner <news@staffordshire.example> wrote:",
    "On Tue, 24 Nov 2026 at 10:02, Staffordshire Commissioner\n<news@staffordshire.example> wrote:",
    "On 24 Nov 2026, at 10:02, Staffordshire Commissioner <\nnews@staffordshire.example> wrote:",
    "Ar Maw, 24 Tach 2026 am 10:02, ysgrifennodd Comisiynydd <news@staffordshire.example>:",
    "Am 24.11.2026 um 10:02 schrieb Staffordshire Commissioner <news@staffordshire.example>:",
    "Le mar. 24 nov. 2026 à 10:02, Commissioner <news@staffordshire.example> a écrit :",
    "El mar, 24 nov 2026 a las 10:02, Commissioner (<news@staffordshire.example>) escribió:",
    "Il giorno mar 24 nov 2026 alle ore 10:02 Commissioner <news@staffordshire.example> ha scritto:",
    "W dniu 24.11.2026 o 10:02, Commissioner pisze: napisał:",
    "wt., 24 lis 2026 o 10:02 Commissioner <news@staffordshire.example> napisał(a):",
    "Op di 24 nov 2026 om 10:02 schreef Commissioner <news@staffordshire.example>:",
    "вт, 24 нояб. 2026 г. в 10:02, Commissioner <news@staffordshire.example>:",
    "2026-11-24 10:02 GMT+00:00 Commissioner <news@staffordshire.example>:",
    "---- On Tue, 24 Nov 2026 10:02:00 +0000 Commissioner <news@staffordshire.example> wrote ----",
]


@pytest.mark.parametrize("introduction", INTRODUCTIONS)
def test_the_quoted_message_and_its_introduction_are_left_out(introduction: str) -> None:
    assert new_words(f"{WORDS}\n\n{introduction}\n\n{QUOTED}\n") == WORDS


@pytest.mark.parametrize("introduction", INTRODUCTIONS[:2])
def test_an_answer_below_the_quote_is_found(introduction: str) -> None:
    assert new_words(f"{introduction}\n{QUOTED}\n\n{WORDS}\n") == WORDS


BLOCKS = [
    "From: Commissioner <news@staffordshire.example>\nSent: 24 November 2026 10:02\nTo: Ann\nSubject: Is it you?",
    "________________________________\nFrom: Commissioner\nSent: 24 November 2026 10:02\nTo: Ann\nSubject: Is it you?",
    "*From:* Commissioner\n*Sent:* 24 November 2026\n*To:* Ann\n*Subject:* Is it you?",
    "-----Original Message-----\nFrom: Commissioner",
    "-------- Original message --------",
    "Von: Commissioner\nGesendet: Dienstag, 24. November 2026\nAn: Ann\nBetreff: Is it you?",
    "De : Commissioner\nEnvoyé : mardi 24 novembre 2026\nÀ : Ann\nObjet : Is it you?",
    "Oddi wrth: Comisiynydd\nAnfonwyd: 24 Tachwedd 2026\nAt: Ann\nPwnc: Is it you?",
    "Od: Commissioner\nWysłano: wtorek\nDo: Ann\nTemat: Is it you?",
    "من: المفوض\nإلى: آن\nالموضوع: سؤال",
]


@pytest.mark.parametrize("block", BLOCKS)
def test_what_outlook_puts_below_is_left_out(block: str) -> None:
    assert new_words(f"{WORDS}\n\n{block}\n\nDear Ann,\nThe meeting is on Tuesday.\n") == WORDS


@pytest.mark.parametrize(
    "signature",
    [
        "-- \nAnn Oakley\n01785 000000",
        "-Ann Oakley",
        "– Ann",
        "Sent from my iPhone",
        "Sent from Outlook for Android",
        "Get Outlook for iOS<https://aka.ms/o0ukef>",
        "Von meinem iPhone gesendet",
        "Envoyé de mon iPhone",
        "Anfonwyd o fy iPhone",
        "Wysłane z iPhone'a",
        "أرسلت من الآيفون",
    ],
)
def test_signatures_are_left_out(signature: str) -> None:
    assert new_words(f"{WORDS}\n\n{signature}\n") == WORDS
    assert new_words(f"{WORDS}\n\n{signature}\n\n{INTRODUCTIONS[0]}\n\n{QUOTED}\n") == WORDS


def test_answers_between_quoted_lines_are_kept_with_them() -> None:
    text = f"Hello\n\n{INTRODUCTIONS[0]}\n> Is it you?\n\nYes.\n\n> When?\n\nOn Monday.\n"
    wanted = "Hello\n\n> Is it you?\n\nYes.\n\n> When?\n\nOn Monday."
    assert new_words(text) == wanted
    assert new_words(f"{text}\n> No answer\n> stands here.\n>\n") == wanted


def test_a_message_sent_on_is_part_of_what_the_person_says() -> None:
    text = "Is this from you?\n\n------ Forwarded message ------\nFrom: x@y.example\nDate: today\nSubject: Pay\n\nClick"
    assert new_words(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "On Monday he wrote: leave me alone.\nI kept the letter.",
        "From: my window I see them every night.\nIt does not end.",
        "He said he has my address and wrote:\nI know where you live.",
        "Please call 01785 000000 at 5:30.\n\nOn 12 June 2026 they came again.",
        "I asked the landlord:\nno answer.",
        "To: be honest\nI am afraid",
        "Sent from my desk, this is much easier than on my telephone.",
    ],
)
def test_a_persons_own_words_are_never_cut(text: str) -> None:
    assert new_words(text) == text


@pytest.mark.parametrize(
    "text", [QUOTED, INTRODUCTIONS[0], "Sent from my iPhone", "-- \nAnn", "-----Original Message-----\nold"]
)
def test_when_nothing_would_be_left_everything_is_shown(text: str) -> None:
    assert new_words(text).strip() and set(new_words(text).split()) <= set(text.split())


def test_an_html_reply_is_cut_like_a_plain_one() -> None:
    gmail = (
        '<div dir="ltr">Yes please</div><br><div class="gmail_quote"><div>On Tue, 24 Nov 2026 at 10:02, '
        "X &lt;x@y.example&gt; wrote:<br></div><blockquote>Old</blockquote></div>"
    )
    outlook = '<p>Yes please</p><div id="divRplyFwdMsg"><b>From:</b> X<br><b>Sent:</b> today<br></div><div>Old</div>'
    assert new_words(to_text(gmail)) == new_words(to_text(outlook)) == "Yes please"


lines = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            *INTRODUCTIONS,
            *BLOCKS,
            QUOTED,
            "--",
            "Sent from my iPhone",
            "",
            ">",
            "> > x",
            "_____",
            "Yes.",
            "\r",
            "\u2028",
        ]
    ),
)


@given(st.lists(lines, max_size=12).map("\n".join))
def test_any_text_gives_words_that_stand_in_it(text: str) -> None:
    found = new_words(text)
    assert found or not text.strip()
    assert set(found.split()) <= set(text.split()) | {part.lstrip(">") for part in text.split()}


@pytest.mark.parametrize(
    "text",
    [
        "On 1.1.2020 wrote\n" * 9000,
        "From: x\n" * 20000,
        "a@b.co 2020 \n" * 9000,
        "x\n>y\n" * 20000,
        "> " * 200_000,
        "x\nsent from " + "a " * 54,
    ],
)
def test_long_and_odd_texts_are_read_in_moments(text: str) -> None:
    began = time.process_time()
    new_words(text)
    assert time.process_time() - began < 6  # once it was quadratic, and took 77 s


ODD = [
    "-",
    "_",
    "*",
    ">",
    "|",
    ":",
    "@",
    "<",
    ".",
    " ",
    "\t",
    "1",
    "2026",
    "10:02",
    "wrote",
    "On ",
    "From: ",
    "a@b.co",
    "會",
]


@pytest.mark.parametrize("seed", range(40))
def test_no_line_however_long_or_odd_takes_long(seed: int) -> None:
    """Every pattern meets long runs of what it looks for; none may try again from each place."""
    pick = random.Random(seed)
    unit = "".join(pick.choice(ODD) for _ in range(pick.randrange(1, 6)))
    line = (unit * 200_000)[: pick.choice((499, 5_000, 200_000))]
    text = "\n".join([line] * (1 + 200_000 // len(line)))
    began = time.process_time()
    new_words(f"Hello\n{text}", sent=f"{unit} " * 2_000)
    assert time.process_time() - began < 6


def test_signatures_stay_where_the_policy_says_so() -> None:
    text = f"{WORDS}\n\n-- \nAnn\n\nSent from my iPhone\n\n{INTRODUCTIONS[0]}\n{QUOTED}"
    assert new_words(text) == WORDS
    assert new_words(text, policy=Policy(signatures=False)) == f"{WORDS}\n\n--\nAnn\n\nSent from my iPhone"
    assert new_words(text, policy="strip quotes, keep signature") == new_words(text, policy=Policy(signatures=False))


def test_a_question_below_a_rule_is_no_signature() -> None:
    text = "The lamp is broken.\n--\nMy second point: when does the library open?"
    assert new_words(text) == text


@pytest.mark.parametrize(
    "said",
    [
        "Hallo\n\nVon mir aus gerne.",
        "I wrote.\nSent by post last week.\nPlease reply.",
        "I complained.\n\nSent from the heart, I hope.\n\nWhat happens now?\nPlease tell me.",
        "나의 집 앞에 쓰레기가 있습니다.",
    ],
)
def test_sentences_that_start_like_a_phone_stay(said: str) -> None:
    found = new_words(said)
    assert all(line in found for line in said.split("\n") if not line.startswith("Sent from"))


GMAIL = '<div class="gmail_quote">'
OLD = "<blockquote>Old</blockquote></div>"
BOXES = {
    "Gmail": f'<div>Yes</div>{GMAIL}<div class="gmail_attr">INTRO</div>{OLD}',
    "Gmail before 2020": f'<div>Yes</div><div class="gmail_extra">{GMAIL}INTRO<br>{OLD}</div>',
    "Thunderbird": '<p>Yes</p><div class="moz-cite-prefix">INTRO<br></div><blockquote type="cite">Old</blockquote>',
    "Outlook on the web": '<p>Yes</p><div id="appendonsend"></div><div id="divRplyFwdMsg">INTRO</div><p>Old</p>',
    "Outlook, through Exchange": '<div>Yes</div><div id="x_divRplyFwdMsg">INTRO</div><div>Old</div>',
    "Outlook on a Mac": '<div>Yes</div><span id="OLK_SRC_BODY_SECTION"><div>INTRO</div><div>Old</div></span>',
    "Yahoo": '<p>Yes</p><div id="yahoo_quoted_1" class="yahoo_quoted"><div>INTRO</div><div>Old</div><p>more</p></div>',
    "Proton": f'<div>Yes</div><div class="protonmail_quote">INTRO<br>{OLD}',
    "Apple": "<div>Yes<br><blockquote type=cite><div>INTRO</div>Old</blockquote></div>",
    "Zoho": f'<div>Yes</div><div class="zmail_extra">INTRO{OLD}',
}


@pytest.mark.parametrize("program", BOXES)
def test_the_boxes_of_programs_need_no_language(program: str) -> None:
    html = BOXES[program].replace("INTRO", "Vqaa zu tigra maq Foo blih")
    assert new_words(to_text(html)) == "Yes"


def test_answers_between_the_boxes_are_kept() -> None:
    html = (
        '<div>See below</div><div class="gmail_quote"><div class="gmail_attr">On 1 May 2026 10:00 X wrote:</div>'
        "<blockquote>When?</blockquote><div>At noon</div><blockquote>Where?</blockquote><div>At home</div></div>"
    )
    found = new_words(to_text(html))
    assert all(words in found for words in ("See below", "When?", "At noon", "Where?", "At home"))


def test_what_is_sent_on_in_a_box_is_kept() -> None:
    html = f'<div>Is it you?</div>{GMAIL}<div class="gmail_attr">---------- Forwarded message ---------<br>'
    assert "Pay us" in new_words(to_text(f"{html}From: X</div>Pay us</div>"))
