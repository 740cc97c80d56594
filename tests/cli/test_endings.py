"""Every ending of the command has its exit code and plain words; --json keeps standard output pure."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run

COMMANDS_FOR_MACHINES = [("config", "show"), ("list",), ("status",), ("recipients", "count"), ("replies", "list")]


def broken(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The command with one of its parts replaced by `code`, as a bug would."""
    start = f"import sys, click; sys.argv = ['newsletter', *{list(words)!r}]\nimport newsletter.cli as cli"
    script = f"{start}\n{code}\ncli.main()"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)


def failing(statement: str) -> str:
    return f"""
@click.command()
@click.option("--json", is_flag=True)
def command(json): {statement}
cli.LazyGroup.get_command = lambda *_: command
"""


def test_no_workspace_is_3(newsletter: Run) -> None:
    done = newsletter("config", "show")
    assert done.returncode == 3
    assert "newsletter init" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("words", COMMANDS_FOR_MACHINES, ids=" ".join)
def test_json_is_one_object_also_when_it_fails(newsletter: Run, words: tuple[str, ...]) -> None:
    done = newsletter(*words, "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["ok"]) == (3, False)
    assert answer["problems"][0]["code"] == "no-workspace"


@pytest.mark.parametrize("words", [("lst",), ("config", "shwo"), ("list", "--jsom")], ids=" ".join)
def test_a_slip_of_the_finger_gets_a_suggestion(newsletter: Run, words: tuple[str, ...]) -> None:
    done = newsletter(*words)
    assert done.returncode == 2
    assert "Did you mean" in done.stderr


@pytest.mark.parametrize("words", [("render", "--jsn"), ("recipients", "import"), ("stauts",)], ids=" ".join)
def test_wrong_usage_is_said_like_every_other_problem(newsletter: Run, words: tuple[str, ...]) -> None:
    done = newsletter(*words)
    assert done.returncode == 2
    assert done.stderr.startswith("✗ Must fix  ") and "[wrong-usage]" in done.stderr
    assert "Error:" not in done.stderr and "--help` shows how it is used" in done.stderr


def test_wrong_usage_for_a_machine_is_the_object_too(newsletter: Run) -> None:
    done = newsletter("lst", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["problems"][0]["code"] == "wrong-usage"


def test_json_after_two_dashes_is_a_word(newsletter: Run) -> None:
    assert newsletter("lst", "--", "--json").stdout == ""


def test_a_bug_is_70_and_leaves_a_report_without_addresses(tmp_path: Path) -> None:
    done = broken(failing('raise KeyError("sam@example.org password=hunter2")'), "list", "ann@example.org")
    done = broken(failing('raise KeyError("sam@example.org password=hunter2")'), "list")
    assert done.returncode == 70
    assert "Traceback" not in done.stderr and "sam@" not in done.stderr
    path = next(Path(word) for word in done.stderr.split() if "newsletter-bug-" in word)
    report = path.read_text()
    path.unlink()
    assert "KeyError" in report and "Traceback" in report
    assert "sam@" not in report and "hunter2" not in report


def test_debug_shows_the_bug_itself() -> None:
    done = broken(failing("1 / 0"), "--debug", "list")
    assert "ZeroDivisionError" in done.stderr and "Traceback" in done.stderr


def test_ctrl_c_is_130_without_a_traceback() -> None:
    done = broken(failing("raise KeyboardInterrupt"), "list")
    assert (done.returncode, done.stderr.strip()) == (130, "Interrupted.")


def test_a_full_disk_is_a_problem_not_a_bug() -> None:
    done = broken(failing("raise OSError(28, 'No space left on device', 'build/x.html')"), "list", "--json")
    assert done.returncode == 3
    problem = json.loads(done.stdout)["problems"][0]
    assert problem["code"] == "machine-refused"
    assert "No space left on device: build/x.html" in problem["message"]


def test_a_question_and_nobody_there_is_4(newsletter: Run) -> None:
    done = newsletter("init", "here")
    assert done.returncode == 4
    assert "[no-answer]" in done.stderr
    assert "newsletter init --defaults asks nothing" in done.stderr


def test_a_reader_that_has_seen_enough_is_no_error(newsletter: Run, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with subprocess.Popen(
        [sys.executable, "-m", "newsletter", "explain"], stdout=writing, stderr=subprocess.PIPE, text=True
    ) as process:
        os.close(writing)
        _, err = process.communicate(timeout=30)
    assert "Traceback" not in err and "BrokenPipe" not in err
    assert process.returncode in (0, 1, -signal.SIGPIPE)


def test_a_terminal_without_our_signs_shows_something_else_and_lives(newsletter: Run) -> None:
    done = newsletter("config", "show", PYTHONIOENCODING="ascii")
    assert done.returncode == 3
    assert "Must fix" in done.stderr


def test_json_in_an_old_encoding_is_still_json(newsletter: Run) -> None:
    done = newsletter("explain", "no-workspace", "--json", PYTHONIOENCODING="latin-1")
    assert json.loads(done.stdout)["code"] == "no-workspace"


def test_explain_knows_every_code_by_its_nearest_name(newsletter: Run) -> None:
    assert "What to do" in newsletter("explain", "no-workspace").stdout
    done = newsletter("explain", "no-worksapce")
    assert (done.returncode, "did you mean no-workspace?" in done.stderr) == (2, True)
    assert "no-workspace" in newsletter("explain").stdout
