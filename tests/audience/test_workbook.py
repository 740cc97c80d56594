"""Workbooks: the sheet that is seen is read, values and dates as people see them, and no bomb goes off."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from newsletter.audience import importing, workbook
from newsletter.audience.models import Subscriber
from newsletter.problems import NewsletterError, Severity
from tests.workspace import Workspace

STRINGS = (
    b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>shared@example.org</t></si></sst>'
)
HEADER = ("email", "first_name", "meeting", "ward")


def book(workspace: Workspace, *rows: tuple[Any, ...], more: tuple[tuple[str, str], ...] = ()) -> Path:
    made = Workbook()
    made.active.title = "People"
    for row in rows:
        made.active.append(row)
    for title, state in more:
        made.create_sheet(title, 0).sheet_state = state
    path = workspace.root / "recipients" / "people.xlsx"
    path.parent.mkdir(exist_ok=True)
    made.save(path)
    return path


def changed(path: Path, part: str, change: Any) -> Path:
    """The workbook with one part made anew."""
    parts = {}
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    parts[part] = change(parts.get(part, b""))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, data in parts.items():
            new.writestr(name, data)
    return path


def with_strings(path: Path, strings: bytes) -> Path:
    """The workbook with a table of shared texts, as Excel writes them."""
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    override = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'.encode()
    path = changed(path, "[Content_Types].xml", lambda types: types.replace(b"</Types>", override))
    return changed(path, "xl/sharedStrings.xml", lambda _: strings)


def refusal(workspace: Workspace, path: Path, **how: Any) -> tuple[str, str, str]:
    with pytest.raises(NewsletterError) as caught:
        importing.plan(path, workspace.config, "monthly", **how)
    [problem] = caught.value.problems
    return problem.code, problem.message, problem.hint


def test_a_workbook_is_imported_with_typed_dates_and_numbers_as_people_see_them(workspace: Workspace) -> None:
    path = book(
        workspace,
        HEADER,
        ("sam@example.org", "Siân", date(2026, 12, 8), 7.0),
        (None, None, None, None),
        ("ada@example.org", None, datetime(2026, 12, 9), "North"),
    )
    plan = importing.plan(path, workspace.config, "monthly")
    assert (plan.encoding, plan.delimiter, plan.problems) == ("XLSX", "sheet ‘People’", [])
    assert importing.run(plan).counts.new == 2
    assert list(Subscriber.objects.order_by("-canonical").values_list("first_name", "attributes")) == [
        ("Siân", {"meeting": "2026-12-08", "ward": "7"}),
        ("", {"meeting": "2026-12-09", "ward": "North"}),
    ]


def test_a_formula_shows_its_value_and_one_that_failed_refuses_its_row(workspace: Workspace) -> None:
    path = book(workspace, ("email", "ward"), ("sam@example.org", "X"), ("ada@example.org", "#REF!"))

    def formula(sheet: bytes) -> bytes:
        return sheet.replace(b"</c></row></sheetData>", b"</c></row></sheetData>").replace(
            b'<c r="B2" t="inlineStr"><is><t>X</t></is></c>', b'<c r="B2" t="str"><f>A2</f><v>North</v></c>'
        )

    with zipfile.ZipFile(path) as old:
        inline = b"inlineStr" in old.read("xl/worksheets/sheet1.xml")
    if not inline:  # the writer keeps texts in a table of their own
        at = b'<c r="B2" t="s"><v>3</v></c>'
        path = changed(
            path, "xl/worksheets/sheet1.xml", lambda x: x.replace(at, b'<c r="B2" t="str"><f>A2</f><v>North</v></c>')
        )
    else:
        path = changed(path, "xl/worksheets/sheet1.xml", formula)
    plan = importing.plan(path, workspace.config, "monthly")
    assert [problem.code for problem in plan.problems] == ["formula-error"]
    importing.run(plan)
    assert [person.attributes for person in Subscriber.objects.all()] == [{"ward": "North"}]


def test_the_first_sheet_that_is_not_hidden_is_read_and_the_others_are_said(workspace: Workspace) -> None:
    path = book(workspace, ("email",), ("sam@example.org",), more=(("Old", "hidden"), ("Older", "veryHidden")))
    plan = importing.plan(path, workspace.config, "monthly")
    [note] = plan.problems
    assert (note.code, note.severity) == ("sheet-chosen", Severity.NOTE)
    assert note.message == "Read the sheet ‘People’, not ‘Older’ (hidden), ‘Old’ (hidden)"
    assert importing.plan(path, workspace.config, "monthly", sheet="people").counts.new == 1
    assert refusal(workspace, path, sheet="Old")[0] == "empty-file"
    code, _, hint = refusal(workspace, path, sheet="Nobody")
    assert (code, "‘People’" in hint) == ("unknown-sheet", True)


def test_a_filled_cell_beyond_the_header_and_a_long_one_refuse_their_rows(workspace: Workspace) -> None:
    path = book(
        workspace, ("email", "ward"), ("a@example.org", "N", "x"), ("b@example.org", "y" * 20_000), ("c@example.org",)
    )
    plan = importing.plan(path, workspace.config, "monthly")
    assert sorted(problem.code for problem in plan.problems) == ["cell-too-long", "too-many-cells"]
    assert (plan.counts.new, plan.counts.refused) == (1, 2)


def test_a_bomb_of_any_part_is_refused_before_it_is_unpacked(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "STRINGS", 1 << 20)
    monkeypatch.setattr(workbook, "PART", 1 << 20)
    monkeypatch.setattr(workbook, "SHEET", 16 << 20)
    for part in ("xl/sharedStrings.xml", "xl/styles.xml", "xl/worksheets/sheet1.xml"):
        path = with_strings(book(workspace, ("email",), ("a@example.org",)), STRINGS)
        changed(path, part, lambda data: data + b" " * (20 << 20))
        tracemalloc.start()
        assert refusal(workspace, path)[0] == "workbook-too-large", part
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
        tracemalloc.stop()


def test_one_endless_cell_or_row_is_refused_while_it_is_read(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "ROW", 1 << 20)
    for filling in (
        b"<row r='3'><c t='str'><v>" + b"y" * (12 << 20) + b"</v></c></row>",
        b"<row r='3'>" + b"<c/>" * (3 << 20) + b"</row>",
    ):
        path = changed(
            book(workspace, ("email",), ("a@example.org",)),
            "xl/worksheets/sheet1.xml",
            lambda sheet, filling=filling: sheet.replace(b"</sheetData>", filling + b"</sheetData>"),
        )
        assert refusal(workspace, path)[0] == "workbook-too-large"


def test_entities_that_multiply_are_refused(workspace: Workspace) -> None:
    lol = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    for part in ("xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml"):
        path = with_strings(book(workspace, ("email",), ("a@example.org",)), STRINGS)
        changed(path, part, lambda xml: lol + (xml.partition(b"?>")[2] if xml.startswith(b"<?xml") else xml))
        if part == "xl/workbook.xml":  # read by another parser, which leaves entities alone
            importing.plan(path, workspace.config, "monthly")
        else:
            assert refusal(workspace, path)[0] == "workbook-damaged", part


def test_shared_texts_are_read_as_excel_writes_them(workspace: Workspace) -> None:
    path = with_strings(book(workspace, ("email",), ("a@example.org",)), STRINGS)
    shared = b'<c r="A2" t="s"><v>0</v></c>'
    cell = b'<c r="A2" t="inlineStr"><is><t>a@example.org</t></is></c>'
    changed(path, "xl/worksheets/sheet1.xml", lambda sheet: sheet.replace(cell, shared))
    importing.run(importing.plan(path, workspace.config, "monthly"))
    assert Subscriber.objects.get().canonical == "shared@example.org"


def test_a_row_that_claims_to_be_the_billionth_does_not_keep_us_counting(workspace: Workspace) -> None:
    path = changed(
        book(workspace, ("email",), ("a@example.org",)),
        "xl/worksheets/sheet1.xml",
        lambda sheet: sheet.replace(b"</sheetData>", b'<row r="9999999999"><c t="str"><v>x</v></c></row></sheetData>'),
    )
    assert importing.plan(path, workspace.config, "monthly").counts.rows == 2


@pytest.mark.parametrize("cut", [30, 200, -40])
def test_a_damaged_workbook_is_a_problem_and_not_a_crash(workspace: Workspace, cut: int) -> None:
    path = book(workspace, ("email",), ("a@example.org",))
    data = path.read_bytes()
    path.write_bytes(data[:cut] if cut < 0 else data[:cut] + b"\0" * 400 + data[cut + 400 :])
    assert refusal(workspace, path)[0] in ("workbook-damaged", "spreadsheet-not-csv")


def test_a_part_that_is_longer_than_it_says_is_damaged(workspace: Workspace) -> None:
    path = book(workspace, ("email",), *((f"p{n}@example.org",) for n in range(50)))
    with zipfile.ZipFile(path) as old:
        size = old.getinfo("xl/worksheets/sheet1.xml").file_size
    data = path.read_bytes().replace(size.to_bytes(4, "little"), (size - 500).to_bytes(4, "little"))
    path.write_bytes(data)
    assert refusal(workspace, path)[0] == "workbook-damaged"


def test_memory_does_not_grow_with_the_rows(workspace: Workspace) -> None:
    def peak(rows: int) -> int:
        made = Workbook(write_only=True)
        sheet = made.create_sheet("People")
        sheet.append(("email",))
        for n in range(rows):
            sheet.append((n,))
        target = io.BytesIO()
        made.save(target)
        path = workspace.root / "many.xlsx"
        path.write_bytes(target.getvalue())
        opened = workbook.Book(path, "many.xlsx")
        tracemalloc.start()
        assert sum(1 for _ in opened.rows()) == rows
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        opened.close()
        return most

    assert peak(30_000) < 1.2 * peak(10_000)
