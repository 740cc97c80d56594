"""What a screen reader meets, in order: a golden text per theme and issue, from Chromium's accessibility tree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browser import looking
from tests.themes import mails

pytestmark = pytest.mark.browser

GOLDEN = Path(__file__).parent / "golden"
SHOWN = {"heading", "link", "image", "table", "columnheader", "cell", "list", "listitem", "blockquote"}


@pytest.mark.parametrize("issue", ["asb", "winter-letter", "ghar-ki"])
@pytest.mark.parametrize("theme", mails.THEMES)
def test_the_reading_order_is_the_agreed_one(browser: Browser, theme: str, issue: str) -> None:
    lines = reading_order(browser, mails.mail(theme, issue).viewable)
    golden = GOLDEN / f"{theme}-{issue}.txt"
    if mails.writing_golden():
        golden.parent.mkdir(exist_ok=True)
        golden.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert "\n".join(lines) + "\n" == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("way", ["light", "no-styles"])
@pytest.mark.parametrize("theme", mails.THEMES)
def test_it_is_preheader_header_headline_words_sender_buttons_why_and_leave(
    browser: Browser, theme: str, way: str
) -> None:
    mail = mails.mail(theme, "asb")
    lines = reading_order(browser, looking.seen_as(mail.viewable, way))
    ours = "Share this message" if theme == "alert" else "Share this letter"
    expected = [
        f"text {mail.rendered.preheader}",
        "text Staffordshire Commissioner",
        f"heading 1 {mail.rendered.title}",
        "text Hello Ameera,",
        f"link Reply to this message → {mails.SYSTEM['reply_url']}",
        "heading 2 Sent by",
        "text Sam Okafor",
        f"link {ours} → {mails.SYSTEM['share_url']}",
        f"link View in browser → {mails.SYSTEM['view_url']}",
        "heading 2 Why you get this",
        f"text {mails.SYSTEM['why']}",
        f"link Was this message useful? → {mails.SYSTEM['rate_url']}",
        f"link Choose what you get → {mails.SYSTEM['preferences_url']}",
    ]
    places = [next(i for i, line in enumerate(lines) if line.strip() == wanted) for wanted in expected]
    assert places == sorted(places) and places[0] == 0
    assert lines[places[-1] + 1].startswith("link Unsubscribe from")
    assert sum(mail.rendered.preheader in line for line in lines) == 1


def reading_order(browser: Browser, html: str) -> list[str]:
    """One line per thing a screen reader says, indented below lists and tables."""
    with looking.looking(browser, html, 320) as page:
        session = page.context.new_cdp_session(page)
        nodes = {node["nodeId"]: node for node in session.send("Accessibility.getFullAXTree")["nodes"]}
        session.send("DOM.enable")
        session.send("DOM.getDocument", {"depth": -1})
        hrefs = page.evaluate("() => [...document.querySelectorAll('a')].map(a => a.getAttribute('href'))")
        lines: list[str] = []
        root = next(node for node in nodes.values() if "parentId" not in node)
        _walk(nodes, root, 0, lines, iter(hrefs))
    return lines


def _walk(nodes: dict[str, Any], node: dict[str, Any], depth: int, lines: list[str], hrefs: Any) -> None:
    role = "" if node.get("ignored") else node.get("role", {}).get("value", "")
    name = " ".join(node.get("name", {}).get("value", "").split())
    below = depth
    if role == "StaticText" and name:
        lines.append(f"{'  ' * depth}text {name}")
        return
    if role in SHOWN:
        level = next((f" {p['value']['value']}" for p in node.get("properties", []) if p["name"] == "level"), "")
        level = level if role == "heading" else ""
        target = f" → {next(hrefs)}" if role == "link" else ""
        shown = name if role in ("heading", "link", "image") else ""
        lines.append(f"{'  ' * depth}{role}{level} {shown}".rstrip() + target)
        if role in ("heading", "image"):
            # the words of a heading are its name; a link in it is still met
            children = [nodes[one] for one in node.get("childIds", []) if one in nodes]
            for child in children:
                if child.get("role", {}).get("value") == "link":
                    _walk(nodes, child, depth + 1, lines, hrefs)
            return
        if role == "link":
            return
        below = depth + 1
    for one in node.get("childIds", []):
        if one in nodes:
            _walk(nodes, nodes[one], below, lines, hrefs)
