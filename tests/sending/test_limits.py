"""How many days a mailing takes is said before it begins, in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from newsletter.config import Config, Relay, load
from newsletter.sending.limits import by_provider, days_needed
from newsletter.sending.providers import table
from tests.workspace import TOML

TODAY = date(2026, 11, 24)


def config(tmp_path: Path, **relays: dict[str, Any]) -> Config:
    (tmp_path / "newsletter.toml").write_text(TOML)
    made = load(tmp_path)
    its = {key: Relay(host=f"{key}.example", **facts) for key, facts in relays.items()}
    return replace(made, mail=replace(made.mail, transport="smtp"), relays=MappingProxyType(its))


def test_a_list_larger_than_the_day_is_told_with_its_days(tmp_path: Path) -> None:
    needed = days_needed(config(tmp_path, main={"day": 10_000}), 17_742, today=TODAY)
    assert (needed.days, needed.relay) == (2, "main")
    assert needed.words == "17,742 people; main takes 10,000 a day: it will take 2 days"


@pytest.mark.parametrize(("people", "days"), [(1, 1), (10_000, 1), (10_001, 2), (20_000, 2), (100_000, 10)])
def test_the_days_are_exact_at_their_edges(tmp_path: Path, people: int, days: int) -> None:
    assert days_needed(config(tmp_path, main={"day": 10_000}), people, today=TODAY).days == days


def test_without_limits_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert days_needed(config(tmp_path, main={}), 1_000_000, today=TODAY).words == ""
    assert days_needed(config(tmp_path, main={"day": 10}), 0, today=TODAY).words == ""


def test_the_catcher_has_no_days(tmp_path: Path) -> None:
    made = config(tmp_path, main={"day": 10})
    caught = replace(made, mail=replace(made.mail, transport="catcher"))
    assert days_needed(caught, 1000, today=TODAY).days == 1


def test_what_the_relay_took_today_counts(tmp_path: Path) -> None:
    made = config(tmp_path, main={"day": 10_000})
    assert days_needed(made, 10_000, used={"main": {"": 1, "google": 1}}, today=TODAY).days == 2


def test_relays_carry_together(tmp_path: Path) -> None:
    made = config(tmp_path, main={"day": 10_000}, spare={"day": 5_000})
    assert [days_needed(made, people, today=TODAY).days for people in (15_000, 15_001)] == [1, 2]


def test_a_rate_is_told_in_hours(tmp_path: Path) -> None:
    needed = days_needed(config(tmp_path, main={"rate": 0.5, "day": 10_000}), 9_000, today=TODAY)
    assert (needed.days, needed.words) == (1, "9,000 people; main takes 30 a minute: it will take 5 hours")
    assert days_needed(config(tmp_path, main={"rate": 14.0}), 9_000, today=TODAY).words == ""


def test_a_rate_alone_may_take_days(tmp_path: Path) -> None:
    needed = days_needed(config(tmp_path, main={"rate": 0.5}), 100_000, today=TODAY)
    assert (needed.days, needed.words) == (3, "100,000 people; main takes 30 a minute: it will take 3 days")


def test_a_warm_up_is_counted_for_each_provider(tmp_path: Path) -> None:
    made = config(tmp_path, main={"warm_up": "2026-11-24"})
    people = {"google": 1601, "yahoo": 40}  # 50 + 100 + 500 + 1,000 at Google
    needed = days_needed(made, people, today=TODAY)
    assert needed.days == 4
    assert needed.words == (
        "1,641 people; main is on day 1 of its warm-up, 50 to each provider today: it will take 4 days"
    )
    assert days_needed(made, people, used={"main": {"": 50, "google": 50}}, today=TODAY).days == 5


def test_a_limit_of_one_a_day_is_not_counted_for_ever(tmp_path: Path) -> None:
    needed = days_needed(config(tmp_path, main={"day": 1}), 10**6, today=TODAY)
    assert needed.words.endswith("it will take more than 400 days")


def test_domains_become_providers_without_asking_anybody() -> None:
    domains = {"gmail.com": 5, "GoogleMail.com": 1, "hotmail.co.uk": 2, "council.example": 7}
    assert by_provider(domains, table()) == {"google": 6, "outlook": 2, "default": 7}
