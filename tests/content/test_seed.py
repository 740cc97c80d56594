"""The first real issue carries the seed's message word for word."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from newsletter import config, files
from newsletter.content.model import Button, Callout, Divider, Heading, Issue, Node, Only, Prose, ReplyButton
from newsletter.content.reading import read
from tests.conftest import ROOT

SEED = ROOT.parent / "shared" / "seed" / "asb-message.txt"
SLUG = "2026-11-24-asb-and-mental-health"
# Of the seed's paragraphs, joined by line ends: the claim is held where the seed's own file is not there.
PARAGRAPHS_SHA256 = "b8bf2129007ebc820a6f189c166b3c8c83c53ba3a05b4f4ade59c2acacc0f10e"
ADDED = ("Hello neighbour,", "harassment", "alarm", "distress")  # the greeting, and the list that did not survive


@pytest.fixture(scope="module")
def issue() -> Issue:
    return read(ROOT / "issues" / SLUG, config.load(ROOT))


def sentences(nodes: tuple[Node, ...]) -> list[str]:
    """The texts that a reader sees, in order."""
    found: list[str] = []
    for node in nodes:
        if isinstance(node, Heading):
            found.append("".join(token.content for token in node.tokens))
        elif isinstance(node, Prose):
            found += ["".join(part.content for part in token.children or ()) for token in node.tokens if token.children]
        elif isinstance(node, Callout):
            found += sentences(node.children)
        elif isinstance(node, ReplyButton):
            found.append(node.label)
        else:
            assert isinstance(node, Divider), node
    return found


def message(issue: Issue) -> list[str]:
    """The issue's paragraphs as a reader sees them, without what was added to the seed."""
    shown = [text.replace(f"Zq{issue.nonce}v0000qZ", "neighbour") for text in sentences(issue.nodes)]
    assert set(ADDED) <= set(shown)
    return [text for text in shown if text not in ADDED]


def test_the_paragraphs_are_those_of_the_seed_letter_for_letter(issue: Issue) -> None:
    if not SEED.exists():
        pytest.skip("the seed's file is not beside this checkout; the next test holds its words by their hash")
    lines = [line.strip(" |") for line in SEED.read_text(encoding="utf-8").splitlines()]
    paragraphs = [line for line in lines if line]
    assert paragraphs[0] == paragraphs[1], "a mail that became text: its subject stands above its headline"
    assert message(issue) == paragraphs[1:]


def test_the_paragraphs_have_the_hash_of_the_seed_s(issue: Issue) -> None:
    assert hashlib.sha256("\n".join(message(issue)).encode()).hexdigest() == PARAGRAPHS_SHA256


def test_the_subject_is_the_seed_s_headline(issue: Issue) -> None:
    assert issue.front.subject == "Is anti-social behaviour in your community impacting your mental health?"


def test_the_list_that_did_not_survive_is_restored(issue: Issue) -> None:
    lists = [
        [token.content for token in node.tokens if token.type == "inline"]
        for node in issue.nodes
        if isinstance(node, Prose) and any(token.type == "bullet_list_open" for token in node.tokens)
    ]
    assert lists[0][2:5] == ["harassment", "alarm", "distress"]


def test_it_greets_calls_out_and_asks_for_an_answer(issue: Issue) -> None:
    assert [(slot.key, slot.fallback) for slot in issue.slots] == [("first_name", "neighbour")]
    assert isinstance(issue.nodes[-1], ReplyButton)
    assert [type(node) for node in issue.nodes if isinstance(node, Callout | Only | Button)] == [Callout]


def test_its_links_go_to_example_hosts(issue: Issue) -> None:
    found = [
        str(child.attrs["href"])
        for node in issue.walk()
        if isinstance(node, Prose)
        for token in node.tokens
        for child in token.children or ()
        if child.type == "link_open"
    ]
    assert len(found) == 3
    assert all(re.fullmatch(r"https://[a-z.]+\.example/[a-z-]+", address) for address in found)


def test_the_seed_is_carried_by_the_product(issue: Issue) -> None:
    assert (files.example("issues") / SLUG / "issue.md").read_text(encoding="utf-8") == issue.source


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in (ROOT / "issues").glob("*/issue.md")), ids=lambda p: p.name
)
def test_every_example_has_no_error(folder: Path) -> None:
    issue = read(folder, config.load(ROOT))
    assert not [problem for problem in issue.problems if problem.code != "accessible-format"]
