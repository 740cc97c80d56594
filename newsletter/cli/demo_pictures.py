"""Two pictures of a rendered mail, where this computer has a Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from newsletter.cli.doctor_checks import BROWSERS

SIZES = {"phone": (375, 1600), "desktop": (800, 1400)}  # CSS pixels
SECONDS = 15  # a picture takes about one; a browser that hangs is not worth the demo's time


def pictures(page: Path) -> list[Path]:
    """Write phone.png and desktop.png beside `page`; [] where there is no browser or it fails."""
    browser = os.environ.get("NEWSLETTER_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if not browser or not page.is_file():
        return []
    made = []
    for name, (width, height) in SIZES.items():
        target = page.with_name(f"{name}.png")
        with tempfile.TemporaryDirectory() as profile:
            options = ["--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
            options += ["--hide-scrollbars"]  # a mail program has none inside the mail
            options += ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses its sandbox to root
            options += [f"--user-data-dir={profile}", f"--window-size={width},{height}", f"--screenshot={target}"]
            try:
                subprocess.run(
                    [browser, *options, page.as_uri()],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    timeout=SECONDS,
                    check=True,
                )
            except (OSError, subprocess.SubprocessError):
                continue
        if target.is_file():
            made.append(target)
    return made
