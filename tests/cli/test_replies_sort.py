"""`newsletter replies sort`: mail in files is judged, in the format that others read, and nothing is stored."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Run

PERSON = (
    "From: ameera@example.net\nSubject: Re: x\n\nCan you help?\n\nOn Mon, 23 Nov 2026 at 10:00, Us wrote:\n> Hello\n"
)
AWAY = "From: bo@example.net\nSubject: Re: x\nAuto-Submitted: auto-replied\n\nI am away.\n"
LEAVES = "From: cy@example.net\nSubject: Re: x\n\nUnsubscribe\n"
GONE = """From: MAILER-DAEMON@mx.example.net
Subject: Undelivered
Content-Type: multipart/report; report-type=delivery-status; boundary=x

--x
Content-Type: text/plain

It could not be delivered.
--x
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; dee@example.net
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user
--x--
"""
MAILS = {"person.eml": PERSON, "away.eml": AWAY, "leaves.eml": LEAVES, "gone.eml": GONE}
KEYS = ["file", "kind", "reason", "recipients", "new_words"]


def written(folder: Path) -> list[str]:
    for name, text in MAILS.items():
        (folder / name).write_text(text, encoding="utf-8")
    return list(MAILS)


def told(out: str) -> dict[str, dict[str, object]]:
    """The objects by file; each on a line of its own."""
    found = [json.loads(line) for line in out.splitlines()]
    assert all(list(one) == KEYS for one in found), "the keys that docs/reference/formats.md promises, in order"
    return {one["file"]: one for one in found}


def test_each_file_gets_one_line_in_the_format_that_others_read(newsletter: Run, tmp_path: Path) -> None:
    ran = newsletter("replies", "sort", *written(tmp_path), "--json")
    found = told(ran.stdout)
    assert ran.returncode == 0 and list(found) == list(MAILS)
    assert {name: one["kind"] for name, one in found.items()} == {
        "person.eml": "person", "away.eml": "auto", "leaves.eml": "unsubscribe", "gone.eml": "bounce",
    }  # fmt: skip
    assert found["gone.eml"]["recipients"] == [{"address": "dee@example.net", "outcome": "gone", "status": "5.1.1"}]
    assert found["person.eml"]["new_words"] == "Can you help?" and found["person.eml"]["recipients"] == []
    assert found["away.eml"]["reason"] == "Auto-Submitted: auto-replied (RFC 3834)"


def test_the_paths_may_come_on_standard_input(newsletter: Run, tmp_path: Path) -> None:
    paths = "\n".join(written(tmp_path))
    ran = newsletter("replies", "sort", "--json", input=f"{paths}\n\n")
    assert ran.returncode == 0 and list(told(ran.stdout)) == list(MAILS)


def test_a_mail_itself_may_come_on_standard_input(newsletter: Run) -> None:
    found = told(newsletter("replies", "sort", "-", "--json", input=AWAY).stdout)
    assert found["-"]["kind"] == "auto"


def test_people_read_sentences_and_a_sum(newsletter: Run, tmp_path: Path) -> None:
    said = newsletter("replies", "sort", *written(tmp_path)).stdout
    assert "away.eml: auto (out-of-office), Auto-Submitted" in said and "dee@example.net: gone 5.1.1" in said
    assert "4 messages: 1 person, 1 auto, 1 unsubscribe, 1 bounce" in said


def test_nothing_is_stored_and_no_workspace_is_needed(newsletter: Run, tmp_path: Path) -> None:
    newsletter("replies", "sort", *written(tmp_path), "--json")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(MAILS)


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_looked_at(newsletter: Run, tmp_path: Path) -> None:
    ran = newsletter("replies", "sort", "missing.eml", *written(tmp_path), "--json")
    assert ran.returncode == 1 and "missing.eml" in ran.stderr and list(told(ran.stdout)) == list(MAILS)


def test_no_file_at_all_is_a_wrong_use(newsletter: Run) -> None:
    ran = newsletter("replies", "sort", "--json")
    assert ran.returncode == 2 and "no-mail-to-sort" in ran.stdout + ran.stderr
