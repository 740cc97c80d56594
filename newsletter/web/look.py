"""The look of the public pages: one small stylesheet inside each page, named by its hash in the security header."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from markupsafe import Markup

TEXT = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
CSS = Markup(TEXT)  # noqa: S704  our own file
SCRIPT_TEXT = Path(__file__).with_name("exit.js").read_text(encoding="utf-8")
SCRIPT = Markup(SCRIPT_TEXT)  # noqa: S704  our own file; the page works without it
FRAME_TEXT = Path(__file__).with_name("frame.css").read_text(encoding="utf-8")
FRAME = Markup(FRAME_TEXT)  # noqa: S704  our own file; around a mail, whose own styles are inline
ADDRESS_TEXT = Path(__file__).with_name("address.js").read_text(encoding="utf-8")
ADDRESS_HASH = "sha256-" + base64.b64encode(hashlib.sha256(ADDRESS_TEXT.encode()).digest()).decode()
CSS_HASH = "sha256-" + base64.b64encode(hashlib.sha256(TEXT.encode()).digest()).decode()
SCRIPT_HASH = "sha256-" + base64.b64encode(hashlib.sha256(SCRIPT_TEXT.encode()).digest()).decode()
# As on every page, and the one script that leaves in a hurry.
REPLY_POLICY = (
    f"default-src 'none'; style-src '{CSS_HASH}'; script-src '{SCRIPT_HASH}'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
