"""One Chromium for all browser tests, and pages that can be looked at in every way a mail is looked at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.conftest import find_chromium


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium without network of its own; closed at the end of the run."""
    path = find_chromium()
    if not path:
        pytest.skip("no Chromium on this machine: `make system` installs it")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
        )
        yield started
        started.close()
