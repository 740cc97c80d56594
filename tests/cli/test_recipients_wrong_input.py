"""What people type and name by mistake around `newsletter recipients`: each gets plain words, and no traceback."""

from __future__ import annotations

import io
import shlex

import openpyxl
import pytest

from tests.cli.conftest import Run
from tests.workspace import Workspace


def book(*rows: list[str]) -> bytes:
    made = openpyxl.Workbook()
    for row in rows:
        made.active.append(row)
    data = io.BytesIO()
    made.save(data)
    return data.getvalue()


def test_every_command_starts_in_a_process_of_its_own(newsletter: Run) -> None:
    """In one process with other tests the database is open already, and hides what is imported too early."""
    assert newsletter("init", "--defaults").returncode == 0
    for words in (
        ("count",), ("list",), ("lists",), ("segments", "list"), ("areas", "list"), ("areas", "place"),
        ("suppress", "list"), ("forget", "sam@example.org", "--dry-run"), ("clean",), ("clean", "--dry-run"),
        ("export", "-"),
    ):  # fmt: skip
        done = newsletter("recipients", *words)
        assert (done.returncode, done.stderr) == (0, ""), words


@pytest.mark.parametrize("group", [("recipients",), ("recipients", "segments"), ("archive",)], ids=" ".join)
def test_a_group_alone_shows_what_is_in_it(folder: Workspace, group: tuple[str, ...]) -> None:
    ran = folder.run(*group)
    assert ran.exit == 2 and not ran.err
    assert ran.out.startswith("Usage: newsletter") and "␀" not in ran.out and "\nCommands:\n" in ran.out


WRONG = {
    "count --list montly": (1, "There is no list and no segment called ‘montly’", "did you mean monthly?"),
    "count --segment nope": (
        1,
        "There is no list and no segment called ‘nope’",
        "The lists are: all-residents, monthly",
    ),
    "count --list 'The monthly letter'": (1, "called ‘The monthly letter’", "its key is monthly"),
    "count --audience ,": (2, "--audience names nothing", "--audience LIST"),
    "clean --gone x": (2, "'x' is not a whole number", "--help"),
    "import nobody.csv --list monthly --dry-run": (1, "There is no file nobody.csv", "There is: "),
    "import recipients/pepole.csv --list monthly --dry-run": (1, "There is no file", "did you mean people.csv?"),
    "import none/people.csv --list monthly --dry-run": (1, "There is no file", "There is no folder none either"),
    "import recipients/empty.csv --list monthly --dry-run": (1, "is empty", "Save the sheet again"),
    "segments add north --must ward=": (1, "‘ward=’ asks for nothing", "ward=North,South"),
    "segments add north --file recipients/people.csv": (1, "This is not JSON", "a table of people is none"),
    "areas show stafforth": (1, "There is no area called ‘stafforth’", "newsletter recipients areas load"),
    "areas load nofile.csv": (1, "There is no file nofile.csv", "areas.csv"),
    "areas load recipients/people.csv": (1, "is a table of people, not of areas", "newsletter recipients import"),
    "suppress import recipients/heading.csv": (1, "holds nobody", "a row for each address"),
    "suppress remove sam@example.org --why x": (1, "is not suppressed", "suppress list shows who is"),
    "export recipients": (4, "recipients is a folder", "recipients/people.csv"),
    "export people.xlsx": (2, "People are written as CSV", "people.csv"),
}


@pytest.mark.parametrize("typed", WRONG)
def test_a_slip_is_said_in_plain_words_with_what_to_do(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    monkeypatch.chdir(workspace.root)
    workspace.write("recipients/people.csv", "email,postcode\nsam@example.org,ST16 3AA\n")
    workspace.write("recipients/empty.csv", "")
    workspace.write("recipients/heading.csv", "email\n")
    workspace.write("people.csv", "email\nsam@example.org\n")
    code, message, hint = WRONG[typed]
    ran = workspace.run("recipients", *shlex.split(typed))
    assert (ran.exit, ran.out) == (code, "")
    assert message in ran.err and hint in ran.err.partition("\n")[2]
    assert "our-bug" not in ran.err


def test_a_workbook_by_another_name_is_read_by_both_imports(workspace: Workspace) -> None:
    workspace.write("recipients/people.csv", book(["Email", "Name"], ["sam@example.org", "Sam Okafor"]))
    workspace.write("recipients/left.xlsx", book(["Email", "Why"], ["sam@example.org", "complaint"], ["jo@", ""]))
    ran = workspace.run("recipients", "import", "recipients/people.csv", "--list", "monthly", "--dry-run")
    assert ran.exit == 0 and "XLSX, sheet ‘Sheet’, 1 row" in ran.out
    ran = workspace.run("recipients", "suppress", "import", "recipients/left.xlsx")
    assert ran.exit == 5 and "1 address more will get no mailings" in ran.out and "left.refused.csv" in ran.out
    kept = (workspace.root / "recipients" / "left.refused.csv").read_text(encoding="utf-8-sig")
    assert kept.splitlines()[0] == "problem,Email,Why"
    again = workspace.run("recipients", "suppress", "import", "recipients/left.xlsx")
    assert "Nothing new: none of them gets mailings as it is" in again.out
