"""The catcher's page: every mail on this computer, as a reader would see it, and nothing of it gets out."""

from __future__ import annotations

import re
import socket
import threading
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

from newsletter.cli.catch_mail import Caught, Line, Mailbox

PER_PAGE = 100
_LOGO = (
    '<svg viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="7" fill="#0b5679"/>'
    '<path d="M24.5 7.5 7.5 14l6.5 3.2L17.5 24.5zM14 17.2l10.5-9.7" fill="none" stroke="#fff" stroke-width="2" '
    'stroke-linejoin="round" stroke-linecap="round"/></svg>'
)
# The page itself runs no script and loads nothing from anywhere else.
_PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; frame-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
# The mail in its frame: no script, no form, no font, pictures only out of the mail or from this computer. Links open
# in a tab of their own, which is not locked.
_MAIL_POLICY = (
    "default-src 'none'; img-src 'self' data: http://127.0.0.1:* http://localhost:*; style-src 'unsafe-inline'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Page:
    """Serves the page in a thread. Port 0 takes a free one. Raises OSError where it cannot listen."""

    def __init__(self, folder: Path, host: str, port: int, zone: str = "UTC") -> None:
        mailbox, style = Mailbox(folder, zone), Path(__file__).with_name("catch_page.css").read_bytes()

        class Handler(_Handler):
            pass

        Handler.mailbox, Handler.style = mailbox, style
        _Server.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._server = _Server((host, port), Handler)
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="catch-page", daemon=True)

    def start(self) -> Page:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


class _Handler(BaseHTTPRequestHandler):
    mailbox: Mailbox
    style: bytes
    server_version, sys_version = "newsletter", ""

    def do_GET(self) -> None:
        """Only reading: nothing here changes anything."""
        # A stranger's page could point its own name at this computer (DNS rebinding) and read the mail.
        host = self.headers.get("Host", "").rsplit(":", 1)[0] if "]" not in self.headers.get("Host", "") else "[::1]"
        if host not in _LOCAL_NAMES:
            return self._send(403, "text/plain", b"This page answers to 127.0.0.1 and localhost only.\n")
        url = urlsplit(self.path)
        asked = {key: values[0] for key, values in parse_qs(url.query).items()}
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        if parts == [""]:
            words, page = asked.get("q", "")[:200], asked.get("page", "1")
            return self._page(listing(self.mailbox.lines(), words, page, self.mailbox.zone))
        if parts == ["style.css"]:
            return self._send(200, "text/css; charset=utf-8", self.style)
        mail = self.mailbox.open(parts[1]) if parts[0] == "mail" and len(parts) in (2, 3, 4) else None
        if mail is None or not self._mail(mail, parts[2] if len(parts) > 2 else "", parts[3:]):
            self._page(_frame("Not here", "<h1>That mail is not here</h1><p><a href='/'>All mail</a></p>"), 404)

    do_HEAD = do_GET

    def _mail(self, mail: Caught, view: str, rest: list[str]) -> bool:
        if view == "cid" and rest and rest[0] in mail.pictures:
            kind, data = mail.pictures[rest[0]]
            self._send(200, kind, data)
        elif view == "frame" and mail.html:
            self._send(200, "text/html; charset=utf-8", _locked(mail).encode("utf-8", "replace"), policy=_MAIL_POLICY)
        elif view == "raw":
            self._send(200, "message/rfc822", mail.raw, download=f"{mail.line.name}.eml")
        elif view in ("", "text", "source") and not rest:
            self._page(opened(mail, view or ("html" if mail.html else "text")))
        else:
            return False
        return True

    def _page(self, text: str, status: int = 200) -> None:
        self._send(status, "text/html; charset=utf-8", text.encode("utf-8", "replace"))

    def _send(self, status: int, kind: str, body: bytes, *, policy: str = _PAGE_POLICY, download: str = "") -> None:
        self.send_response(status)
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }
        if download:
            headers["Content-Disposition"] = f'attachment; filename="{download}"'
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet: the terminal belongs to the catcher."""


def listing(lines: list[Line], words: str, page: str, zone: str) -> str:
    """All mail, newest first, a hundred to a page."""
    found = [line for line in lines if line.matches(words)]
    last = max(1, -(-len(found) // PER_PAGE))
    number = min(max(1, int(page) if page.isdecimal() and len(page) < 6 else 1), last)
    shown = found[(number - 1) * PER_PAGE : number * PER_PAGE]
    counted = f"{len(found):,} of {len(lines):,} mails" if words else _mails(len(lines))
    items = "".join(
        f'<li><a href="/mail/{line.name}"><strong dir="auto">{escape(line.subject)}</strong>'
        f'<span class="people">From <bdi>{escape(line.sender)}</bdi> to <bdi>{escape(line.to)}</bdi></span>'
        f"<time>{escape(line.at)}</time></a></li>"
        for line in shown
    )
    nothing = "No mail has these words." if words else "No mail yet. Send an issue, and it arrives here."
    body = f'<ul class="mails">{items}</ul>' if items else f'<p class="pad quiet">{nothing}</p>'
    steps = _steps(number, last, words)
    return _frame(
        "Caught mail",
        '<div class="top"><div><h1>Caught mail</h1>'
        f'<p class="quiet">{counted}, newest first. Times are those of {escape(zone.replace("_", " "))}.</p></div>'
        f'<form action="/"><div class="field"><label for="q">Find by person or subject</label>'
        f'<input id="q" name="q" type="search" value="{escape(words)}"></div><button>Find</button></form></div>'
        f'<div class="card">{body}</div>{steps}',
    )


def opened(mail: Caught, view: str) -> str:
    """One mail: what the reader sees, its plain text, or its source."""
    line = mail.line
    views = [("html", "As people see it", ""), ("text", "Plain text", "/text"), ("source", "Headers", "/source")]
    links = "".join(
        f'<a class="button" href="/mail/{line.name}{path}"{" aria-current=page" if key == view else ""}>{label}</a>'
        for key, label, path in views
        if key != "html" or mail.html
    )
    if view == "html":
        body = (
            f'<iframe title="The mail: {escape(line.subject)}" src="/mail/{line.name}/frame" '
            'sandbox="allow-popups allow-popups-to-escape-sandbox" referrerpolicy="no-referrer"></iframe>'
        )
    elif view == "text":
        body = f'<pre dir="auto" tabindex="0">{escape(mail.text) or "This mail has no text."}</pre>'
    else:
        rows = [(f"Envelope {key.lower()}", f"<{value}>") for key, value in mail.envelope] + list(mail.headers)
        body = f'<div class="pad">{_rows(rows)}</div>'
    senders = [value for key, value in mail.headers if key == "from"] or [line.sender]
    facts = [("From", senders[0]), ("To", line.to), ("Came", line.at), ("Size", f"{mail.size / 1000:,.1f} KB")]
    return _frame(
        line.subject,
        f'<p class="back"><a href="/">All mail</a></p><h1 dir="auto">{escape(line.subject)}</h1>'
        f'<div class="card pad">{_rows(facts)}</div>'
        f'<nav aria-label="Views">{links}<a class="button" href="/mail/{line.name}/raw">Download .eml</a></nav>'
        f'<div class="card">{body}</div>',
    )


def _rows(rows: list[tuple[str, str]]) -> str:
    return f"<dl>{''.join(f'<dt>{escape(name)}</dt><dd dir=auto>{escape(value)}</dd>' for name, value in rows)}</dl>"


def _steps(number: int, last: int, words: str) -> str:
    query = f"q={quote(words)}&amp;" if words else ""
    links = [("Newer", number - 1), ("Older", number + 1)]
    made = "".join(f'<a class="button" href="/?{query}page={n}">{name}</a>' for name, n in links if 1 <= n <= last)
    return f'<nav aria-label="Pages">{made}</nav>' if made else ""


def _locked(mail: Caught) -> str:
    """The mail's HTML with its own pictures, and links that open beside this page."""
    html = re.sub(r"""(["'(])cid:([^"')\s]{1,200})""", rf"\1/mail/{mail.line.name}/cid/\2", mail.html)
    return re.sub(r"(<head\b[^>]*>|\A(?!.*<head\b))", r'\1<base target="_blank">', html, count=1, flags=re.I | re.S)


def _mails(count: int) -> str:
    return "1 mail" if count == 1 else f"{count:,} mails"


def _frame(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)} · Newsletter catcher</title>"
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="/style.css">'
        '<link rel="icon" href="data:,"></head><body><header><div class="bar">'
        f'<a class="mark" href="/">{_LOGO}Newsletter</a>'
        "<p>Mail caught on this computer. None of it was sent any further.</p></div></header>"
        f"<main>{body}</main></body></html>"
    )
