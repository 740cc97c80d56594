"""A list of never-mail from the program before: taken whole, once, with its reasons and dates."""

from __future__ import annotations

import json
import shlex
from datetime import date

import pytest
from openpyxl import Workbook

from newsletter.audience import never, subscribing, suppressing
from newsletter.audience.models import ConsentEvent, Suppression
from newsletter.problems import NewsletterError
from tests.workspace import Workspace


def held() -> dict[str, tuple[str, str]]:
    return {row.canonical: (row.scope, row.reason) for row in Suppression.objects.all()}


def test_a_table_with_reasons_and_dates(workspace: Workspace) -> None:
    file = workspace.write(
        "old.csv",
        "Email Address,Reason,Date\nSam@Example.org,Hard bounce,2024-03-01\nann@example.org,spam,\n"
        "joe@example.org,,2023-01-02T10:00:00+00:00\n",
    )
    done = suppressing.take(file, workspace.config)
    assert (done.counts.rows, done.counts.suppressed, done.counts.refused) == (3, 3, 0)
    assert held() == {
        "sam@example.org": ("all", "gone"),
        "ann@example.org": ("bulk", "complaint"),
        "joe@example.org": ("bulk", "unsubscribed"),
    }
    event = ConsentEvent.objects.get(canonical="sam@example.org")
    assert event.at.year == 2024 and event.recorded.year > 2024 and "old.csv" in event.why
    assert Suppression.objects.get(canonical="sam@example.org").at.year > 2024  # when we learned it: law L4 counts so


def test_one_address_a_line_without_a_heading(workspace: Workspace) -> None:
    file = workspace.write("never.txt", "sam@example.org\n\nAnn@example.org\nsam@example.org\n")
    done = suppressing.take(file, workspace.config, reason="staff")
    assert (done.counts.rows, done.counts.suppressed, done.counts.repeated) == (3, 2, 1)
    assert set(held().values()) == {("bulk", "staff")}


def test_the_same_file_again_changes_nothing_and_never_softens(workspace: Workspace) -> None:
    subscribing.suppress("sam@example.org", "all", "gone", "mail")
    file = workspace.write("never.txt", "sam@example.org\nann@example.org\n")
    first = suppressing.take(file, workspace.config)
    proofs = ConsentEvent.objects.count()
    second = suppressing.take(file, workspace.config)
    assert (first.counts.suppressed, first.counts.already) == (1, 1)
    assert (second.counts.suppressed, second.counts.already) == (0, 2)
    assert ConsentEvent.objects.count() == proofs and held()["sam@example.org"] == ("all", "gone")


def test_a_wider_reason_replaces_a_narrower_one(workspace: Workspace) -> None:
    subscribing.suppress("sam@example.org", "bulk", "unsubscribed", "page")
    file = workspace.write("never.csv", "email,reason\nsam@example.org,bounced\n")
    assert suppressing.take(file, workspace.config).counts.suppressed == 1
    assert held() == {"sam@example.org": ("all", "gone")}


def test_the_plain_address_of_an_erased_person_is_not_written_down_again(workspace: Workspace) -> None:
    Suppression.objects.create(canonical=never.hashed("sam@example.org"), scope="all", reason="erased")
    file = workspace.write("never.txt", "sam@example.org\n")
    assert suppressing.take(file, workspace.config).counts.already == 1
    assert "sam@example.org" not in held()


def test_what_is_no_address_is_kept_to_be_mended(workspace: Workspace) -> None:
    workspace.write("never.csv", "email,note\nsam@,=1+1\nann@example.org,fine\n")
    ran = workspace.run("recipients", "suppress", "import", "never.csv", "--json")
    said = json.loads(ran.out)
    assert ran.exit == 5 and said["refused"] == 1 and said["suppressed"] == 1
    kept = (workspace.root / "recipients" / "never.refused.csv").read_text(encoding="utf-8-sig")
    assert kept.splitlines()[0] == "problem,email,note" and "sam@,'=1+1" in kept
    again = json.loads(workspace.run("recipients", "suppress", "import", "never.csv", "--json", "--dry-run").out)
    assert again["dry_run"] and again["rows"] == 2 and again["suppressed"] == 0


def test_the_file_of_refused_rows_is_named_and_a_mended_one_is_left_alone(workspace: Workspace) -> None:
    workspace.write("never.csv", "email\nsam@\nann@example.org\n")
    words = ("recipients", "suppress", "import", "never.csv", "--reason", "staff")
    ran = workspace.run(*words)
    assert ran.exit == 5 and "1 row refused, kept with the reasons in" in ran.out
    next_one = shlex.split(ran.out.partition("Next")[2].partition("   after mending it")[0])
    assert next_one[-2:] == ["--reason", "staff"] and next_one[-3].endswith("recipients/never.refused.csv")
    mended = workspace.write("recipients/never.refused.csv", "problem,email\n,sam@example.org\n")
    ran = workspace.run(*words)
    assert "recipients/never-2.refused.csv" in ran.out
    assert "never.refused.csv was changed since it was written and is left as it is, not imported" in ran.out
    assert mended.read_text(encoding="utf-8").endswith("sam@example.org\n")
    assert workspace.run("recipients", "suppress", "import", "recipients/never.refused.csv").exit == 0
    assert "sam@example.org" in held()


def test_a_file_without_addresses_says_what_it_has(workspace: Workspace) -> None:
    file = workspace.write("never.csv", "name,town\nSam,Stafford\n")
    with pytest.raises(NewsletterError, match="addresses"):
        suppressing.take(file, workspace.config)


def test_many_are_taken_in_steps(workspace: Workspace) -> None:
    lines = "".join(f"p{number}@example.org\n" for number in range(2_500))
    file = workspace.write("never.txt", "email\n" + lines)
    seen: list[int] = []
    done = suppressing.take(file, workspace.config, on_progress=lambda _, at, of: seen.append(at * 100 // of))
    assert done.counts.suppressed == 2_500 and len(seen) == 3


def test_the_import_says_who_can_undo_it(workspace: Workspace) -> None:
    workspace.write("never.txt", "sam@example.org\n")
    words = ("recipients", "suppress", "import", "never.txt")
    said = workspace.run(*words, "--reason", "staff").out
    assert "1 address more will get no mailings" in said and "signing up" not in said
    workspace.write("never.txt", "ann@example.org\n")
    said = workspace.run(*words).out
    assert "can undo it by signing up themselves" in said and "--reason staff" in said


def test_a_workbook_is_taken_as_a_table_is(workspace: Workspace) -> None:
    book = Workbook()
    for row in (("Email", "Reason", "Date"), ("Sam@Example.org", "spam", date(2024, 3, 1)), ("nobody", "", None)):
        book.active.append(row)
    path = workspace.root / "old.xlsx"
    book.save(path)
    done = suppressing.take(path, workspace.config)
    assert held() == {"sam@example.org": ("bulk", "complaint")}
    assert ConsentEvent.objects.get().at.year == 2024
    assert done.refused_file and "nobody" in done.refused_file.read_text(encoding="utf-8-sig")


def test_a_day_is_shown_as_the_day_that_it_was_here_not_in_the_database(workspace: Workspace) -> None:
    workspace.write("never.csv", "email,date\nann@example.org,2024-07-01\n")
    assert workspace.run("recipients", "suppress", "import", "never.csv").exit == 0
    shown = workspace.run("recipients", "show", "ann@example.org").out
    assert "2024-07-01 00:00" in shown and "2024-06-30" not in shown and "Lists\n  none" in shown
