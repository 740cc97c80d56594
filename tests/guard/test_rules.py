"""The import order of the story, and locks that cannot be swapped under us."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_packages_import_only_to_their_left() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("name", ["app", "dev"])
def test_every_locked_package_has_its_hash_and_no_address(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.lock").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[a-z0-9])", text)
    pinned = [entry for entry in entries if re.match(r"[a-z0-9][\w.\[\]-]*==", entry)]
    assert len(pinned) > 15
    assert all("--hash=sha256:" in entry for entry in pinned)
    assert "://" not in text


def test_what_the_lock_installs_is_what_the_wheel_asks_for() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]}  # type: ignore[index]
    listed = {re.match(r"[\w-]+", line)[0] for line in (ROOT / "requirements/app.in").read_text().split()}  # type: ignore[index]
    assert wanted == listed
    locked = set(re.findall(r"^([a-z0-9][\w-]*)==", (ROOT / "requirements/app.lock").read_text(), re.MULTILINE))
    assert wanted <= locked


def test_every_requirement_of_the_application_is_in_the_development_lock_at_the_same_version() -> None:
    pins = [
        dict(re.findall(r"^([a-z0-9][\w-]*)==(\S+)", (ROOT / f"requirements/{name}.lock").read_text(), re.MULTILINE))
        for name in ("app", "dev")
    ]
    assert pins[0].items() <= pins[1].items()
