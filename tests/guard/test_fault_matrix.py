"""Every row of the fault matrix names a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = [
    line
    for line in (ROOT / "docs" / "reference" / "fault-matrix.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and "What must hold" not in line
]


@pytest.mark.parametrize("row", ROWS)
def test_a_row_names_a_test_that_exists(row: str) -> None:
    found = re.search(r"`(tests/[\w/]+\.py)::(test_\w+)`", row)
    assert found, "every row ends in the name of a test"
    tree = ast.parse((ROOT / found[1]).read_text(encoding="utf-8"))
    assert found[2] in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_matrix_has_its_rows() -> None:
    assert len(ROWS) >= 25
