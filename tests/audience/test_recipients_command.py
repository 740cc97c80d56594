"""`newsletter recipients …` as a person and a script use it."""

from __future__ import annotations

import csv
import json
import re
import shlex

import pytest

from newsletter.audience import subscribing
from tests.audience import make_demo
from tests.workspace import Workspace

IMPORT = (
    "recipients",
    "import",
    "recipients/people.csv",
    "--list",
    "all-residents",
    "--consent",
    "Ticked: send me the newsletter, form of May 2026",
)


def imported(workspace: Workspace, data: str = "email,first_name,ward\nsam@example.org,Sam,North\n") -> None:
    workspace.write("recipients/people.csv", data)
    assert workspace.run(*IMPORT, "--yes").exit in (0, 5)


def test_an_import_without_a_terminal_needs_a_yes(workspace: Workspace) -> None:
    workspace.write("recipients/people.csv", "email\nsam@example.org\n")
    ran = workspace.run(*IMPORT)
    assert ran.exit == 4
    assert "needs-yes" in ran.err
    assert "newsletter recipients import recipients/people.csv --list all-residents --dry-run" in ran.err
    assert json.loads(workspace.run(*IMPORT, "--json").out)["problems"][0]["code"] == "needs-yes"


def test_a_dry_run_shows_the_people_and_writes_nothing(workspace: Workspace) -> None:
    workspace.write("recipients/people.csv", "E-mail;First name\r\nsam@example.org;Siân\r\n".encode("cp1252"))
    ran = workspace.run(*IMPORT, "--dry-run")
    assert ran.exit == 0
    for words in ("Windows-1252, semicolons, 1 row", "Siân", "[encoding-guessed]", "Nothing was written"):
        assert words in ran.out
    assert json.loads(workspace.run("recipients", "list", "--json").out)["total"] == 0


def test_a_file_with_only_a_heading_imports_nobody_and_says_so(workspace: Workspace) -> None:
    workspace.write("recipients/people.csv", "email,first_name\n")
    ran = workspace.run(*IMPORT, "--yes")
    assert ran.exit == 1 and "holds nobody" in ran.err and "Imported" not in ran.out


def test_a_quiet_import_leaves_its_notes_out_and_keeps_its_warnings(workspace: Workspace) -> None:
    workspace.write("recipients/people.csv", "E-mail,Shoe size\nsam@example.org,43\n")
    ran = workspace.run("-q", *IMPORT, "--yes")
    assert "column-understood" not in ran.out and "undeclared-column" in ran.out


def test_an_import_says_what_it_did_and_what_to_do_next(workspace: Workspace) -> None:
    workspace.write("recipients/people.csv", "email\nsam@example.org\nnonsense\n")
    ran = workspace.run(*IMPORT, "--yes")
    assert ran.exit == 5
    assert "Imported recipients/people.csv: 1 new, 0 updated" in ran.out
    assert "1 row refused" in ran.out and "people.refused.csv" in ran.out
    workspace.write("recipients/people.refused.csv", "problem,email\nwas wrong,sam2@example.org\n")
    following = re.findall(r"Next +newsletter (.+?)   ", ran.out)[0]
    mended = workspace.run(*shlex.split(following), "--yes")  # the very words it printed, list and all
    assert mended.exit == 0, mended.out + mended.err
    assert "1 new" in mended.out
    assert workspace.run(*IMPORT, "--dry-run").exit == 1


def test_an_import_as_json_is_one_object_whose_numbers_add_up(workspace: Workspace) -> None:
    workspace.people("gone@example.org")
    subscribing.suppress("gone@example.org", "all", "gone", "mail")
    workspace.write("recipients/people.csv", "email\nsam@example.org\nSAM@example.org\nnonsense\ngone@example.org\n")
    said = json.loads(workspace.run(*IMPORT, "--yes", "--json").out)
    numbers = {
        key: said[key] for key in ("rows", "new", "updated", "unchanged", "left", "repeated", "refused", "suppressed")
    }
    assert numbers == {
        "rows": 4, "new": 1, "updated": 0, "unchanged": 0, "left": 0, "repeated": 1, "refused": 1,
        "suppressed": {"gone": 1},
    }  # fmt: skip
    assert said["refused_file"].endswith("recipients/people.refused.csv")
    assert {problem["code"] for problem in said["problems"]} == {"bad-address", "repeated-address"}


def test_a_bad_row_is_shown_with_its_line_and_caret(workspace: Workspace) -> None:
    workspace.write("recipients/people.csv", "first_name,email\nSam,sam@exam ple.org\n")
    out = workspace.run(*IMPORT, "--dry-run").out
    assert "recipients/people.csv:2:5" in out
    assert "Sam,sam@exam ple.org" in out and "^^^^^^^^^^^^^^^^" in out


def test_a_name_cannot_send_commands_to_the_terminal(workspace: Workspace) -> None:
    workspace.people("sam@example.org", name="\x1b]0;owned\x07Sam")
    assert "\x1b" not in workspace.run("recipients", "list").out
    assert "\x1b" not in workspace.run("recipients", "show", "sam@example.org").out


def test_count_explains_the_number_of_each_list_and_of_all_together(workspace: Workspace) -> None:
    workspace.people("a@example.org", "b@example.org")
    workspace.people("a@example.org", lists=("monthly",))
    subscribing.leave("b@example.org", ["all-residents"], "page")
    out = workspace.run("recipients", "count").out
    assert "All residents 2  − 1 unsubscribed  =  1" in out
    assert "Together  All residents 2 + The monthly letter 1  − 1 unsubscribed  − 1 on more than one list  =  1" in out
    said = json.loads(workspace.run("recipients", "count", "--list", "all-residents", "--json").out)
    assert (said["will_get"], said["entries"], said["left_out"]) == (1, 2, {"unsubscribed": 1})


def test_an_unknown_list_is_a_problem_with_the_right_name(workspace: Workspace) -> None:
    ran = workspace.run("recipients", "count", "--list", "montly")
    assert ran.exit == 1 and "did you mean monthly" in ran.err


def test_list_goes_on_page_by_page_and_meets_everybody_once(workspace: Workspace) -> None:
    workspace.people(*(f"p{n}@example.org" for n in range(5)))
    seen, after = [], "0"
    for _ in range(3):
        people = json.loads(workspace.run("recipients", "list", "--limit", "2", "--after", after, "--json").out)[
            "people"
        ]
        seen += [person["email"] for person in people]
        after = str(people[-1]["id"])
    assert seen == [f"p{n}@example.org" for n in range(5)]


def test_show_tells_facts_lists_and_proof(workspace: Workspace) -> None:
    imported(workspace)
    subscribing.leave("sam@example.org", ["all-residents"], "one-click")
    out = workspace.run("recipients", "show", "SAM@example.org").out
    for words in (
        "First name",
        "Sam",
        "Ward",
        "North",
        "All residents",
        "left on",
        "joined all-residents by import",
        "by one-click",
    ):
        assert words in out
    person = json.loads(workspace.run("recipients", "show", "sam@example.org", "--json").out)["person"]
    assert [event["event"] for event in person["events"]] == ["joined", "left"]


def test_show_names_near_addresses_for_a_slip(workspace: Workspace) -> None:
    workspace.people("samuel@example.org")
    ran = workspace.run("recipients", "show", "samuel@exmaple.org")
    assert ran.exit == 1 and "no-such-person" in ran.err and "samuel@example.org" in ran.err


def test_an_export_goes_to_a_file_once_and_to_standard_output(workspace: Workspace) -> None:
    imported(workspace)
    target = str(workspace.root / "out.csv")
    assert workspace.run("recipients", "export", target).exit == 0
    assert workspace.run("recipients", "export", target).exit == 4
    assert workspace.run("recipients", "export", target, "--yes").exit == 0
    rows = list(csv.DictReader(workspace.run("recipients", "export", "-").out.splitlines()))
    assert [(row["email"], row["ward"], row["lists"]) for row in rows] == [
        ("sam@example.org", "North", "all-residents")
    ]
    assert json.loads(workspace.run("recipients", "export", target, "--yes", "--json").out)["people"] == 1
    assert workspace.run("recipients", "export", str(workspace.root / "no" / "such" / "x.csv")).exit == 3


def test_a_suppressed_address_is_out_of_every_count_until_it_is_lifted_with_a_reason(workspace: Workspace) -> None:
    imported(workspace)
    add = ("recipients", "suppress", "add", "sam@example.org", "--why", "asked on the telephone")
    assert workspace.run(*add).exit == 0
    assert "already" in workspace.run(*add).out
    assert json.loads(workspace.run("recipients", "count", "--json").out)["left_out"] == {"staff": 1}
    assert "sam@example.org" in workspace.run("recipients", "suppress", "list").out
    assert workspace.run("recipients", "suppress", "remove", "sam@example.org").exit == 2
    assert workspace.run("recipients", "suppress", "remove", "sam@example.org", "--why", "her wish").exit == 0
    assert json.loads(workspace.run("recipients", "count", "--json").out)["will_get"] == 1
    assert workspace.run("recipients", "suppress", "remove", "sam@example.org", "--why", "again").exit == 1
    assert workspace.run("recipients", "suppress", "add", "nonsense").exit == 1


@pytest.mark.parametrize("command", [(), ("import",), ("suppress",), ("export",)])
def test_every_command_explains_itself(workspace: Workspace, command: tuple[str, ...]) -> None:
    ran = workspace.run("recipients", *command, "--help")
    assert ran.exit == 0 and "Usage: newsletter recipients" in ran.out


def test_the_demo_file_is_found_from_anywhere(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace.write("recipients/demo.csv", make_demo.demo())
    monkeypatch.chdir("/")
    assert (
        workspace.run(
            "recipients",
            "import",
            "recipients/demo.csv",
            "--yes",
            "--consent",
            "Ticked: send me the newsletter, form of May 2026",
        ).exit
        == 0
    )
    assert json.loads(workspace.run("recipients", "count", "--json").out)["will_get"] == 500
