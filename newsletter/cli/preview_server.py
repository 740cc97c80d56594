"""Serves the preview on this computer: the page, one reader's copy of the mail, and word that a file was saved."""

from __future__ import annotations

import json
import re
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from newsletter.cli import copies_for_reading as copies
from newsletter.cli.check import MOST_SHOWN
from newsletter.problems import NewsletterError, Problem, Severity, Where, worst_first

if TYPE_CHECKING:
    from newsletter.config import Config

HERE = Path(__file__).parent
PAGES = {"/": ("preview_page.html", "text/html"), "/preview_page.css": ("preview_page.css", "text/css"),
         "/preview_page.js": ("preview_page.js", "text/javascript")}  # fmt: skip
# The mail's own styles are inline; it may show our pictures and nothing else, and nobody may frame this page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HOLD = 20.0  # seconds that a question for changes waits; a browser gives up much later
LOOK = 0.15  # seconds between two looks at the files: quicker than a person turns from editor to browser
MOST_PEOPLE = 30


class Preview:
    """One issue under preview. Renders on demand; safe to use from several threads."""

    def __init__(self, read_config: Any, folder: Path, address: str = "") -> None:
        self.read_config, self.folder, self.address = read_config, folder, address
        self.config: Config = read_config()
        self._config_read = _stamp(self.config.root / "newsletter.toml")
        self.lock = Lock()
        self.stopped = Event()
        self.assets: dict[str, tuple[str, bytes]] = {}

    def version(self) -> str:
        """Changes when any file that the mail depends on is saved."""
        theme_folders = (self.config.root / "templates", self.config.root / "issues" / "partials")
        seen = []
        for folder in (self.folder, *theme_folders):
            seen += [(str(path), _stamp(path)) for path in sorted(folder.rglob("*")) if path.is_file()]
        seen.append(("newsletter.toml", _stamp(self.config.root / "newsletter.toml")))
        return f"{hash(tuple(seen)) & 0xFFFFFFFFFFFF:x}"

    def copy(self, asked: dict[str, str]) -> dict[str, Any]:
        """What the page shows for one reader, language and way of looking."""
        with self.lock:
            version, started = self.version(), time.perf_counter()
            try:
                return {"version": version, **self._copy(asked, started)}
            except NewsletterError as error:
                return {"version": version, **self._empty(list(error.problems))}

    def _copy(self, asked: dict[str, str], started: float) -> dict[str, Any]:
        from newsletter.content import finding
        from newsletter.rendering import check_mail

        stamp = _stamp(self.config.root / "newsletter.toml")
        if stamp != self._config_read:  # reading it takes as long as reading an issue
            self.config, self._config_read = self.read_config(), stamp
        config = self.config
        languages = finding.languages(self.folder)
        language = asked.get("language", "")
        loaded = copies.load(config, self.folder, language if language in languages else "")
        if loaded.rendered is None:
            return self._empty(loaded.problems)
        people = self._people(config, loaded)
        reader, unknown = self._reader(config, loaded, asked.get("as", ""))
        made = copies.copy(config, loaded.issue, loaded.rendered, reader)
        milliseconds = round((time.perf_counter() - started) * 1000)
        for asset in loaded.rendered.assets:
            self.assets[asset.path] = (asset.content_type, asset.data)
        sender = config.senders.get(loaded.issue.front.sender)
        return {
            "title": loaded.rendered.title,
            "file": f"issues/{self.folder.name}/{loaded.issue.file}",
            "from": sender.name if sender else config.site.name,
            "subject": made.subject,
            "preheader": made.preheader,
            "html": shown(
                made.html, config, loaded, dark=asked.get("dark") == "1", blocked=asked.get("blocked") == "1"
            ),
            "text": made.text,
            **_told([*loaded.problems, *made.problems]),
            "kilobytes": check_mail.encoded_size(loaded.rendered.html) / 1024,
            "milliseconds": milliseconds,
            "people": people,
            "unknown": unknown,
            "languages": [(name, name or f"{config.site.language} (issue.md)") for name in languages],
        }

    def _empty(self, problems: list[Problem]) -> dict[str, Any]:
        texts = dict.fromkeys(("from", "subject", "preheader", "html", "text", "unknown"), "")
        title = "This issue cannot be shown yet"
        more = {"kilobytes": 0, "milliseconds": 0, "people": [("", "Example")], "languages": [("", "issue.md")]}
        return {**texts, **more, "title": title, "file": f"issues/{self.folder.name}", **_told(problems)}

    def _people(self, config: Config, loaded: copies.Loaded) -> list[tuple[str, str]]:
        """The choices of “see it as”: example values first, then people of the CSV files."""
        people = [("", f"As {copies.example(config, loaded.issue).label}"), ("nobody", "As somebody without a name")]
        if self.address:
            people.insert(0, (self.address, f"As {self.address}"))
        return people + [
            (one.fields["email"], f"As {one.label}") for one in copies.rows(config, MOST_PEOPLE) if one.label
        ]

    def _reader(self, config: Config, loaded: copies.Loaded, who: str) -> tuple[copies.Reader, str]:
        """Whose copy to show, and words for the page where nobody has the address that was asked for."""
        if who == "nobody":
            return copies.nobody(loaded.issue), ""
        if who:
            try:
                return copies.find(config, loaded.issue, who), ""
            except NewsletterError as error:
                if error.problems[0].code != "unknown-person":
                    raise
        words = f"Nobody here has the address {who[:100]}. You see the example person." if who else ""
        return copies.example(config, loaded.issue), words

    def wait(self, version: str) -> bool:
        """True as soon as something was saved after `version`; False when nothing was for a while."""
        end = time.monotonic() + HOLD
        while time.monotonic() < end and not self.stopped.is_set():
            if self.version() != version:
                return True
            self.stopped.wait(LOOK)
        return False


def shown(html: str, config: Config, loaded: copies.Loaded, *, dark: bool, blocked: bool) -> str:
    """The mail's HTML for the frame: pictures from here or blocked, and the colour scheme that was asked for.

    A frame follows the computer's own scheme; so the mail's rules for dark mode are made to hold always, or never.
    """
    assert loaded.rendered is not None
    for asset in loaded.rendered.assets:
        place = "/blocked" if blocked else asset.path
        html = html.replace(f"cid:{asset.cid}", place).replace(f'src="{config.base_url}{asset.path}', f'src="{place}')
    html = re.sub(r"\(\s*prefers-color-scheme\s*:\s*dark\s*\)", "(min-width:0px)" if dark else "(max-width:0px)", html)
    return html.replace('content="light dark"', f'content="{"dark" if dark else "light"}"')


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return found.st_mtime_ns, found.st_size


def _told(problems: list[Problem]) -> dict[str, Any]:
    """How many there are of each severity, and the first of them."""
    found = worst_first(problems)
    counts = {severity.value: sum(one.severity is severity for one in found) for severity in Severity}
    return {"counts": counts, "problems": [_problem(one) for one in found[:MOST_SHOWN]]}


def _problem(problem: Problem) -> dict[str, Any]:
    """A Problem with the part of its line that is marked: somebody may paste 100 KB into one."""
    where = problem.where or Where("")
    start = max(0, (where.column or 1) - 80)
    places = {"column": (where.column or 1) - start, "end_column": (where.end_column or 1) - start}
    return {**problem.as_json(), **places, "source": where.source[start : start + 240]}


class Server(ThreadingHTTPServer):
    """Listens on this computer only."""

    daemon_threads = True

    def __init__(self, port: int, preview: Preview) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.preview = preview

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        # Another site's page could reach 127.0.0.1 under a name of its own (DNS rebinding); it would not say this host.
        if (self.headers.get("Host") or "").split(":")[0] not in ("127.0.0.1", "localhost"):
            return self._answer(403, "text/plain", b"This preview answers only to 127.0.0.1.")
        asked = urlsplit(self.path)
        words = {key: values[0] for key, values in parse_qs(asked.query).items()}
        preview = self.server.preview
        if asked.path in PAGES:
            file, kind = PAGES[asked.path]
            return self._answer(200, kind, (HERE / file).read_bytes())
        if asked.path == "/copy":
            return self._json(preview.copy(words))
        if asked.path == "/changed":
            return self._json({"changed": preview.wait(words.get("version", ""))})
        if asked.path in preview.assets:
            kind, data = preview.assets[asked.path]
            return self._answer(200, kind, data)
        return self._answer(404, "text/plain", b"There is nothing here.")

    def _json(self, value: Any) -> None:
        self._answer(200, "application/json", json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))

    def _answer(self, status: int, kind: str, data: bytes) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8" if kind.startswith("text/") else kind)
            self.send_header("Content-Length", str(len(data)))
            for name, value in (("Content-Security-Policy", POLICY), ("X-Content-Type-Options", "nosniff"),
                                ("Referrer-Policy", "no-referrer"), ("Cache-Control", "no-store")):  # fmt: skip
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the page was closed or asked for something newer

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the terminal belongs to the person who writes."""
