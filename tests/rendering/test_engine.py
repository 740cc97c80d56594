"""MJML and the inliner: every known trap closed, nothing fetched, and the mail comes out whole."""

from __future__ import annotations

import http.server
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from lxml import html

from newsletter.problems import NewsletterError
from newsletter.rendering import engine, finishing, themes
from tests.rendering.conftest import Desk

HEAD = (
    '<mjml><mj-head><mj-attributes><mj-all font-family="Arial"></mj-all>{head}</mj-attributes></mj-head>'
    "<mj-body>{body}</mj-body></mjml>"
)
TRAPS = {
    "web font": (
        "",
        '<mj-section><mj-column><mj-text font-family="Roboto, Arial">x</mj-text></mj-column></mj-section>',
    ),
    "twice": ('<mj-class name="a" color="red"></mj-class><mj-class name="a" color="blue"></mj-class>', ""),
    "two mj-text": ("<mj-text></mj-text><mj-text></mj-text>", ""),
    "hero": ("", "<mj-hero><mj-text>x</mj-text></mj-hero>"),
    "inner border": (
        "",
        '<mj-section><mj-column inner-border="5px solid #000"><mj-text>x</mj-text></mj-column></mj-section>',
    ),
    "auto padding": ("", '<mj-section padding="0 auto"></mj-section>'),
    "include": ("", '<mj-include path="/etc/passwd"></mj-include>'),
    "downlevel": ("", "<mj-raw><![if !mso]>x<![endif]></mj-raw>"),
    "link": ("", '<mj-raw><link rel="stylesheet" href="http://127.0.0.1:9/x.css"></mj-raw>'),
    "import": ("", '<mj-raw><style>@import url("http://127.0.0.1:9/x.css");</style></mj-raw>'),
    "no body": ("</mj-attributes></mj-head></mjml>", ""),
}


@pytest.mark.parametrize("name", sorted(TRAPS))
def test_an_input_on_which_the_engine_stops_is_a_problem_of_the_theme(desk: Desk, name: str) -> None:
    head, body = TRAPS[name]
    source = HEAD.format(head=head, body=body) if name != "no body" else "<mjml><mj-head></mj-head></mjml>"
    with pytest.raises(NewsletterError) as caught:
        engine.compile_mjml(themes.load("plain", desk.config), source, "0" * 8)
    assert caught.value.problems[0].code == "theme-fault" and int(caught.value.exit) == 3


def test_the_default_web_font_of_mjml_is_refused(desk: Desk) -> None:
    source = "<mjml><mj-body><mj-section><mj-column><mj-text>x</mj-text></mj-column></mj-section></mj-body></mjml>"
    with pytest.raises(NewsletterError, match="font"):
        engine.compile_mjml(themes.load("plain", desk.config), source, "0" * 8)


# -- the inliner

PAGE = """<!doctype html>
<html><head><style type="text/css">.c{width:50% !important}
@media (min-width:480px){.c{width:50% !important}}</style></head>
<body><div class="c prose" style="width:100%"><p>Text &amp; more</p><img width="160" style="width:100%" src="x.png">
<!--[if mso]><table><tr><td><![endif]--><!--[if !mso]><!--><b>x</b><!--<![endif]--></div></body></html>"""


def test_the_recipe_keeps_what_premailer_would_damage() -> None:
    made = engine.inline(PAGE, ".prose p { color: #123456 } .prose p:hover { color: red }")
    assert made.startswith("<!doctype html>\n<html>")
    assert made.count("!important") == 2, "media rules keep their !important, or columns never stand side by side"
    assert '<img width="160"' in made and 'width="100%"' not in made
    assert '<p style="color:#123456">Text &amp; more</p>' in made
    assert "<!--[if mso]><table><tr><td><![endif]--><!--[if !mso]><!--><b>x</b><!--<![endif]-->" in made
    assert "data-premailer" not in made and "red" not in made


@dataclass
class Canary:
    """A server on this computer that must never be asked for anything."""

    port: int
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def canary() -> Iterator[Canary]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Canary(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield found
        server.shutdown()
        thread.join()


def test_nothing_is_fetched_by_the_inliner_not_even_by_import(canary: Canary) -> None:
    place = f"http://127.0.0.1:{canary.port}"
    page = PAGE.replace(
        "</head>", f'<link rel="stylesheet" href="{place}/a.css"><style>@import url({place}/b.css);</style></head>'
    )
    engine.inline(page, f"@import url({place}/c.css); .prose p {{ color: red }}")
    assert canary.asked == []


def test_nothing_is_fetched_while_an_issue_is_rendered(desk: Desk, canary: Canary) -> None:
    place = f"http://127.0.0.1:{canary.port}"
    css = desk.root / "templates" / "plain" / "inline.css.j2"
    css.write_text(f"@import url({place}/d.css);\n" + css.read_text())
    desk.render(f"# News\n\n![remote]({place}/p.png) and [link]({place}/l)\n\n![a]({place}/q.png)\n")
    assert canary.asked == []


def test_an_import_in_kept_css_is_refused(desk: Desk) -> None:
    (desk.root / "templates" / "plain" / "keep.css.j2").write_text("@import url(https://e.example/x.css);")
    with pytest.raises(NewsletterError, match=r"fetched|elsewhere"):
        desk.render("Words.\n")


def test_the_inliner_leaves_the_real_requests_alone() -> None:
    code = "from newsletter.rendering import engine; engine.inline('<p>x</p>', 'p{color:red}')"
    code += "; import requests; requests.get"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


# -- the finished page


def test_every_child_of_body_says_its_language_and_direction(desk: Desk) -> None:
    for language, direction in (("en-GB", "ltr"), ("ar", "rtl"), ("ur", "rtl")):
        root = html.document_fromstring(desk.copy("# News\n\nWords.\n", more=f"language: {language}\n").html)
        children = [child for child in root.find("body") if isinstance(child.tag, str)]
        assert len(children) >= 2, "the preview text's own div is one"
        assert {(child.get("lang"), child.get("dir")) for child in children} == {(language, direction)}
        assert (root.get("lang"), root.get("dir")) == (language, direction)


def test_the_page_has_a_title_roles_and_colour_schemes(desk: Desk) -> None:
    root = html.document_fromstring(desk.copy("# News\n\nWords.\n", subject="What is new").html)
    assert root.find("head/title").text == "What is new"
    assert root.xpath("//meta[@name='color-scheme']/@content") == ["light dark"]
    assert all(table.get("role") == "presentation" for table in root.xpath("//table"))
    assert len(root.xpath("//h1")) == 1


def test_a_data_table_is_no_layout_table(desk: Desk) -> None:
    root = html.document_fromstring(desk.copy("| A | B |\n|---|---|\n| 1 | 2 |\n").html)
    (table,) = root.xpath("//table[not(@role)]")
    assert [cell.get("scope") for cell in table.iter("th")] == ["col", "col"]


def test_the_preview_text_is_there_once_without_filler(desk: Desk) -> None:
    made = desk.copy("# News\n\nWords.\n", preheader="Only once")
    assert made.html.count("Only once") == 1
    assert not re.search("[\u200b\u200c\u200d\u034f\u2007\u00ad]{2}|&#?\\w+;&zwnj;", made.html)


def test_dark_mode_hooks_come_through(desk: Desk) -> None:
    made = desk.copy("Words.\n").html
    assert "[data-ogsc] .prose p { color: #eeeeee !important; }" in made
    assert "@media (prefers-color-scheme: dark)" in made


def test_code_keeps_its_line_breaks_and_blanks(desk: Desk) -> None:
    made = desk.copy("```\nfirst\n    second\n\n\nthird\n```\n").html
    assert "first\n    second\n\n\nthird" in html.document_fromstring(made).xpath("//pre")[0].text_content()


def test_idle_white_space_goes_and_text_stays() -> None:
    assert (
        finishing.collapse("<p>\n\n   a  b\n</p><pre>\n  x\n\n y</pre>\n\n")
        == "<p>\na  b\n</p><pre>\n  x\n\n y</pre>\n"
    )


def test_a_block_in_another_language_says_so(desk: Desk) -> None:
    made = desk.copy("# News\n\n:::callout{tone=info lang=ar}\nمرحبا\n:::\n").html
    assert html.document_fromstring(made).xpath("//div[@lang='ar' and @dir='rtl']")


@pytest.mark.parametrize(
    "selector", ["p", ".a p", ".a.b", '[dir="rtl"] p', "[dir=rtl] p", 'img[src="x.png"]', ".gone p", ".a .gone", "td.a"]
)
def test_a_rule_is_left_out_only_where_it_finds_nothing(selector: str, monkeypatch: pytest.MonkeyPatch) -> None:
    html = (
        '<!doctype html><html><body><div class="a\tb"><p>One</p></div><div dir="rtl"><p>Two</p></div><img src="x.png">'
        '<table><tr><td class="a">x</td></tr></table></body></html>'
    )
    css = f"{selector} {{ color: #123456; }}"
    quick = engine.inline(html, css)
    monkeypatch.setattr(engine, "_needs", lambda one: frozenset())
    assert quick == engine.inline(html, css)
    assert ("#123456" in quick) is ("gone" not in selector)
