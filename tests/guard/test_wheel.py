"""The wheel is the whole product: installed without the checkout it starts, makes a newsletter and tells the story."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
Type = Callable[..., str]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the checkout by its own back end, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


def test_it_is_called_newsletter_desk_and_carries_what_it_needs(wheel: Path) -> None:
    assert wheel.name.startswith("newsletter_desk-")
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in ROOT.glob("newsletter/**/*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert str(path.relative_to(ROOT)) in names
    for folder in ("templates", "issues", "recipients"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert f"newsletter/_example/{path.relative_to(ROOT)}" in names
    assert "newsletter/_example/newsletter.toml" in names


def test_it_holds_no_test_no_secret_and_no_database(wheel: Path) -> None:
    for name in zipfile.ZipFile(wheel).namelist():
        assert not name.startswith(("tests/", "docs/", "bench/", "var/", "build/"))
        assert not name.endswith((".key", ".db", ".eml", ".pyc"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Type:
    """`newsletter …` of a new environment that has the wheel, and this run's packages for what it depends on."""
    folder = tmp_path_factory.mktemp("installed")
    run = lambda *words: subprocess.run(words, check=True, capture_output=True, cwd=folder)  # noqa: E731
    run(sys.executable, "-m", "venv", "env")
    run("env/bin/pip", "install", "--quiet", "--no-index", "--no-deps", str(wheel))
    (packages,) = (folder / "env" / "lib").glob("python3*/site-packages")
    # A path in a .pth is searched, but the .pth files in it are not read: the checkout stays out of sight.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def newsletter(*words: str, code: int = 0) -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), "LANG": "C.UTF-8"}
        done = subprocess.run(
            [folder / "env/bin/newsletter", *words],
            cwd=folder,
            capture_output=True,
            text=True,
            env=environment,
            timeout=110,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    where = run("env/bin/python", "-c", "import newsletter; print(newsletter.__file__)").stdout.decode()
    assert where.startswith(str(folder)), "the checkout is in sight"
    return newsletter


@pytest.mark.integration
def test_it_makes_an_issue_and_renders_it_without_the_checkout(installed: Type, tmp_path: Path) -> None:
    ours = str(tmp_path / "ours")
    assert "init" in installed("--help")
    assert "newsletter, version" in installed("--version")
    installed("init", ours, "--defaults")
    installed("new", "Hello: a first letter", "-C", ours, "--theme", "letter")
    untouched = json.loads(installed("render", "-C", ours, "--json", code=1))
    assert "left-over-text" in {problem["code"] for problem in untouched["problems"]}
    (issue,) = tmp_path.glob("ours/issues/*/issue.md")
    issue.write_text(issue.read_text("utf-8").replace("Write your message here.", "We meet on Tuesday."), "utf-8")
    assert json.loads(installed("render", "-C", ours, "--json"))["ok"]
    assert "hello-a-first-letter" in installed("list", "-C", ours)


@pytest.mark.integration
def test_it_tells_the_whole_story_without_the_checkout(installed: Type) -> None:
    told = json.loads(installed("demo", "story", "--json"))
    assert told["accepted"] == told["caught"] == told["people"] == 500
