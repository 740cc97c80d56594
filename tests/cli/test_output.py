"""The command speaks plainly: carets stand under the right letters, and nothing but words reaches a terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.cli.output import Output, count, folded, visible
from newsletter.problems import Problem, Severity, Where


class Terminal:
    def isatty(self) -> bool:
        return True


def lines(problem: Problem) -> list[str]:
    return Output(Path()).problem(problem).splitlines()


def test_a_problem_says_what_where_and_what_to_do() -> None:
    where = Where("issue.md", 51, 4, 10, ":::calout{tone=info}")
    found = lines(Problem("unknown-block", "There is no block called ‘calout’", "did you mean callout?", where))
    assert found[0] == "✗ Must fix  There is no block called ‘calout’  [unknown-block]"
    assert found[1].strip() == "issue.md:51:4"
    assert found[2].strip() == "51  :::calout{tone=info}"
    assert found[3].endswith("^^^^^^ did you mean callout?")
    assert found[3].index("^") == found[2].index("calout")


@pytest.mark.parametrize(
    ("source", "column", "marked"),
    [("\tname", 2, "name"), ("السلام name", 8, "name"), ("日本 name", 4, "name"), ("e\u0301 name", 4, "name")],
)
def test_the_caret_counts_columns_not_letters(source: str, column: int, marked: str) -> None:
    found = lines(Problem("x-y", "m", "", Where("f", 1, column, column + len(marked), source)))
    from newsletter.cli.output import _columns

    before = found[2][: found[2].index(marked)]
    assert _columns(before) == found[3].index("^")
    assert found[3].count("^") == len(marked)


def test_a_very_long_line_is_cut_around_the_caret() -> None:
    source = "a" * 5000 + "HERE" + "b" * 5000
    found = lines(Problem("x-y", "m", "", Where("f", 1, 5001, 5005, source)))
    assert len(found[2]) < 130
    assert found[2].index("HERE") == found[3].index("^")


def test_a_place_beyond_the_end_of_its_line_still_prints() -> None:
    assert "^" in lines(Problem("x-y", "m", "h", Where("f", 1, 99, 120, "short")))[3]


def test_an_escape_sequence_in_a_subject_cannot_move_the_cursor() -> None:
    text = "\x1b[2J\x1b]0;owned\x07Hello\u202e\r\n"
    assert not any(letter in visible(text) for letter in "\x1b\x07\r\n\u202e")
    assert "\x1b" not in Output(Path()).problem(Problem("x-y", text, text, Where("f", 1, 1, 2, text)))


def test_the_severities_have_words_that_say_what_to_do() -> None:
    words = [lines(Problem("x-y", "m", severity=severity))[0] for severity in Severity]
    assert words == ["✗ Must fix  m  [x-y]", "! Worth a look  m  [x-y]", "· Note  m  [x-y]"]


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_stay_out_where_they_are_not_wanted(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout", Terminal())
    assert Output(Path()).fancy
    assert not Output(Path(), plain=True).fancy
    monkeypatch.setenv(name, value)
    assert not Output(Path()).fancy


def test_a_pipe_gets_no_colours() -> None:
    assert not Output(Path()).fancy


def test_the_code_is_dim_and_the_sign_coloured_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout", Terminal())
    text = Output(Path()).problem(Problem("unknown-block", "m", "h", Where("f", 1, 1, 2, "abc")))
    assert "\x1b[" in text and "╭─" in text
    assert "unknown-block" in click.unstyle(text)


@pytest.mark.parametrize("columns", [40, 60, 100, 120])
def test_a_problem_stays_inside_a_narrow_window(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr("sys.stdout", Terminal())
    where = Where("issue.md", 23, 66, 70, "See [our page](https://example.org/bins) and also, if you like, [here](/x).")
    hint = "Say where it goes: [how to apply for a review](…). People who listen hear links one by one."
    found = click.unstyle(Output(Path()).problem(Problem("x-y", "A link", hint, where))).splitlines()
    assert max(map(len, found)) <= columns
    assert found[2].index("here") == found[3].index("^")
    assert " ".join(line.strip("│ ^") for line in found[3:]).split() == hint.split()


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_every_line_for_people_breaks_between_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int
) -> None:
    monkeypatch.setattr(Output, "fancy", True)
    monkeypatch.setenv("COLUMNS", str(columns))
    output, words = Output(Path()), "Imported recipients/people.csv: 1,200 new, 34 updated and nobody was left out here"
    output.say(f"  {words}")
    output.done(words)
    output.failed(words)
    output.facts([("People", words)])
    output.say("✓ inbox 29 letters, no preview text   ✓ pictures   ! 3 links   ✓ accessibility   ✓ size")
    output.next("newsletter preview", "look at it as your readers will, on a phone and on a desk")
    said = capsys.readouterr().out.splitlines()
    assert max(map(len, said)) <= columns
    assert " ".join(said).split().count("recipients/people.csv:") == 4
    assert any("! 3 links" in line for line in said), "what stands between wide gaps stays together where it can"


def test_a_command_to_copy_is_never_broken(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(Output, "fancy", True)
    monkeypatch.setenv("COLUMNS", "40")
    Output(Path()).next("newsletter recipients import recipients/a-long-name.csv --list all", "after mending")
    first, second = capsys.readouterr().out.splitlines()
    assert "recipients/a-long-name.csv --list all" in first
    assert second == f"{' ' * 12}after mending"


@given(st.text(st.sampled_from("ab  \u0301漢"), max_size=80), st.integers(10, 60))
def test_folding_loses_no_word(text: str, columns: int) -> None:
    assert folded(text, columns).split() == text.split()


def test_numbers_have_separators_and_their_word_agrees() -> None:
    assert count(17742, "person", "people") == "17,742 people"
    assert count(1, "person", "people") == "1 person"
    assert count(0, "reply", "replies") == "0 replies"


def test_a_table_lines_up_and_numbers_stand_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    Output(Path()).table(("LIST", "PEOPLE"), [("日本", 17742), ("monthly", 8)])
    assert capsys.readouterr().out.splitlines() == ["LIST     PEOPLE", "日本     17,742", "monthly       8"]


def test_a_table_without_rows_is_its_heading(capsys: pytest.CaptureFixture[str]) -> None:
    Output(Path()).table(("LIST", "PEOPLE"), [])
    assert capsys.readouterr().out == "LIST  PEOPLE\n"


def test_quiet_keeps_problems(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(Path(), quiet=True)
    output.done("made")
    output.problems([Problem("x-y", "wrong")])
    assert "made" not in (text := capsys.readouterr().out)
    assert "wrong" in text


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """window(80): standard output counts as a terminal of that width."""
    monkeypatch.setattr(Output, "fancy", True)
    monkeypatch.setattr(Output, "_fancy", lambda *_: True)
    return lambda columns: monkeypatch.setenv("COLUMNS", str(columns))


def test_a_table_breaks_its_widest_cells_between_words(
    window: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    window(44)
    rows = [("sam@example.org", 3, "The road by the school is closed"), ("jo@example.org", 1200, "No")]
    Output(Path()).table(("WHO", "MAILS", "WORDS"), rows)
    assert click.unstyle(capsys.readouterr().out).splitlines() == [
        "WHO              MAILS  WORDS",
        "sam@example.org      3  The road by the",
        "                        school is closed",
        "jo@example.org   1,200  No",
    ]


def test_a_table_that_fits_no_window_lists_its_rows(
    window: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    window(40)
    rows = [("somebody.with.a.long.name@example.org", "all-residents", ""), ("jo@example.org", "monthly", "left")]
    Output(Path()).table(("WHO", "LISTS", "WHY"), rows)
    assert click.unstyle(capsys.readouterr().out).splitlines() == [
        "somebody.with.a.long.name@example.org",
        "  LISTS  all-residents",
        "jo@example.org",
        "  LISTS  monthly",
        "  WHY    left",
    ]


def test_a_table_says_where_it_would_run_over_the_edge_and_takes_a_line_below_each_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    head, rows = ("No.", "Who"), [("1", "x" * 90), ("2", "y")]
    assert not Output(Path()).too_wide(head, rows)  # nobody watches: nothing is cut or folded
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(Output, "fancy", True)
    assert Output(Path()).too_wide(head, rows) == 80
    assert not Output(Path()).too_wide(head, rows[1:])
    Output(Path(), plain=True).table(("No.", "Who"), [("1", "Ann"), ("2", "Bo")], ["first", "second"])
    assert capsys.readouterr().out.splitlines()[1:] == ["  1  Ann", "     first", "  2  Bo", "     second"]
