"""The look of the public pages: one small stylesheet inside each page, named by its hash in the security header."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from markupsafe import Markup

TEXT = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
CSS = Markup(TEXT)  # noqa: S704  our own file
CSS_HASH = "sha256-" + base64.b64encode(hashlib.sha256(TEXT.encode()).digest()).decode()
