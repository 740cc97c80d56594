"""Whole mails for tests and pictures: an issue of this repository, in a theme, as one person would get it."""

from __future__ import annotations

import base64
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from newsletter import config as configuration
from newsletter.content import finding, reading
from newsletter.rendering import merge, pipeline, themes
from newsletter.rendering.model import Asset, Mode, Rendered

ROOT = Path(__file__).resolve().parents[2]
THEMES = ("alert", "letter")
TOKEN = "abcdefghijklmnopqrstuvwxyz234567"  # as long as a real one: 32 letters
SYSTEM = {
    "reply_address": f"reply+{TOKEN}@reply.staffordshire.example",
    "reply_url": f"https://news.staffordshire.example/r/r{TOKEN[1:]}",
    "reply_mailto": f"mailto:reply+{TOKEN}@reply.staffordshire.example?subject=Re%3A%20your%20message",
    "unsubscribe_url": f"https://news.staffordshire.example/u/u{TOKEN[1:]}",
    "preferences_url": f"https://news.staffordshire.example/p/u{TOKEN[1:]}",
    "rate_url": f"https://news.staffordshire.example/rate/v{TOKEN[1:]}",
    "view_url": f"https://news.staffordshire.example/v/v{TOKEN[1:]}",
    "share_url": "https://news.staffordshire.example/v/public",
    "why": "You get this because you asked for community messages from the Staffordshire Commissioner.",
}


@dataclass(frozen=True)
class Mail:
    """`html` and `text` as the person gets them; `viewable` has the pictures inside, for a browser."""

    rendered: Rendered
    html: str
    text: str

    @property
    def viewable(self) -> str:
        return with_pictures(self.html, self.rendered.assets)


@cache
def config() -> configuration.Config:
    """The configuration of this repository's example workspace."""
    return configuration.load(ROOT, MappingProxyType({}))


def workspace(root: Path, **themes: Mapping[str, Any]) -> configuration.Config:
    """The same configuration for another folder, with other options of themes."""
    return replace(config(), root=root, themes=themes)


def slug(beginning: str) -> Path:
    """The folder of the one example issue whose name holds `beginning`."""
    (found,) = [path for path in finding.all_issues(config()) if beginning in path.name]
    return found


@cache
def mail(theme: str, issue: str, language: str = "", mode: Mode = Mode.SEND) -> Mail:
    """`issue` (part of its folder's name) in `theme`, merged for the person of the previews."""
    made = pipeline.render(reading.read(slug(issue), config(), language), themes.load(theme, config()), config(), mode)
    return merged(made, {})


def variation(
    theme: str, issue: str, old: str, new: str, prepare: Callable[[Path], None] = lambda root: None, **options: Any
) -> Mail:
    """As `mail`, of a copy of the issue in which `old` is `new`; `archive: unlisted` is put in where nothing is said.

    `prepare` may put files into the workspace; `options` are the theme's, as `[themes.NAME]` would set them.
    """
    source = slug(issue)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "issues" / source.name
        shutil.copytree(source, folder)
        text = (folder / "issue.md").read_text(encoding="utf-8")
        if "archive:" not in text:
            text = text.replace("\nlanguage:", "\narchive: unlisted\nlanguage:", 1)
        assert old in text
        (folder / "issue.md").write_text(text.replace(old, new), encoding="utf-8")
        prepare(Path(name))
        here = workspace(Path(name), **{theme: options})
        made = pipeline.render(reading.read(folder, here), themes.load(theme, here), here)
    return merged(made, {})


def merged(made: Rendered, fields: Mapping[str, Any]) -> Mail:
    """`made` for one person. The person's system values are made up, but have the shape of real ones."""
    person = {**EXAMPLE, **fields}
    variant = merge.variant(made, merge.truths(made, person))
    values = merge.fill(made, variant, person, SYSTEM)
    return Mail(made, merge.join(variant.html, values), merge.join(variant.text, values))


EXAMPLE = {
    "email": "ameera@example.org",
    "name": "Ameera Khan",
    "first_name": "Ameera",
    "last_name": "Khan",
    "language": "en-GB",
    "ward": "Stafford North",
    "meeting": "2026-12-08",
    "list": ["all-residents"],
    "tag": [],
    "area": [],
}


def with_pictures(html: str, assets: tuple[Asset, ...]) -> str:
    """`html` in which every picture of ours is a data: address, so that a browser shows it without a server."""
    for asset in assets:
        data = f"data:{asset.content_type};base64,{base64.b64encode(asset.data).decode()}"
        html = re.sub(rf'src="(cid:{asset.cid}|https?://[^"\s]*{re.escape(asset.path)})"', f'src="{data}"', html)
    return html


def without_styles(html: str) -> str:
    """What an app that throws away every style sheet is left with: attributes and style="" only."""
    return re.sub(r"<style\b.*?</style>", "", html, flags=re.DOTALL)


def unaware_of_dark(html: str) -> str:
    """What an app with its own idea of dark sees: no dark rules and no colour schemes, so that it may invert."""
    html = re.sub(r"<meta[^>]*color-schemes?\"[^>]*>", "", html)
    html = re.sub(r"@media \(prefers-color-scheme: dark\) \{(?:[^{}]*\{[^{}]*\})*\s*\}", "", html)
    return re.sub(r"\[data-ogs[bc]\][^{}]*\{[^{}]*\}", "", html)


def writing_golden() -> bool:
    """True when the golden files are to be written anew: NEWSLETTER_GOLDEN=write."""
    return os.environ.get("NEWSLETTER_GOLDEN") == "write"
