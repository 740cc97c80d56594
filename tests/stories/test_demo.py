"""`newsletter demo` tells the whole story, its numbers add up, and it can be told again in the same folder."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from newsletter.config import load

pytestmark = pytest.mark.sqlite  # the demo is for this computer only and always keeps a file


def demo(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "newsletter", "demo", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=115, check=False)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, float]:
    """One telling: its folder, what it printed, and its seconds."""
    folder = tmp_path_factory.mktemp("story")
    began = time.monotonic()
    done = demo(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "demo", done.stdout, time.monotonic() - began


def test_the_numbers_add_up_and_nobody_got_two(told: tuple[Path, str, float]) -> None:
    root, said, _ = told
    assert "500 people = 500 accepted" in said
    letters = [text for path in mails(root) if "\nList-Id: " in (text := path.read_text())]  # not the desk's answer
    recipients = re.findall(r"^X-Envelope-To: <([^>]+)>", "".join(letters), re.MULTILINE)
    assert said.count("Answered ") == 1 and len(mails(root)) > len(letters)
    people = [one for one in recipients if not one.startswith(("reply+", "bounce+"))]
    assert len(people) == len(set(people)) == 500


def mails(root: Path) -> list[Path]:
    return sorted((root / "var" / "mail").glob("*.eml"))


def test_every_place_it_names_is_there(told: tuple[Path, str, float]) -> None:
    root, said, _ = told
    paths = re.findall(r"\bdemo/\S+\.(?:html|eml|png)\b", said)
    assert len(paths) >= 2
    assert all((root.parent / path).is_file() for path in paths)


def test_it_names_only_commands_that_exist(told: tuple[Path, str, float]) -> None:
    from newsletter.cli import COMMANDS

    named = re.findall(r"newsletter ([a-z]+)", told[1].partition("Where to look next")[2])
    assert len(named) >= 4
    assert set(named) <= set(COMMANDS)


def test_what_it_leaves_behind_is_a_sound_workspace(told: tuple[Path, str, float]) -> None:
    root = told[0]
    assert load(root).catch.smtp != load(root).catch.web
    done = subprocess.run(
        [sys.executable, "-m", "newsletter", "-C", str(root), "doctor", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_its_servers_are_gone(told: tuple[Path, str, float]) -> None:
    assert_no_servers(told[0])


def assert_no_servers(root: Path) -> None:
    config = load(root)
    for place in (config.catch.smtp, config.catch.web, config.web.listen):
        host, _, port = place.rpartition(":")
        with socket.socket() as probe:
            assert probe.connect_ex((host, int(port))) != 0, place


def test_it_can_be_told_again_in_the_same_folder(told: tuple[Path, str, float]) -> None:
    root = told[0]
    (root / "mine.txt").write_text("lost: it is the demo's folder")
    answer = json.loads(demo(root.parent, "--json").stdout)
    assert answer["ok"] and answer["replaced"]
    assert answer["ledger"]["frozen"] == 500 == answer["next_time"] + answer["left"]
    assert not (root / "mine.txt").exists()


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"meow")
    done = demo(tmp_path, "photos")
    assert (done.returncode, "[foreign-folder]" in done.stderr) == (4, True)
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["cat.jpg"]


def test_a_newsletter_of_ones_own_is_left_alone(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "newsletter", "init", "ours", "--defaults"], cwd=tmp_path, check=True)
    assert demo(tmp_path, "ours").returncode == 4
    assert (tmp_path / "ours" / "newsletter.toml").is_file()


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_ended_in_the_middle_it_leaves_no_server_behind(tmp_path: Path, sign: signal.Signals) -> None:
    command = [sys.executable, "-m", "newsletter", "demo"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stdout:  # type: ignore[union-attr]
            if line.startswith("✓ Checked"):
                break
        while not (tmp_path / "demo" / "var" / "demo-web.log").exists():
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.001)  # another process: there is nothing to wait on but its file
        process.send_signal(sign)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in said) == (130, False), said
    assert_no_servers(tmp_path / "demo")
    ours = str(tmp_path / "demo").encode()
    for words in Path("/proc").glob("[0-9]*/cmdline"):  # also one that only starts to serve later
        with contextlib.suppress(OSError):
            assert ours not in words.read_bytes(), words


def test_its_logs_name_nobody(told: tuple[Path, str, float]) -> None:
    """Threat T21: what programs write down about their work goes to more eyes than the mail does."""
    root = told[0]
    logs = "".join(path.read_text() for path in (root / "var").glob("*.log"))
    key = next(line.split()[1] for line in (root / "var" / "secret.key").read_text().splitlines() if line[:1].isdigit())
    assert logs
    assert "@" not in logs and key not in logs + told[1]
