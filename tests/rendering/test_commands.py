"""`check`, `render` and `preview` as a person types them."""

from __future__ import annotations

import email
import email.policy
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from newsletter.cli import group
from newsletter.cli.preview_server import Preview, Server
from newsletter.config import load
from newsletter.problems import NewsletterError
from tests.rendering.conftest import Desk

GOOD = '# What is new\n\nHello {{ first_name or "neighbour" }}, read [the plan](https://riverside.example/plan).\n'


def run(desk: Desk, *words: str) -> Result:
    return CliRunner().invoke(group, ["-C", str(desk.root), *words], standalone_mode=False)


def test_check_says_what_is_wrong_and_where_and_ends_with_1(desk: Desk) -> None:
    desk.write("# News\n\n:::calout{tone=info}\nWords, see [here](https://e.example/).\n:::\n")
    done = run(desk, "check")
    assert done.return_value == 1
    assert "✗ Must fix  There is no block called ‘calout’" in done.output
    assert "issue.md:11:4" in done.output
    assert "Fix 1 thing, and nobody is on the list yet" in done.output


def test_check_of_a_good_issue_ends_with_0_and_names_the_next_step(desk: Desk) -> None:
    desk.write(GOOD)
    done = run(desk, "check")
    assert done.return_value == 0 and "The text is ready, and nobody is on the list yet" in done.output
    assert 'newsletter recipients import FILE.csv --list all --consent "…"' in done.output
    assert not (desk.root / "var").exists(), "looking makes no database"


def test_check_right_after_new_says_that_the_text_is_not_written_yet(desk: Desk) -> None:
    run(desk, "new", "Our first news", "--date", "2026-11-24", "--theme", "plain")
    done = run(desk, "check")
    assert done.return_value == 1 and "left-over-text" in done.output
    assert "Ready to send" not in done.output and "Fix 1 thing" in done.output


def test_a_field_without_other_words_is_noted_before_anybody_is_there(desk: Desk) -> None:
    desk.write(GOOD.replace(' or "neighbour"', ""))
    data = json.loads(run(desk, "check", "--json").output)
    assert [(one["code"], one["severity"]) for one in data["problems"]] == [("no-fallback", "note")]
    assert '{{ first_name or "…" }}' in data["problems"][0]["hint"]


def test_what_init_wrote_as_an_example_is_found(desk: Desk) -> None:
    from newsletter.config.examples import POSTAL_ADDRESS

    desk.write(GOOD)
    desk.configure("", "1 Quay Street, Riverside", POSTAL_ADDRESS)
    data = json.loads(run(desk, "check", "--json").output)
    assert [(one["code"], one["severity"]) for one in data["problems"]] == [("no-postal-address", "warning")]


def test_check_speaks_json(desk: Desk) -> None:
    desk.write(GOOD + "\nMore [here](https://e.example/).\n")
    data = json.loads(run(desk, "check", "--json").output)
    assert data["ok"] is True and data["issue"] == "2026-11-24-news" and data["people"] is None
    assert [(one["code"], one["severity"]) for one in data["problems"]] == [("vague-link", "warning")]
    place = data["problems"][0]
    line = (desk.root / "issues/2026-11-24-news" / place["file"]).read_text().split("\n")[place["line"] - 1]
    assert line[place["column"] - 1 : place["end_column"] - 1] == "here"


def test_check_looks_at_every_language(desk: Desk) -> None:
    folder = desk.write(GOOD)
    desk.write("# Newyddion\n\n:::calout\nGeiriau.\n:::\n", name="issue.cy.md")
    done = run(desk, "check", folder.name)
    assert done.return_value == 1 and "issue.cy.md" in done.output


def test_a_broken_theme_is_one_of_the_findings(desk: Desk) -> None:
    desk.write(GOOD)
    (desk.root / "templates/plain/theme.mjml.j2").write_text("{% if %}")
    done = run(desk, "check")
    assert done.return_value == 1 and "theme-fault" in done.output


def test_an_unknown_theme_is_told_once_with_its_line(desk: Desk) -> None:
    path = desk.write(GOOD) / "issue.md"
    path.write_text(path.read_text().replace("template: plain", "template: plan"))
    done = run(desk, "check")
    assert done.output.count("unknown-theme]") == 1 and "did you mean plain?" in done.output


def test_each_tick_stands_for_what_was_found(desk: Desk) -> None:
    path = desk.write("![A quay](images/none.png)\n\n" + GOOD) / "issue.md"
    path.write_text(path.read_text().replace("preheader: What is new\n", ""))
    last = run(desk, "check").output
    assert "! inbox 4 letters, no preview text   ✗ pictures   ✓ 1 link   ✓ accessibility" in last
    assert "  nobody has been imported yet" in last


def test_twenty_thousand_findings_do_not_scroll_away_the_verdict(desk: Desk) -> None:
    desk.write(GOOD + "{{ oops }}\n" * 60)
    done = run(desk, "check")
    assert done.output.count("✗ Must fix") == 50 and "… and 10 more; --json tells all of them." in done.output
    assert len(json.loads(run(desk, "check", "--json").output)["problems"]) == 60


def test_an_unknown_issue_is_wrong_usage(desk: Desk) -> None:
    with pytest.raises(NewsletterError) as caught:
        raise run(desk, "check", "nowhere").exception  # type: ignore[misc]
    assert int(caught.value.exit) == 2


def test_render_writes_html_text_and_a_mail_that_can_be_parsed(desk: Desk) -> None:
    desk.write(GOOD)
    done = run(desk, "render")
    assert done.return_value == 0
    target = desk.root / "build" / "2026-11-24-news"
    assert "Hello Sam," in (target / "message.html").read_text()
    assert "Hello Sam," in (target / "message.txt").read_text()
    mail = email.message_from_bytes((target / "message.eml").read_bytes(), policy=email.policy.default)
    assert mail["Subject"] == "News" and mail["From"].addresses[0].addr_spec == "news@riverside.example"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


def test_rendered_pictures_open_from_the_disk(desk: Desk) -> None:
    from PIL import Image

    for carry in ("url", "cid"):
        desk.configure("", 'carry = "url"', f'carry = "{carry}"')
        folder = desk.write(GOOD + "\n![The quay at dusk](images/p.png)\n")
        (folder / "images").mkdir(exist_ok=True)
        Image.new("RGB", (20, 20)).save(folder / "images" / "p.png")
        run(desk, "render")
        target = desk.root / "build" / "2026-11-24-news"
        (picture,) = (target / "images").iterdir()
        assert f'src="images/{picture.name}"' in (target / "message.html").read_text()


def test_render_as_a_person_of_the_csv(desk: Desk) -> None:
    desk.write(GOOD + '\n:::only{ward="North Quay"}\nNorth.\n:::\n')
    (desk.root / "recipients").mkdir()
    (desk.root / "recipients/all.csv").write_text("email,first_name,ward\nameera@example.org,Ameera,North Quay\n")
    run(desk, "render", "--as", "AMEERA@example.org")
    text = (desk.root / "build/2026-11-24-news/message.txt").read_text()
    assert "Hello Ameera," in text and "North." in text
    done = run(desk, "render", "--as", "nobody@example.org")
    assert isinstance(done.exception, NewsletterError) and done.exception.problems[0].code == "unknown-person"


def test_an_unwritable_folder_is_said_in_words(desk: Desk) -> None:
    desk.write(GOOD)
    (desk.root / "build").write_text("a file is in the way")
    done = run(desk, "render")
    assert isinstance(done.exception, NewsletterError) and done.exception.problems[0].code == "cannot-write"


# -- preview


class Site:
    """A running preview."""

    def __init__(self, desk: Desk) -> None:
        self.preview = Preview(lambda: load(desk.root), desk.root / "issues" / "2026-11-24-news")
        self.server = Server(0, self.preview)

    def get(self, path: str, host: str = "") -> tuple[int, str, str]:
        request = urllib.request.Request(self.server.url.rstrip("/") + path, headers={"Host": host} if host else {})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers["Content-Security-Policy"], answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers["Content-Security-Policy"], ""

    def copy(self, query: str = "") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.get(f"/copy?{query}")[2])
        return found


@pytest.fixture
def site(desk: Desk) -> Iterator[Site]:
    desk.write(GOOD)
    found = Site(desk)
    thread = threading.Thread(target=found.server.serve_forever, args=(0.02,))
    thread.start()
    yield found
    found.preview.stopped.set()
    found.server.shutdown()
    thread.join()
    found.server.server_close()


def test_the_preview_shows_the_mail_its_text_and_its_findings(site: Site) -> None:
    copy = site.copy()
    assert copy["subject"] == "News" and "Hello Sam," in copy["html"] and "Hello Sam," in copy["text"]
    assert copy["problems"] == [] and copy["kilobytes"] > 1
    assert copy["counts"] == {"error": 0, "warning": 0, "note": 0}


def test_the_preview_tells_the_first_fifty_findings_and_counts_them_all(site: Site, desk: Desk) -> None:
    desk.write(GOOD + "{{ oops }} " * 900)
    copy = site.copy()
    assert (copy["counts"]["error"], len(copy["problems"])) == (900, 50)
    one = copy["problems"][49]
    assert one["source"][one["column"] - 1 : one["end_column"] - 1] == "{{ oops }}" and len(one["source"]) <= 240


def test_the_preview_has_a_strict_policy_and_listens_here_only(site: Site) -> None:
    status, policy, page = site.get("/")
    assert status == 200 and "default-src 'none'" in policy and "script-src 'self';" in policy
    assert 'sandbox="allow-same-origin"' in page and "http:" not in page.replace("http://127", "")
    assert site.server.server_address[0] == "127.0.0.1"
    assert site.get("/copy", host="evil.example")[0] == 403
    assert site.get("/../newsletter.toml")[0] == 404


def test_the_preview_shows_any_recipient(desk: Desk, site: Site) -> None:
    (desk.root / "recipients").mkdir()
    (desk.root / "recipients/all.csv").write_text("email,first_name,ward\nameera@example.org,Ameera,North Quay\n")
    assert ["ameera@example.org", "As Ameera, North Quay"] in site.copy()["people"]
    assert "Hello Ameera," in site.copy("as=ameera@example.org")["html"]
    assert "Hello neighbour," in site.copy("as=nobody")["html"]


def test_an_address_that_nobody_has_is_said_beside_its_field_and_the_mail_stays(site: Site) -> None:
    copy = site.copy("as=who@example.org")
    assert copy["unknown"].startswith("Nobody here has the address who@example.org")
    assert "Hello Sam," in copy["html"] and copy["counts"]["error"] == 0


def test_dark_mode_is_shown_on_demand_on_any_computer(site: Site) -> None:
    dark, light = site.copy("dark=1")["html"], site.copy("dark=0")["html"]
    assert "prefers-color-scheme" not in dark + light
    assert "@media (min-width:0px) { .prose p" in dark and "@media (max-width:0px) { .prose p" in light


def test_a_save_is_noticed_at_once(site: Site, desk: Desk) -> None:
    version = site.copy()["version"]
    timer = threading.Timer(0.3, desk.write, [GOOD.replace("Hello", "Dear")])
    started = time.monotonic()
    timer.start()
    assert json.loads(site.get(f"/changed?version={version}")[2]) == {"changed": True}
    timer.join()
    assert time.monotonic() - started < 5
    assert "Dear Sam," in site.copy()["html"]


@pytest.mark.parametrize("damage", ["---\nsubject: x\n", "---\nsubject: {{\n---\n", "\x00\xff"])
def test_a_half_written_issue_shows_its_problems_and_the_preview_goes_on(site: Site, desk: Desk, damage: str) -> None:
    path = desk.root / "issues/2026-11-24-news/issue.md"
    path.write_bytes(damage.encode("latin-1"))
    assert any(one["severity"] == "error" for one in site.copy()["problems"])
    desk.write(GOOD)
    assert site.copy()["problems"] == []


def test_a_taken_port_is_a_problem(desk: Desk, site: Site) -> None:
    done = run(desk, "preview", "--no-browser", "--port", str(site.server.server_address[1]))
    assert isinstance(done.exception, NewsletterError) and done.exception.problems[0].code == "port-taken"


def test_nothing_of_the_page_comes_from_elsewhere() -> None:
    folder = Path(__file__).parents[2] / "newsletter" / "cli"
    for name in ("preview_page.html", "preview_page.css", "preview_page.js"):
        text = (folder / name).read_text(encoding="utf-8")
        assert "//cdn" not in text and "https://" not in text and "http://" not in text and "innerHTML" not in text
