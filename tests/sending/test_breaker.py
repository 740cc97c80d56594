"""A mailing pauses by itself when we are refused, when too many addresses are dead, or when people complain."""

from __future__ import annotations

import random

import pytest

from newsletter.sending.breaker import Breaker
from newsletter.sending.transports.outcome import Phase
from newsletter.sending.verdicts import Fault


def fed(breaker: Breaker, accepted: int, refused: int, *, mixed: bool = True) -> str:
    """The first words that so many answers bring out, refused addresses spread evenly."""
    every = max(1, (accepted + refused) // max(1, refused)) if mixed else 1
    left = {"accepted": accepted, "failed": refused}
    for number in range(accepted + refused):
        state = "failed" if left["failed"] and (number % every == every - 1 or not left["accepted"]) else "accepted"
        left[state] -= 1
        fault = Fault.PERSON if state == "failed" else Fault.NONE
        if words := breaker.saw(state, fault, Phase.RCPT, "address does not exist"):
            return words
    return ""


def test_a_wave_of_dead_addresses_pauses() -> None:
    words = fed(Breaker(2.0), 450, 50)
    assert "addresses were refused" in words and "more than 2 % says" in words
    assert words.endswith("The last one: address does not exist")


def test_a_few_dead_addresses_are_life() -> None:
    assert fed(Breaker(2.0), 9_850, 150) == ""


def test_before_fifty_answers_a_share_means_nothing() -> None:
    assert fed(Breaker(2.0), 20, 29) == ""


def test_all_of_the_first_fifty_refused_pauses_at_the_fiftieth() -> None:
    assert fed(Breaker(2.0), 0, 49) == ""
    assert fed(Breaker(2.0), 0, 50).startswith("50 of the first 50 addresses were refused, 100 %")


def test_bad_luck_with_a_good_list_does_not_pause() -> None:
    """One in a hundred dead, 200 lists: a pause that means nothing teaches people to resume without reading."""
    paused = 0
    for seed in range(200):
        chance, breaker = random.Random(seed), Breaker(2.0)
        states = ["failed" if chance.random() < 0.01 else "accepted" for _ in range(2_000)]
        paused += any(breaker.saw(state, Fault.PERSON, Phase.RCPT) for state in states)
    assert paused <= 10


def test_nought_never_pauses_for_dead_addresses() -> None:
    assert fed(Breaker(0.0), 0, 500) == ""


def test_who_resumed_is_asked_again_only_by_a_wave_twice_as_high() -> None:
    assert fed(Breaker(2.0, already_complained=True), 940, 40) == ""
    assert fed(Breaker(2.0, already_complained=True), 800, 100) != ""


def test_a_mail_that_could_not_be_built_is_no_dead_address() -> None:
    breaker = Breaker(2.0)
    assert not any(breaker.saw("failed", Fault.PERSON, Phase.BUILD) for _ in range(100))


def test_full_mailboxes_are_no_dead_addresses() -> None:
    breaker = Breaker(2.0)
    assert not any(breaker.saw("deferred", Fault.PERSON, Phase.RCPT) for _ in range(100))


def test_one_refusal_of_the_sender_pauses() -> None:
    words = Breaker(2.0).saw("deferred", Fault.SENDER, Phase.DOT, "550 5.7.26 Unauthenticated")
    assert words == "The mail server refuses us, not one person: 550 5.7.26 Unauthenticated"


def test_after_a_person_resumed_three_in_a_row_pause_again() -> None:
    breaker = Breaker(2.0, already_complained=True)
    said = [breaker.saw("deferred", Fault.SENDER, Phase.DOT) for _ in range(2)]
    breaker.saw("accepted", Fault.NONE, Phase.DOT)
    said += [breaker.saw("deferred", Fault.SENDER, Phase.DOT) for _ in range(2)]
    assert said == [""] * 4
    assert breaker.saw("deferred", Fault.SENDER, Phase.DOT) != ""


@pytest.mark.parametrize(("accepted", "people", "pauses"), [(100, 2, False), (10_000, 30, False), (900, 3, True)])
def test_people_who_call_it_spam(accepted: int, people: int, pauses: bool) -> None:
    breaker = Breaker(2.0)
    for _ in range(accepted):
        breaker.saw("accepted", Fault.NONE, Phase.DOT)
    assert bool(breaker.complained(people)) is pauses
