"""What is seen of a sending under way: by a person in a window of any width, and by a program that reads events."""

from __future__ import annotations

import json
import re

import pytest

from newsletter.cli import sending_screen, sending_words
from newsletter.cli.output import Output
from newsletter.sending.models import STATES
from newsletter.sending.progress import ProviderLine
from tests.workspace import Workspace

COUNTS = {**dict.fromkeys(STATES, 0), "accepted": 11640, "deferred": 338, "failed": 86, "pending": 5678}
SLUG = "2026-11-24-worry"
ISSUE = "---\nsubject: Is it you?\nfrom: council\naudience: [all-residents]\n---\n\n# Is it you?\n\nHello.\n"


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_the_bar_fits_the_window(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setattr(Output, "fancy", property(lambda self: True))
    monkeypatch.setenv("COLUMNS", str(columns))
    line = re.sub(r"\x1b\[[0-9;]*m", "", sending_words.bar(Output(None), COUNTS, 21.0, "4 min 30 s"))  # type: ignore[arg-type]
    assert len(line) <= columns - 2 and "━" in line and "66%" in line and "4 min 30 s left" in line


def test_a_provider_that_is_slowed_is_said_in_words_and_first() -> None:
    lines = sending_screen.provider_lines(
        [
            ProviderLine("Outlook", 2217, 0, 0),
            ProviderLine("Google", 1204, 38, 2, "slowed to 10 a minute until 14:35"),
            *(ProviderLine(f"small-{n}.example", 1, 0, 0) for n in range(7)),
        ]
    )
    words = "1,204 accepted, 38 trying again, 2 failed; slowed to 10 a minute until 14:35"
    assert lines[0].startswith("  Google ") and lines[0].endswith(f"  {words}")
    assert lines[-1] == "  3 more providers  3 accepted"


def test_lines_are_drawn_where_the_last_ones_stood(capsys: pytest.CaptureFixture[str]) -> None:
    screen = sending_screen.Redrawn(Output(None))  # type: ignore[arg-type]
    screen.draw(["one", "two", "three"])
    screen.draw(["one"])
    assert capsys.readouterr().out == "\x1b[Jone\ntwo\nthree\n\x1b[3F\x1b[Jone\n"


def test_events_are_json_lines_beside_the_one_object(workspace: Workspace) -> None:
    workspace.write(f"issues/{SLUG}/issue.md", ISSUE)
    workspace.people(*(f"p{number}@home.example" for number in range(5)))
    ran = workspace.run("send", "--yes", "--expect", "5", "--json", "--events")
    assert ran.exit == 0, ran.out + ran.err
    assert json.loads(ran.out)["accepted"] == 5
    events = [json.loads(line) for line in ran.err.splitlines()]
    assert events[0]["event"] == "progress" and events[-1]["event"] == "ended"
    assert all(sum(event["counts"].values()) == 5 for event in events)
    assert events[-1]["counts"]["accepted"] == 5 and events[-1]["ended"] == "done"


def test_without_events_standard_error_is_silent(workspace: Workspace) -> None:
    workspace.write(f"issues/{SLUG}/issue.md", ISSUE)
    workspace.people("p@home.example")
    ran = workspace.run("send", "--yes", "--expect", "1", "--json")
    assert ran.exit == 0 and ran.err == ""
