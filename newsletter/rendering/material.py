"""What one rendering works with: words, slots, addresses and pictures, handed to templates, blocks and text alike."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

from newsletter.config import Config
from newsletter.content import model as content
from newsletter.files import is_inside
from newsletter.problems import Problem, Where
from newsletter.rendering import languages, pictures, styles
from newsletter.rendering.model import Asset, Mode
from newsletter.rendering.placeholders import Placeholders
from newsletter.rendering.themes import Theme


class Material:
    """Lives as long as one call of `render`; collects slots, pictures and Problems on the way."""

    def __init__(self, issue: content.Issue, theme: Theme, config: Config, mode: Mode) -> None:
        self.issue, self.theme, self.config, self.mode = issue, theme, config, mode
        self.tokens = Placeholders(issue.nonce)
        self.language = issue.language or config.site.language
        self.direction = languages.direction(self.language)
        self.slots: list[content.Slot] = list(issue.slots)
        self.assets: dict[str, Asset] = {}
        self.sizes: dict[str, tuple[int, int]] = {}  # src of a picture → its width and height in pixels
        self.problems: list[Problem] = []
        self._words = theme.words(self.language)
        self._seen: set[tuple[Path, int]] = set()
        self._linked = {file.href: f"{config.base_url}/i/{file.sha256}.{file.extension}" for file in issue.files}
        personal = mode in (Mode.SEND, Mode.TEST)
        public = personal and issue.front.archive != "none"
        # Which targets this installation serves; a page for everybody holds no link that is a person's own.
        self.can = SimpleNamespace(
            reply=personal,
            view=personal,
            unsubscribe=personal,
            preferences=personal,
            share=public,
            rate=personal,
        )

    def words(self, key: str, default: str | None = None, **values: str) -> str:
        """Fixed words in the issue's language, `{name}` in them replaced. Raises ValueError for an unknown key."""
        text = self._words.get(key, default)
        if text is None:
            raise ValueError(f"there are no fixed words called ‘{key}’ in theme.toml")
        return re.sub(r"\{(\w+)\}", lambda match: str(values.get(match[1], match[0])), text)

    def for_whom(self, node: content.Only) -> str:
        """`For people in A, B and C`: the label over a range on a page that everybody can see."""
        names = [
            self.config.lists[value].said(self.language).title
            if key == "list" and value in self.config.lists
            else value
            for key, values in node.terms
            for value in values
        ]
        listed = f" {self.words('and')} ".join(filter(None, (", ".join(names[:-1]), names[-1])))
        if all(key == "list" for key, _ in node.terms):
            return self.words("for_people_not_on" if node.negated else "for_people_on", lists=listed)
        return self.words("for_people_not_in" if node.negated else "for_people_in", places=listed)

    def slot(self, key: str) -> str:
        """The marker of a place that is filled per person. Raises ValueError for an unknown key."""
        for known in self.slots:
            if known.kind is content.SlotKind.SYSTEM and known.key == key:
                return content.marker(self.issue.nonce, known.number)
        if key not in content.SYSTEM_SLOTS:
            raise ValueError(f"there is no slot called ‘{key}’; known: {', '.join(content.SYSTEM_SLOTS)}")
        number = max((known.number for known in self.slots), default=-1) + 1
        self.slots.append(content.Slot(number, key, content.SlotKind.SYSTEM))
        return content.marker(self.issue.nonce, number)

    def without_person(self, text: str) -> str:
        """`text` for everybody: each field as its fallback, or nothing."""
        fallbacks = {slot.number: slot.fallback or "" for slot in self.slots}
        pattern = content.marker_pattern(self.issue.nonce)
        return " ".join(pattern.sub(lambda match: fallbacks.get(int(match[1]), ""), text).split())

    def address(self, href: str) -> str:
        """Where a link leads once it is sent: a linked file has its own public address."""
        return self._linked.get(href, href)

    def picture(self, node: content.Picture) -> SimpleNamespace | None:
        """The facts of a picture that templates see; None where it cannot be used (a Problem says why)."""
        if node.path is None:
            return None  # content has said so
        made, problems = pictures.prepare(node.path, self._where(node))
        if (node.path, node.line) not in self._seen:
            self._seen.add((node.path, node.line))
            self.problems += problems
        if made is None:
            return None
        carried = self.config.images.carry == "cid" or self.mode is Mode.OWN  # what is published is a mailing's
        inline = carried and self.mode is not Mode.WEB
        asset = Asset(made.sha256, made.extension, made.content_type, made.data, inline)
        self.assets.setdefault(made.sha256, asset)
        src = f"cid:{asset.cid}" if inline else f"{self.config.base_url}{asset.path}"
        self.sizes[src] = (made.width, made.height)
        width = min(node.width or made.width, made.width)
        return SimpleNamespace(
            src=src,
            alt=node.alt,
            width=width,
            height=max(1, round(width * made.height / made.width)),
            href=self.address(node.href) if node.href else "",
            caption=node.caption,
            align=styles.keyword(node.align or "center"),
            start=styles.keyword("right" if self.direction == "rtl" else "left"),
        )

    def logo(self, key: str, name: str) -> SimpleNamespace | None:
        """The picture of a theme's option: a path in newsletter.toml starts at its folder, one in theme.toml there."""
        if not name:
            return None
        chosen = key in self.config.themes.get(self.theme.name, {})
        folder = self.config.root if chosen else self.theme.folder
        path = folder / name
        if not (is_inside(path, folder) and path.is_file()):
            hint = "A path in newsletter.toml starts at its folder, one in theme.toml at the theme's."
            where = Where(self.config.origins.get(f"themes.{self.theme.name}.{key}", "theme.toml").partition(":")[0])
            message = f"The picture ‘{name}’ of the option ‘{key}’ is not there"
            self.problems.append(Problem("theme-picture", message, hint=hint, where=where))
            return None
        return self.picture(content.Picture(0, src=name, path=path, alt=self.config.site.name))

    def publish_files(self) -> None:
        """Linked files join the assets, by address always: a mail carries no attachments."""
        types = {"pdf": "application/pdf", "csv": "text/csv", "txt": "text/plain", "ics": "text/calendar"}
        for file in self.issue.files:
            kind = types.get(file.extension, "application/octet-stream")
            asset = Asset(file.sha256, file.extension, kind, file.path.read_bytes(), inline=False)
            self.assets.setdefault(file.sha256, asset)

    def _where(self, node: content.Picture) -> Where:
        lines = self.issue.source.splitlines()
        line = node.line or next((n for n, text in enumerate(lines, 1) if node.src and node.src in text), 0)
        source = lines[line - 1] if 0 < line <= len(lines) and node.file == self.issue.file else ""
        start = source.find(node.src) + 1 if node.src else 0
        return Where(node.file, line or None, start or None, start + len(node.src) if start else None, source)
