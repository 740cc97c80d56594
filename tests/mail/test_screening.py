"""The built-in English list finds what people in need write, and leaves alone what only sounds like it."""

from __future__ import annotations

import time
import tomllib
from pathlib import Path

import pytest

from newsletter.mail import screening

SENTENCES = tomllib.loads((Path(__file__).parent / "look_first_sentences.toml").read_text(encoding="utf-8"))


def counted(half: str) -> tuple[list[str], list[str], int, int]:
    """What was missed and what rang for nothing, and how many there were of both kinds."""
    serious = [text for group, texts in SENTENCES[half].items() if group != "harmless" for text in texts]
    harmless = SENTENCES[half]["harmless"]
    missed = [text for text in serious if not screening.look(text)]
    false = [text for text in harmless if screening.look(text)]
    return missed, false, len(serious), len(harmless)


@pytest.mark.parametrize(
    ("half", "recall", "precision"), [("first", 1.0, 1.0), ("second", 0.95, 0.95), ("third", 0.7, 0.9)]
)
def test_the_list_finds_need_and_passes_over_idioms(half: str, recall: float, precision: float) -> None:
    missed, false, serious, harmless = counted(half)
    found = serious - len(missed)
    print(
        f"{half}: recall {found}/{serious} = {found / serious:.1%}, precision {found}/{found + len(false)} = "
        f"{found / (found + len(false)):.1%}, {harmless - len(false)}/{harmless} harmless left alone"
    )
    print("missed:", missed, "rang for nothing:", false)
    assert found / serious >= recall, missed
    assert found / (found + len(false)) >= precision, false


def test_there_are_more_than_eighty_sentences() -> None:
    assert sum(len(texts) for half in SENTENCES.values() for texts in half.values()) >= 80


def test_what_is_found_is_named_by_the_list_and_never_by_the_persons_words() -> None:
    [hit] = screening.look("My neighbour Bob Miller is going to kill us, he says.")
    assert hit.title == "Danger to life" and "Bob" not in hit.phrase


def test_a_harmless_phrase_does_not_hide_a_serious_one_beside_it() -> None:
    assert screening.look("My feet are killing me. And he is going to kill me tonight.")


def test_curly_apostrophes_capitals_and_line_breaks_change_nothing() -> None:
    assert screening.look("I CAN’T\ngo on")
    assert screening.look("i cant go on")


def test_a_phrase_does_not_reach_over_the_end_of_a_sentence() -> None:
    assert not screening.look("The weeds on the path we kill. Me and my wife come on Sunday.")
    assert not screening.look("We won the match against\n\nhim")


@pytest.mark.parametrize(
    "text",
    [
        "On bije mnie i dzieci każdego wieczoru",
        "Mijn man is boos en we zijn bang voor hem in huis",
        "Mon mari me frappe et on a peur de lui à la maison",
        "Boję się go, bije mnie i dzieci każdego wieczoru, proszę o pomoc",
        "Mae e'n fy mwrw i bob nos ac mae'r plant yn crio",
        "Er schlägt mich jeden Abend und ich weiß nicht wohin ich gehen soll",
        "وہ مجھے ہر رات مارتا ہے",
        "Помогите мне",
        "",
        "👍",
    ],
)
def test_other_languages_are_not_taken_for_english(text: str) -> None:
    assert not screening.english(text)


@pytest.mark.parametrize("text", ["Thank you!", "help me", "ok", "He hits me and I do not know what to do about it"])
def test_english_and_a_few_words_are(text: str) -> None:
    assert screening.english(text)


def test_a_hostile_text_takes_less_than_a_second() -> None:
    """The best of three, because other tests run beside it."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        screening.look("he hit he hit my … going to " * 40_000)
        times.append(time.perf_counter() - began)
    assert min(times) < 1.0, times
