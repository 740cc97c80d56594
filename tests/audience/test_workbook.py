"""A workbook of Excel is a file like any other: its values are read, and what could blow up is refused."""

from __future__ import annotations

import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from newsletter.audience import importing
from newsletter.problems import NewsletterError
from tests.workspace import Workspace


def book(
    workspace: Workspace, *rows: list[Any], title: str = "People", more: dict[str, list[list[Any]]] | None = None
) -> Path:
    made = openpyxl.Workbook()
    made.active.title = title
    for row in rows:
        made.active.append(row)
    for name, others in (more or {}).items():
        sheet = made.create_sheet(name)
        for row in others:
            sheet.append(row)
    path = workspace.root / "people.xlsx"
    made.save(path)
    return path


def planned(workspace: Workspace, path: Path) -> importing.Plan:
    return importing.plan(path, workspace.config, "monthly")


def test_people_come_out_of_a_workbook_with_dates_and_numbers_as_they_are_shown(workspace: Workspace) -> None:
    config = workspace.toml('[fields.flat]\ntype = "number"\ntitle = "Flat"\n')
    path = book(
        workspace,
        ["E-mail address", "First name", "Next meeting", "Flat"],
        ["sam@example.org", "Siân", datetime(2026, 12, 8), 12.0],
        ["ann@example.org", "Zoë", date(2026, 12, 9), 3],
    )
    plan = importing.plan(path, config, "monthly")
    assert (plan.encoding, plan.delimiter) == ("Excel workbook", "sheet ‘People’")
    importing.run(plan)
    from newsletter.audience.models import Subscriber

    assert list(Subscriber.objects.order_by("pk").values_list("first_name", "attributes")) == [
        ("Zoë", {"meeting": "2026-12-09", "flat": "3"}),
        ("Siân", {"meeting": "2026-12-08", "flat": "12"}),
    ]


def test_a_bad_row_is_named_as_excel_counts_and_kept_in_a_file(workspace: Workspace) -> None:
    path = book(workspace, ["email"], ["sam@example.org"], [None], [None], ["not an address"])
    plan = planned(workspace, path)
    assert [problem.message.split(",")[0] for problem in plan.problems] == ["Row 5"]
    done = importing.run(plan)
    assert done.refused_file == workspace.root / "recipients" / "people.refused.csv"
    assert "not an address" in done.refused_file.read_text(encoding="utf-8")


def test_a_formula_counts_with_the_value_that_excel_kept(workspace: Workspace) -> None:
    path = book(workspace, ["email", "first_name"], ["sam@example.org", "=1+1"])
    assert planned(workspace, path).preview[0]["first_name"] == ""  # openpyxl keeps no value; Excel would


def test_the_first_sheet_with_rows_is_read_and_the_others_are_named(workspace: Workspace) -> None:
    path = book(workspace, title="Empty", more={"Members": [["email"], ["sam@example.org"]], "Old": [["x"]]})
    plan = planned(workspace, path)
    assert plan.delimiter == "sheet ‘Members’"
    assert [problem.message for problem in plan.problems if problem.code == "sheet-chosen"] == [
        "Read the sheet ‘Members’; there are also ‘Empty’, ‘Old’"
    ]


def test_the_file_may_be_changed_while_it_is_read(workspace: Workspace) -> None:
    path = book(workspace, ["email"], ["sam@example.org"])
    plan = planned(workspace, path)
    path.write_bytes(b"")
    assert importing.run(plan).counts.new == 1


def code_of(workspace: Workspace, path: Path) -> str:
    with pytest.raises(NewsletterError) as caught:
        planned(workspace, path)
    return caught.value.problems[0].code


def test_a_sheet_that_unpacks_to_terabytes_is_refused_before_it_is_unpacked(workspace: Workspace) -> None:
    path = book(workspace, ["email"], ["sam@example.org"])
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/worksheets/sheet9.xml", "w") as part,
    ):
        for _ in range(60):
            part.write(b"0" * 1_000_000)
    assert code_of(workspace, path) == "workbook-too-big"


def test_entities_that_multiply_are_refused(workspace: Workspace) -> None:
    path = book(workspace, ["email"], ["sam@example.org"])
    laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    bomb = workspace.root / "bomb.xlsx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(bomb, "w") as new:
        for part in old.infolist():
            data = old.read(part).decode()
            if part.filename == "xl/worksheets/sheet1.xml":
                data = data.replace("<worksheet", f"{laughs}<worksheet", 1).replace("</worksheet>", "&b;</worksheet>")
            new.writestr(part, data)
    assert code_of(workspace, bomb) == "not-a-table"


@pytest.mark.parametrize("cut", [30, 400, -300])
def test_a_damaged_workbook_is_a_problem(workspace: Workspace, cut: int) -> None:
    path = book(workspace, ["email"], ["sam@example.org"])
    path.write_bytes(path.read_bytes()[:cut])
    assert code_of(workspace, path) in ("not-a-table", "spreadsheet-not-csv")


def test_a_workbook_without_rows_holds_nobody(workspace: Workspace) -> None:
    assert code_of(workspace, book(workspace)) == "empty-file"
