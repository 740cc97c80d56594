"""Rules that cannot work are said with their line, before anybody relies on them."""

from __future__ import annotations

import pytest

from newsletter.problems import NewsletterError
from tests.workspace import Workspace

DUTY = '[replies]\nduty = "duty@council.example"\n'
GOOD = '[rules.x]\ntitle = "X"\nwords = ["knife"]\ntag = "x"\n'


def codes(folder: Workspace, more: str) -> list[tuple[str, int | None]]:
    from tests.workspace import TOML

    (folder.root / "newsletter.toml").write_text(TOML + more, encoding="utf-8")
    try:
        assert folder.config
    except NewsletterError as error:
        return [(one.code, one.where.line if one.where else None) for one in error.problems]
    return []


LINES = 26  # of newsletter.toml before what a test adds


@pytest.mark.parametrize("word", ["", " ", "*", "ki*", "kn*fe", "… knife", "knife …", "!!", "a … … b"])
def test_a_word_that_cannot_be_looked_for(folder: Workspace, word: str) -> None:
    [(code, line)] = codes(folder, f'[rules.x]\ntitle = "X"\nwords = ["{word}"]\ntag = "x"\n')
    assert code == "bad-rule-words" and line is not None and line > 20


@pytest.mark.parametrize(
    "rule",
    [
        'title = "X"\ntag = "x"',  # would hold for everything
        'title = "X"\nwords = ["knife"]',  # does nothing
        'title = "X"\nwords = ["knife"]\nteam = "nobody"',
    ],
)
def test_a_rule_that_cannot_do_what_it_says(folder: Workspace, rule: str) -> None:
    [(code, line)] = codes(folder, f"[rules.x]\n{rule}\n")
    assert code == "bad-rule" and line is not None


@pytest.mark.parametrize("more", ["[replies]\nlook_first = true\n", GOOD + "look_first = true\n"])
def test_looking_first_needs_somebody_on_duty(folder: Workspace, more: str) -> None:
    assert [code for code, _ in codes(folder, more)] == ["nobody-on-duty"]


def test_duty_is_an_address(folder: Workspace) -> None:
    assert [code for code, _ in codes(folder, '[replies]\nduty = "Jo on the phone"\n')] == ["bad-value"]


@pytest.mark.parametrize("word", ["knife", "threaten* to … burn", "O'Brien*", "£5", "ნივთი", "a.b"])
def test_good_rules_pass(folder: Workspace, word: str) -> None:
    assert codes(folder, DUTY + f'[rules.x]\ntitle = "X"\nwords = ["{word}"]\nlook_first = true\n') == []
