"""A translation is held against the issue: what is missing, what is more, what leads elsewhere."""

from __future__ import annotations

from datetime import date

from newsletter.content import reading
from newsletter.problems import Problem
from newsletter.rendering import checks, pipeline, themes
from newsletter.rendering.check_languages import against
from tests.rendering.conftest import FRONT, Desk

ENGLISH = """\
# Is it you?

Hello.

:::only{ward="Stafford North"}
The road is closed.
:::

::button[Read more]{href=https://council.example/more}

::reply[Tell us]
"""
WELSH = ENGLISH.replace("Hello", "Helo").replace("Is it you", "Ai chi").replace("Read more", "Darllen mwy")


def found(desk: Desk, welsh: str, english: str = ENGLISH, subject: str = "Newyddion") -> list[Problem]:
    folder = desk.write(english)
    text = FRONT.format(subject=subject, preheader="Beth sy’n newydd", more="") + "\n" + welsh
    own = [line for line in text.split("\n") if not line.startswith(("from:", "audience:", "template:"))]
    (folder / "issue.cy.md").write_text("\n".join(own), encoding="utf-8")
    welsh_issue = reading.read(folder, desk.config, "cy")
    return list(against(welsh_issue, reading.read(folder, desk.config, "")))


def told(problems: list[Problem]) -> list[tuple[str, str, str]]:
    return [(one.code, one.severity.value, one.where.file if one.where else "") for one in problems]


def test_a_whole_translation_has_no_finding_however_long_its_words_are(desk: Desk) -> None:
    assert found(desk, WELSH + "\nAc un paragraff arall.\n") == []


def test_a_subject_that_was_not_translated_is_told(desk: Desk) -> None:
    assert told(found(desk, WELSH, subject="News")) == [("translation-subject", "warning", "issue.cy.md")]


def test_a_block_that_one_language_lacks_is_told_where_the_other_has_it(desk: Desk) -> None:
    without = WELSH.replace(':::only{ward="Stafford North"}\nThe road is closed.\n:::\n', "")
    [problem] = found(desk, without)
    assert told([problem]) == [("translation-differs", "warning", "issue.md")]
    assert problem.where and problem.where.source == ':::only{ward="Stafford North"}'
    assert "is in issue.md and not in issue.cy.md" in problem.message


def test_a_block_for_other_people_is_told_from_both_sides(desk: Desk) -> None:
    problems = found(desk, WELSH.replace("Stafford North", "Stafford South"))
    assert [one.where.file for one in problems if one.where] == ["issue.md", "issue.cy.md"]


def test_a_missing_button_and_one_too_many_are_told(desk: Desk) -> None:
    [less] = found(desk, WELSH.replace("::reply[Tell us]", ""))
    assert less.message == "issue.cy.md has no reply buttons, issue.md has 1 reply button"
    [more] = found(desk, WELSH + "\n::button[Hefyd]{href=https://council.example/also}\n")
    assert more.message == "issue.cy.md has 2 buttons, issue.md has 1 button"
    assert more.where and "Hefyd" in more.where.source


def test_a_button_that_leads_elsewhere_is_a_note(desk: Desk) -> None:
    [note] = found(desk, WELSH.replace("council.example/more", "council.example/mwy"))
    assert told([note]) == [("translation-link", "note", "issue.cy.md")]


def test_a_date_of_the_issue_is_told_once_and_not_at_a_line_of_the_translation(desk: Desk) -> None:
    found(desk, WELSH)
    path = desk.root / "issues/2026-11-24-news/issue.md"
    path.write_text(path.read_text("utf-8").replace("subject:", "useful_until: 2026-01-01\nsubject:", 1), "utf-8")
    codes = {}
    for language in ("", "cy"):
        issue = reading.read(path.parent, desk.config, language)
        rendered = pipeline.render(issue, themes.load(issue.front.template, desk.config), desk.config)
        codes[language] = {one.code for one in checks.everything(issue, rendered, desk.config, date(2026, 11, 20))}
    assert "no-longer-useful" in codes[""] and "no-longer-useful" not in codes["cy"]
