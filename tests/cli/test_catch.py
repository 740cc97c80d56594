"""`newsletter catch`: mail is read where it was caught, and can do nothing there."""

from __future__ import annotations

import http.client
import signal
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from newsletter.cli.catch_page import PER_PAGE, Page
from newsletter.sending.transports.catcher import Catcher
from tests.workspace import Workspace

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(60)
HOSTILE = """<html><head><title>x</title></head><body>
<script>parent.postMessage("ran", "*"); document.title = "ran"</script>
<img id="own" src="cid:logo@x"><img src="https://tracker.example/pixel.png" onerror="document.title='ran'">
<form action="https://evil.example"><button>Go</button></form>
<a id="link" href="https://www.example.org/page">Read on</a></body></html>"""


def mail(subject: str = "Hello", html: str = HOSTILE, to: str = "ann@example.org") -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Sam Okafor <sam@x.example>", to, subject
    message.set_content("The plain words & <b>signs</b>.")
    message.add_alternative(html, subtype="html")
    message.get_payload()[1].add_related(PICTURE, "image", "png", cid="<logo@x>")  # type: ignore[index, union-attr, arg-type]
    return message.as_bytes()


@pytest.fixture
def mails(tmp_path: Path) -> Path:
    """Three caught mails."""
    with Catcher(tmp_path / "mail", port=0) as catcher, smtplib.SMTP("127.0.0.1", catcher.port, "localhost") as smtp:
        for subject, to in (
            ("First", "ann@example.org"),
            ("<script>2</script>", "bob@example.org"),
            ("Third", "cy@x.example"),
        ):
            smtp.sendmail("bounce+abc@x.example", [to], mail(subject, to=to))
    return tmp_path / "mail"


@pytest.fixture
def page(mails: Path) -> Iterator[Page]:
    started = Page(mails, "127.0.0.1", 0).start()
    yield started
    started.stop()


def get(page: Page, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection(page.url.removeprefix("http://"), timeout=10)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode("utf-8", "replace")
    connection.close()
    return answer.status, dict(answer.getheaders()), body


def names(page: Page) -> list[str]:
    _, _, body = get(page, "/")
    return [part.split('"')[0] for part in body.split('href="/mail/')[1:]]


@pytest.mark.parametrize(
    ("name", "zone", "said"),
    [
        ("20260724T101500-123456789", "Europe/London", "24 July 2026, 11:15:00"),
        ("20261231T233000-1", "Asia/Karachi", "1 January 2027, 04:30:00"),
        ("99991399T101500-1", "Europe/London", "</time>"),
    ],
)
def test_times_are_those_of_the_newsletters_time_zone(tmp_path: Path, name: str, zone: str, said: str) -> None:
    (tmp_path / f"{name}.eml").write_bytes(mail("Hello"))
    page = Page(tmp_path, "127.0.0.1", 0, zone).start()
    try:
        body, opened = get(page, "/")[2], get(page, f"/mail/{name}")[2]
    finally:
        page.stop()
    assert said in body and f"Times are those of {zone}." in body
    assert "UTC" not in body + opened


def test_the_newest_mail_stands_first_and_subjects_are_only_text(page: Page) -> None:
    status, headers, body = get(page, "/")
    assert status == 200 and "3 mails" in body
    assert body.index("Third") < body.index("&lt;script&gt;2") < body.index("First")
    assert "<script" not in body
    assert "script-src" not in headers["Content-Security-Policy"]
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_mail_is_found_by_person_or_subject(page: Page) -> None:
    _, _, body = get(page, "/?q=BOB")
    assert "1 of 3 mails" in body and "Third" not in body
    _, _, body = get(page, "/?q=nothing%3Cb%3E")
    assert "No mail has these words" in body and "<b>" not in body


def test_a_mail_shows_what_it_says_and_comes_as_it_was(page: Page) -> None:
    name = names(page)[0]
    _, _, seen = get(page, f"/mail/{name}")
    assert f'src="/mail/{name}/frame"' in seen and 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in seen
    _, _, text = get(page, f"/mail/{name}/text")
    assert "The plain words &amp; &lt;b&gt;signs&lt;/b&gt;." in text
    _, _, source = get(page, f"/mail/{name}/source")
    assert "&lt;bounce+abc@x.example&gt;" in source and "multipart/alternative" in source
    _, headers, raw = get(page, f"/mail/{name}/raw")
    assert headers["Content-Type"] == "message/rfc822" and "attachment" in headers["Content-Disposition"]
    assert raw.startswith("From: Sam Okafor") and "X-Envelope" not in raw


def test_the_frame_is_locked_and_carries_its_own_pictures(page: Page) -> None:
    name = names(page)[0]
    _, headers, html = get(page, f"/mail/{name}/frame")
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "sandbox allow-popups" in policy and "allow-scripts" not in policy
    assert f'src="/mail/{name}/cid/logo@x"' in html and '<base target="_blank">' in html
    connection = http.client.HTTPConnection(page.url.removeprefix("http://"), timeout=10)
    connection.request("GET", f"/mail/{name}/cid/logo@x")
    answer = connection.getresponse()
    assert (answer.getheader("Content-Type"), answer.read()) == ("image/png", PICTURE)
    connection.close()


@pytest.mark.parametrize(
    "path",
    [
        "/mail/../../etc/passwd",
        "/mail/%2e%2e%2fmail",
        "/mail/none",
        "/mail/x/y/z/w",
        "/other",
        "/mail/%00",
        "/style.css/x",
    ],
)
def test_what_is_not_there_is_not_found(page: Page, path: str) -> None:
    assert get(page, path)[0] == 404


def test_another_name_for_this_computer_is_turned_away(page: Page) -> None:
    assert get(page, "/", Host="evil.example")[0] == 403
    assert get(page, "/", Host="localhost:8025")[0] == 200


def test_nothing_can_be_changed(page: Page) -> None:
    connection = http.client.HTTPConnection(page.url.removeprefix("http://"), timeout=10)
    connection.request("POST", "/", body="x")
    assert connection.getresponse().status == 501
    connection.close()


def test_a_hundred_mails_to_a_page(tmp_path: Path) -> None:
    for number in range(PER_PAGE + 5):
        (tmp_path / f"20261124T100000-000000000-{number:03d}.eml").write_bytes(b"Subject: n%d\r\n\r\nx\r\n" % number)
    page = Page(tmp_path, "127.0.0.1", 0).start()
    try:
        assert len(names(page)) == PER_PAGE
        assert ">n4<" in get(page, "/?page=2")[2] and "Newer" in get(page, "/?page=2")[2]
        assert get(page, "/?page=-1")[0] == get(page, "/?page=999999999999")[0] == 200
    finally:
        page.stop()


def test_a_file_that_is_no_mail_does_not_stop_the_page(tmp_path: Path) -> None:
    (tmp_path / "odd.eml").write_bytes(b"\xff\x00\xfe" * 100)
    (tmp_path / "empty.eml").write_bytes(b"")
    page = Page(tmp_path, "127.0.0.1", 0).start()
    try:
        assert len(names(page)) == 2
        for name in ("odd", "empty"):
            assert [get(page, f"/mail/{name}{view}")[0] for view in ("", "/text", "/source", "/raw")] == [200] * 4
            assert get(page, f"/mail/{name}/frame")[0] == 404
    finally:
        page.stop()


@pytest.mark.browser
def test_a_mail_runs_nothing_and_loads_nothing_in_a_real_browser(page: Page, browser: Any) -> None:
    tab = browser.new_page()
    try:
        asked: list[str] = []
        stopped: list[tuple[str, str]] = []
        tab.on("requestfinished", lambda request: asked.append(request.url))
        tab.on("requestfailed", lambda request: stopped.append((request.url, request.failure)))
        tab.goto(f"{page.url}/mail/{names(page)[0]}")
        frame = tab.frames[1]
        frame.wait_for_load_state("load")
        assert tab.title() != "ran" and frame.title() == "x"
        assert any("/cid/logo@x" in url for url in asked)
        assert all(url.startswith((page.url, "data:")) for url in asked)
        assert stopped == [("https://tracker.example/pixel.png", "csp")]
        assert frame.locator("#link").get_attribute("href") == "https://www.example.org/page"
    finally:
        tab.close()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone_and_is_accessible(page: Page, browser: Any, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    tab = browser.new_page(viewport={"width": 320, "height": 640}, color_scheme=scheme)
    try:
        for path in ("/", f"/mail/{names(page)[0]}/text", f"/mail/{names(page)[0]}/source", "/?q=zzz"):
            tab.goto(page.url + path)
            assert tab.evaluate("document.documentElement.scrollWidth") <= 320
            found = Axe().run(tab)
            assert not found.response["violations"], found.generate_report()
    finally:
        tab.close()


def test_the_command_catches_answers_and_stops_cleanly(workspace: Workspace) -> None:
    """A real process: mail to a reply address goes through the door for replies, other mail only to var/mail."""
    command = [sys.executable, "-m", "newsletter", "-C", str(workspace.root), "catch", "--smtp", "127.0.0.1:0"]
    running = subprocess.Popen([*command, "--web", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout
        first = running.stdout.readline()
        port = int(first.rsplit(":", 1)[1])
        with smtplib.SMTP("127.0.0.1", port, "localhost") as smtp:
            domain = workspace.config.mail.reply_domain
            smtp.sendmail("ann@example.org", [f"reply+unknown@{domain}"], mail("Re: Hello"))
            smtp.sendmail("ann@example.org", ["someone@example.org"], mail("Not for us"))
        running.send_signal(signal.SIGTERM)
        rest, _ = running.communicate(timeout=20)
    finally:
        running.kill()
        running.wait()
    assert running.returncode == 0 and "Stopped" in rest
    assert len(list((workspace.root / "var" / "mail").glob("*.eml"))) == 2
    from newsletter.replies.models import Raw

    assert [raw.sender for raw in Raw.objects.all()] == ["ann@example.org"]


@pytest.mark.parametrize(
    ("words", "code"), [(("--smtp", "here"), 2), (("--web", "0.0.0.0:8025", "--smtp", "127.0.0.1:0"), 3)]
)
def test_a_place_that_cannot_be_is_refused_in_words(workspace: Workspace, words: tuple[str, ...], code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "newsletter", "-C", str(workspace.root), "catch", *words],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == code and "Traceback" not in done.stderr and "127.0.0.1" in done.stderr
