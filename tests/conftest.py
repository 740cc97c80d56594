"""What every test shares: the --everything switch, and skips that say why."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.browsing import browser, find_chromium  # noqa: F401 (a fixture for every test)
from tests.workspace import (  # noqa: F401 (fixtures for every test)
    cluster,
    folder,
    migrated,
    migrated_postgresql,
    workspace,
)

ROOT = Path(__file__).resolve().parent.parent
CORPORA = Path(os.environ.get("NEWSLETTER_CORPORA") or ROOT.parent / "shared" / "corpora")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--everything",
        action="store_true",
        help="also run browser and integration suites; nothing may be skipped for want of a program",
    )
    parser.addoption(
        "--database",
        choices=("sqlite", "postgresql"),
        default="sqlite",
        help="what a workspace's database is; postgresql starts a server of the tests' own",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Property tests look at some examples every day and at ten times as many in --everything; never at the clock."""
    for name, examples in (("everyday", 50), ("everything", 500)):
        settings.register_profile(name, max_examples=examples, deadline=None)
    settings.load_profile("everything" if config.getoption("--everything") else "everyday")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    everything = config.getoption("--everything")
    for item in items:
        for mark in ("browser", "integration"):
            if item.get_closest_marker(mark) and not everything:
                item.add_marker(pytest.mark.skip(reason=f"{mark} suite: run by `make check`"))
        if item.get_closest_marker("sqlite") and config.getoption("--database") != "sqlite":
            item.add_marker(pytest.mark.skip(reason="about the file that SQLite keeps"))
        if item.get_closest_marker("browser") and everything and not find_chromium():
            reason = "no Chromium on this machine: `make system` installs it"
            if os.environ.get("CI"):
                pytest.exit(reason, returncode=1)  # CI may leave nothing out
            item.add_marker(pytest.mark.skip(reason=reason))
