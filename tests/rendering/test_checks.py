"""What `check` points out, each with the place in the written file."""

from __future__ import annotations

import base64
import quopri
from datetime import date

import pytest

from newsletter.problems import Problem, Severity
from newsletter.rendering import check_mail, checks, styles
from tests.rendering.conftest import Desk, filled

GOOD = '# What is new\n\nHello {{ first_name or "neighbour" }}, read [the plan](https://riverside.example/plan).\n'


def found(desk: Desk, body: str, **front: str) -> list[Problem]:
    issue = desk.issue(body, **front)
    return list(checks.everything(issue, desk.render(body, **front), desk.config, date(2026, 11, 20)))


def codes(desk: Desk, body: str, **front: str) -> list[str]:
    return [problem.code for problem in found(desk, body, **front)]


def test_a_good_issue_has_no_finding(desk: Desk) -> None:
    assert codes(desk, GOOD) == []


@pytest.mark.parametrize(
    ("body", "code", "word"),
    [
        ("# A\n\nRead more [here](https://e.example/a).\n", "vague-link", "here"),
        ("# A\n\nSee [Click here!](https://e.example/a).\n", "vague-link", "Click here!"),
        ("# A\n\nSee [our website here](https://e.example/a).\n", "vague-link", "our website here"),
        ("# A\n\nWords.\n\n::button[Read more]{href=https://e.example/a}\n", "vague-link", "Read more"),
        ("# A\n\n[Plan](https://e.example/a) and [Plan](https://e.example/b)\n", "same-words-two-links", "Plan"),
        ("# A\n\n[Plan](http://localhost:8000/a)\n", "link-to-this-computer", "http://localhost:8000/a"),
        ("# A\n\n[Plan](https://bit.ly/a)\n", "shortened-link", "https://bit.ly/a"),
        ("# A\n\n[Plan](http://e.example/a)\n", "link-without-https", "http://e.example/a"),
        ("# A\n\nThe form is attached.\n", "says-attached", "attached"),
        ("# A\n\nCome on TK.\n", "left-over-note", "TK"),
        ("# A\n\nLorem ipsum dolor.\n", "left-over-note", "Lorem ipsum"),
        ("# A\n\nDear [name], welcome.\n", "left-over-note", "[name]"),
        ("# A\n\n·\tFirst\n·\tSecond\n", "pasted-list", "First"),
        ("# A\n\nSee [the plan]( https://e.example/a b ).\n", "unread-link", "[the plan]"),
        ("# A\n\nSee [the plan] (https://e.example/a).\n", "unread-link", "[the plan]"),
        ("# A\n\nCome tomorrow.\n", "relative-date", "tomorrow"),
        ("# A\n\n© 2019 Council\n", "stale-year", "© 2019"),
        ("# A\n\nWords.\n\n# B\n\nMore.\n", "second-main-heading", "B"),
        ("# A\n\nWords.\n\n### C\n\nMore.\n", "heading-jump", "C"),
    ],
)
def test_a_finding_stands_at_its_word(desk: Desk, body: str, code: str, word: str) -> None:
    (problem,) = found(desk, body)
    assert problem.code == code
    where = problem.where
    assert where is not None and where.file == "issue.md" and where.column and where.end_column
    assert where.source[where.column - 1 : where.end_column - 1] == word
    assert (desk.root / "issues/2026-11-24-news/issue.md").read_text().split("\n")[where.line - 1] == where.source  # type: ignore[operator]


@pytest.mark.parametrize(
    ("front", "code"),
    [
        ({"subject": "x" * 79}, "long-subject"),
        ({"subject": "x" * 60}, "subject-cut-on-phones"),
        ({"subject": "READ THIS AT ONCE"}, "shouting-subject"),
        ({"subject": "Win now!!!"}, "shouting-subject"),
        ({"preheader": ""}, "no-preheader"),
        ({"preheader": "News"}, "preheader-repeats"),
        ({"preheader": "x" * 111}, "long-preheader"),
        ({"more": "useful_until: 2026-11-01\n"}, "no-longer-useful"),
        ({"more": "sensitive: true\n"}, "sensitive-subject"),
    ],
)
def test_the_front_matter_is_looked_at(desk: Desk, front: dict[str, str], code: str) -> None:
    assert codes(desk, GOOD, **front) == [code]


def test_what_we_do_not_say_in_the_language_of_the_issue_is_told(desk: Desk) -> None:
    assert codes(desk, GOOD, more="language: pl\n") == ["no-fixed-words", "list-not-translated"]


def test_a_good_field_beside_a_misspelt_one_is_no_note_to_oneself(desk: Desk) -> None:
    assert codes(desk, "# A\n\nHello {{ first_name or 'x' }} of {{ frist_name or 'x' }}.\n") == ["unknown-field"]


def test_a_file_that_is_linked_may_be_called_attached(desk: Desk) -> None:
    folder = desk.write(GOOD)
    (folder / "form.pdf").write_bytes(b"%PDF-1.4\n%%EOF\n")
    assert "says-attached" not in codes(desk, GOOD + "\nThe [form](form.pdf) is attached.\n")


def test_a_message_without_text_or_heading_is_found(desk: Desk) -> None:
    assert {"no-text", "no-heading"} <= set(codes(desk, "::button[The plan]{href=https://e.example/a}\n"))


@pytest.mark.parametrize("alt", ["IMG_1234", "photo.jpg", "image", "picture of a bridge", "DSC00012", "hero"])
def test_a_description_that_a_program_wrote_is_found(desk: Desk, alt: str) -> None:
    from PIL import Image

    folder = desk.write(GOOD)
    (folder / "images").mkdir()
    Image.new("RGB", (9, 9)).save(folder / "images" / "p.png")
    assert codes(desk, GOOD + f"\n![{alt}](images/p.png)\n") == ["automatic-alt"]
    assert codes(desk, GOOD + "\n![The bridge at dusk, seen from the quay](images/p.png)\n") == []


def test_colours_of_the_theme_that_cannot_be_read_are_found(desk: Desk) -> None:
    desk.configure('\n[themes.plain]\naccent = "#c0d0d8"\n')
    problems = [problem for problem in found(desk, GOOD) if problem.code == "low-contrast"]
    assert problems and "#c0d0d8 on #ffffff" in problems[0].hint


def test_contrast_is_that_of_wcag() -> None:
    assert round(styles.contrast("#ffffff", "#000000"), 2) == 21
    assert round(styles.contrast("#777777", "#ffffff"), 2) == 4.48


@pytest.mark.parametrize(("kilobytes", "code"), [(60, None), (85, "mail-large"), (110, "mail-too-large")])
def test_the_length_of_the_mail_is_measured_as_it_is_sent(desk: Desk, kilobytes: int, code: str | None) -> None:
    paragraph = "Plain words of a long report, over and over. " * 22 + "\n\n"
    few, many = (check_mail.encoded_size(desk.render(GOOD + "\n" + paragraph * n).html) for n in (1, 11))
    body = GOOD + "\n" + paragraph * round(1 + (kilobytes * 1024 - few) / ((many - few) / 10))
    assert [one for one in codes(desk, body) if one.startswith("mail-")] == ([code] if code else [])


def test_the_measured_size_is_that_of_the_real_encoding(desk: Desk) -> None:
    for body in (GOOD * 8, "# مرحبا\n\n" + "نص طويل جدا هنا. " * 400):
        raw = filled(desk.render(body), {}).html
        quoted = len(quopri.encodestring(raw.encode().replace(b"\n", b"\r\n")))
        based = len(base64.encodebytes(raw.encode().replace(b"\n", b"\r\n")))
        wanted = based if based * 3 < quoted * 2 else quoted
        assert abs(check_mail.encoded_size((raw,)) - wanted) < 0.03 * wanted


def test_seven_independent_ranges_are_too_many_to_look_at(desk: Desk) -> None:
    ranges = "".join(f":::only{{ward=W{n}}}\nFor {n}.\n:::\n\n" for n in range(7))
    assert codes(desk, GOOD + "\n" + ranges) == ["many-versions"]


# -- waivers

VAGUE = GOOD + "\nMore is [here](https://riverside.example/more).\n"


def allow(code: str, until: str) -> str:
    return f"allow:\n  - {{code: {code}, until: {until}, why: asked for by the printer}}\n"


def test_a_waived_finding_is_a_note_with_the_reason(desk: Desk) -> None:
    (problem,) = found(desk, VAGUE, more=allow("vague-link", "2026-12-01"))
    assert (problem.code, problem.severity) == ("vague-link", Severity.NOTE)
    assert "asked for by the printer" in problem.hint


def test_a_waiver_that_is_over_lets_nothing_through(desk: Desk) -> None:
    (problem,) = found(desk, VAGUE, more=allow("vague-link", "2026-11-01"))
    assert problem.severity is Severity.WARNING and "ended on 2026-11-01" in problem.hint


def test_a_waiver_that_fits_nothing_is_said(desk: Desk) -> None:
    assert codes(desk, GOOD, more=allow("vague-link", "2026-12-01")) == ["unused-waiver"]


def test_an_error_cannot_be_waived(desk: Desk) -> None:
    body = GOOD + "\n[Plan B](http://localhost/a)\n"
    severities = {
        one.code: one.severity for one in found(desk, body, more=allow("link-to-this-computer", "2026-12-01"))
    }
    assert severities["link-to-this-computer"] is Severity.ERROR


def test_a_spreadsheet_of_blocks_is_counted_without_writing_the_number_out(desk: Desk) -> None:
    body = "# News\n\n" + "".join(f":::only{{ward=W{number}}}\nWords.\n:::\n" for number in range(30))
    [problem] = [one for one in found(desk, body) if one.code == "many-versions"]
    assert problem.message == "30 different `only` blocks make more than a million versions"
