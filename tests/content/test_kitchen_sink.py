"""The kitchen sink holds every block, and its tree is held by a golden file.

After a change on purpose run it once with NEWSLETTER_WRITE_GOLDEN=1, and read the difference.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from newsletter import config
from newsletter.content import blocks, model
from newsletter.content.fields import FILTERS
from newsletter.content.keys import KEYS
from newsletter.content.model import Issue, Node, plain_json
from newsletter.content.reading import read
from tests.conftest import ROOT

SLUG = "2026-12-01-winter-letter"
GOLDEN = ROOT / "tests" / "golden" / "content" / "winter-letter.json"


@pytest.fixture(scope="module")
def issue() -> Issue:
    return read(ROOT / "issues" / SLUG, config.load(ROOT))


def plain(issue: Issue) -> Any:
    """The issue as JSON without what differs from checkout to checkout or repeats the file itself."""
    text = json.dumps(plain_json(issue), ensure_ascii=False, indent=1)
    value = json.loads(text.replace(f"Zq{issue.nonce}", "ZqNONCE").replace(f"{ROOT}/", ""))
    for name in ("source", "sha256", "nonce"):
        del value[name]
    return without_defaults(value)


def without_defaults(value: Any) -> Any:
    """Leave away what is empty, so that the golden file can be read by a person."""
    if isinstance(value, dict):
        return {key: without_defaults(item) for key, item in value.items() if item not in ("", None, [], {})}
    return [without_defaults(item) for item in value] if isinstance(value, list) else value


def test_the_tree_is_the_golden_one(issue: Issue) -> None:
    found = plain(issue)
    if os.environ.get("NEWSLETTER_WRITE_GOLDEN"):
        GOLDEN.parent.mkdir(parents=True, exist_ok=True)
        GOLDEN.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    assert found == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_every_block_stands_in_it(issue: Issue) -> None:
    missing = [name for name in blocks.KINDS if f":{name}" not in issue.source]
    assert not missing


def test_every_kind_of_node_comes_out_of_it(issue: Issue) -> None:
    kinds = {kind for kind in vars(model).values() if isinstance(kind, type) and issubclass(kind, Node)} - {Node}
    assert {type(node) for node in issue.walk()} == kinds


def test_the_reference_names_every_key_block_attribute_and_filter() -> None:
    page = (ROOT / "docs" / "reference" / "issue-format.md").read_text(encoding="utf-8")
    for key in KEYS:
        assert f"| `{key}`" in page, key
    for name, kind in blocks.KINDS.items():
        assert f"::{name}" in page, name
        for attribute in kind.attributes:
            assert f"`{attribute}`" in page, (name, attribute)
    for name in FILTERS:
        assert f"`{name}`" in page, name


def test_every_example_in_the_reference_is_right(tmp_path: Path) -> None:
    """Each ```markdown block of the page is read as the body of an issue, beside the kitchen sink's pictures."""
    page = (ROOT / "docs" / "reference" / "issue-format.md").read_text(encoding="utf-8")
    examples = page.split("````markdown\n")[1:]
    assert len(examples) == 15
    folder = ROOT / "issues" / SLUG
    workspace = tmp_path / "workspace"
    here = workspace / "issues" / SLUG
    here.mkdir(parents=True)
    (workspace / "newsletter.toml").write_bytes((ROOT / "newsletter.toml").read_bytes())
    for path in ("images", "winter-checklist.pdf"):
        _copy(folder / path, here / path)
    _copy(ROOT / "issues" / "partials", workspace / "issues" / "partials")
    for example in examples:
        text = example.split("\n````")[0]
        whole = (
            text if text.startswith("---\n") else f"---\nsubject: A\nfrom: cohesion\naudience: [monthly]\n---\n{text}"
        )
        (here / "issue.md").write_text(whole, encoding="utf-8")
        found = read(here, config.load(workspace)).problems
        assert not [problem for problem in found if problem.code not in ("accessible-format", "unknown-theme")], text


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)
