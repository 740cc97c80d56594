"""The template environment of the public pages: everything is escaped, and a forgotten value is an error."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, StrictUndefined

from newsletter.web.look import CSS, FRAME, SCRIPT


def environment(**options: Any) -> Environment:
    """Called by Django with its own options (auto-escaping is among them)."""
    made = Environment(**{**options, "undefined": StrictUndefined, "autoescape": True})  # noqa: S701  it is True
    made.globals["css"] = CSS
    made.globals["script"] = SCRIPT
    made.globals["frame_css"] = FRAME
    return made
