"""What we sent is found again in a reply: in any language, wrapped anew, turned from HTML, marked or not, in part."""

from __future__ import annotations

import re
import textwrap
import time

import pytest

from newsletter.mail import quoting_known
from newsletter.mail.quoting import new_words

WORDS = "Thank you, I will be there.\nIs it free?"
ENGLISH = """Dear Ameera,

The next meeting about safety in our streets is held in the Town Hall on Tuesday, and everybody is welcome to come.

We want to hear what worries you most. Do you feel safe when you walk home in the evening?

- Broken street lights can be reported on our pages <https://council.example/lights/report?form=12345678901234567890>.
- The youth club opens again next week, in the old library by the bridge.

----------

You get this message because you asked for news about your area. Leave at any time: https://council.example/u/abc
"""
WELSH = """Annwyl Ameera,

Cynhelir y cyfarfod nesaf am ddiogelwch ein strydoedd yn Neuadd y Dref ddydd Mawrth, ac mae croeso i bawb.

Hoffem glywed beth sydd yn eich poeni fwyaf. A ydych yn teimlo yn ddiogel wrth gerdded adref gyda'r nos?
"""
URDU = """محترم امیرہ،

ہماری گلیوں کی حفاظت کے بارے میں اگلا اجلاس منگل کو ٹاؤن ہال میں ہوگا اور سب کو آنے کی دعوت ہے۔

ہم سننا چاہتے ہیں کہ آپ کو سب سے زیادہ کیا پریشان کرتا ہے۔ کیا آپ شام کو گھر جاتے ہوئے محفوظ محسوس کرتی ہیں؟
"""
CHINESE = """亲爱的居民：

下一次关于我们街道安全的会议将于星期二在市政厅举行，欢迎大家参加。我们想听听您最担心的是什么。
您晚上步行回家时感到安全吗？请回复这封信，我们会在三天之内答复您。
"""
# Introductions in languages that no list of ours knows, and none at all.
INTRODUCTIONS = [
    "",
    "Qaanx zu 24 Mit 2026 10:02 Council <news@council.example> blih:\n\n",
    "Qaanx zu 24 Mit 2026 10:02 Council\n<news@council.example> blih:\n\n",
    "===== Zoq blih =====\nAbq: Council <news@council.example>\nDeq: 24 Mit 2026 10:02\nGhq: Ann\n\n",
]


def wrapped(text: str, width: int, mark: str = "") -> str:
    lines = [part for line in text.split("\n") for part in (textwrap.wrap(line, width) or [""])]
    return "\n".join(f"{mark}{line}".rstrip() for line in lines)


FORMS = {
    "as it was": lambda text: text,
    "marked": lambda text: "\n".join(f"> {line}" for line in text.split("\n")),
    "wrapped anew": lambda text: wrapped(text, 50),
    "wrapped and marked": lambda text: wrapped(text, 40, "> "),
    "marked, then wrapped": lambda text: wrapped(wrapped(text, 70, "> "), 50),
    "on one line": lambda text: " ".join(text.split()),
    "its first half": lambda text: text[: text.find("\n", len(text) // 2)],
    "its last half": lambda text: text[text.find("\n", len(text) // 3) :],
    "links rewritten": lambda text: re.sub(r"https?://[^\s>]+", "https://filter.example/?url=abc%2Fdef&data=05", text),
    "marked up": lambda text: text.replace("Tuesday", "*Tuesday*").replace("welcome", "_welcome_"),
    "soft hyphens": lambda text: text.replace("meeting", "mee\u00adting"),
}


@pytest.mark.parametrize("introduction", INTRODUCTIONS, ids=["none", "one line", "two lines", "a block"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("sent", [ENGLISH, WELSH, URDU], ids=["English", "Welsh", "Urdu"])
def test_what_we_sent_is_left_out(sent: str, form: str, introduction: str) -> None:
    assert new_words(f"{WORDS}\n\n{introduction}{FORMS[form](sent)}\n", sent) == WORDS


@pytest.mark.parametrize("form", ["as it was", "marked", "its first half"])
def test_it_is_found_where_no_blanks_stand_between_words(form: str) -> None:
    assert new_words(f"谢谢，我会来的。\n\n{FORMS[form](CHINESE)}", CHINESE) == "谢谢，我会来的。"


def test_words_below_an_unmarked_quote_are_kept() -> None:
    assert new_words(f"{ENGLISH}\n\n{WORDS}", ENGLISH) == WORDS


def test_a_few_words_changed_on_the_way_are_still_ours() -> None:
    changed = ENGLISH.replace("everybody is welcome", "everyb?dy is welcome").replace("old library", "old l?brary")
    assert new_words(f"{WORDS}\n\n{changed}", ENGLISH) == WORDS


@pytest.mark.parametrize("answer", ["No, never at night.", "No", "Yes!\nEvery evening.", "No lamp works in Mill Lane"])
@pytest.mark.parametrize("top", ["", "My answers are below.\n\n"])
@pytest.mark.parametrize(
    "introduction",
    [*INTRODUCTIONS, "-----Original Message-----\nFrom: Council\nSent: 24 November 2026\nTo: Ann\nSubject: Safe?\n\n"],
)
def test_answers_between_our_lines_are_never_lost(answer: str, top: str, introduction: str) -> None:
    """Outlook marks nothing: who answers there, in red, answers between lines that look like everybody's."""
    lines = wrapped(ENGLISH, 70).split("\n")
    for at in range(1, len(lines) - 1):
        reply = "\n".join([*lines[:at], *answer.split("\n"), *lines[at:]])
        found = new_words(f"{top}{introduction}{reply}", ENGLISH)
        assert all(line in found for line in f"{top}{answer}".split("\n")), (at, found)


def test_an_answer_at_the_end_of_our_line_is_never_lost() -> None:
    reply = ENGLISH.replace("in the evening?", "in the evening? NO, NEVER")
    assert "NO, NEVER" in new_words(f"See below\n\n{reply}", ENGLISH)


def test_a_line_of_ours_that_they_repeat_stays_theirs() -> None:
    """A title or an address is not a quote: without it the question has no meaning."""
    text = "Will you come to this one?\n\nthe Town Hall on Tuesday, and everybody is welcome"
    assert new_words(text, ENGLISH) == text


def test_their_own_sentences_with_our_words_in_them_stay() -> None:
    text = "You say everybody is welcome to come. I came on Tuesday; nobody was in the Town Hall.\nWhat worries me?"
    assert new_words(text, ENGLISH) == text


def test_nothing_of_theirs_is_an_empty_answer_and_shows_everything() -> None:
    assert new_words(ENGLISH, ENGLISH) == ENGLISH.strip()


def test_several_originals_may_be_answered() -> None:
    answer = "We have asked the lighting team to look at every lamp in Mill Lane before the end of this week for you."
    reply = f"{WORDS}\n\n{answer}\n\n{wrapped(ENGLISH, 60)}"
    assert new_words(reply, (ENGLISH, answer)) == WORDS


@pytest.mark.parametrize(
    "reply",
    [
        "the meeting " * 40_000,
        ENGLISH * 300,
        "\n".join(ENGLISH.split()) * 60,
        "<https://" * 60_000,
        "https://council.example/" + "a" * 400_000,
        "[image: " * 60_000,
        "会" * 300_000,
        "x\n" * 200_000,
    ],
    ids=["few words", "often", "a word a line", "broken links", "one link", "pictures", "no blanks", "lines"],
)
def test_hostile_replies_are_read_in_moments(reply: str) -> None:
    began = time.process_time()
    new_words(reply, (ENGLISH, "the meeting " * 20_000))
    assert time.process_time() - began < 4


def test_our_own_text_is_looked_at_once() -> None:
    before = quoting_known._index.cache_info().misses
    for number in range(5):
        new_words(f"Reply {number}\n\n{WELSH}", WELSH + "once")
    assert quoting_known._index.cache_info().misses == before + 1
