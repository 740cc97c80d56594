"""Runs the command as a person does: in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.balanced import balanced  # noqa: F401 (a fixture for every test)
from tests.sending.transports.conftest import certificates  # noqa: F401 (a fixture)

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def newsletter(tmp_path: Path) -> Run:
    """newsletter("list", "--json", input="…") in an empty folder, with what it printed; never shows a traceback."""

    def run(*words: str, input: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "LANG": "C.UTF-8"}
        environment |= {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}  # this very tree
        done = subprocess.run(
            [sys.executable, "-m", "newsletter", *words],
            input=input,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**environment, **variables},
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr or "--debug" in words, done.stderr
        return done

    return run
