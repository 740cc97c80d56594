"""People's choices are changed through audience.subscribing alone, so that every change leaves its proof."""

from __future__ import annotations

import ast
import re

import pytest

from tests.guard.test_tree import PYTHON, ROOT

RECORDS = {"Subscriber", "Subscription", "Suppression", "ConsentEvent", "FormerAddress"}
WRITES = {"create", "get_or_create", "update_or_create", "bulk_create", "bulk_update", "update", "delete", "save"}
SQL = re.compile(
    r"\b(INSERT\s+(OR\s+\w+\s+)?INTO|UPDATE|DELETE\s+FROM)\s+audience_"
    r"(subscriber|subscription|suppression|consentevent|formeraddress)\b",
    re.IGNORECASE,
)
# The doors, each with what makes sure that a proof is left.
DOORS = {
    "newsletter/audience/subscribing/": "every verb writes its own",
    "newsletter/audience/staged_people.py": "an import writes person, proof and subscription in one transaction",
    "newsletter/audience/staged_states.py": "the same, for who left at another service",
    "newsletter/audience/erasing.py": "takes the proofs away, and leaves one that says so",
    "newsletter/audience/never.py": "before a freeze: an erased person in the list is never-mailed by name, too",
}


def root_of(node: ast.expr) -> str:
    """`Subscription.objects.filter(…).update` → Subscription."""
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node.id if isinstance(node, ast.Name) else ""


def written(source: str) -> list[str]:
    """What a module writes into people's records by itself."""
    found = [match[0] for match in SQL.finditer(source)]
    for node in ast.walk(ast.parse(source)):
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr in WRITES and root_of(called) in RECORDS:
            found.append(ast.unparse(called)[:60])
    return found


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("Subscription.objects.filter(state='left').update(state='confirmed')", True),
        ("Suppression(canonical='a').save()", True),
        ("cursor.execute('DELETE  FROM audience_suppression WHERE id = 1')", True),
        ("Subscription.objects.filter(state='left').count()", False),
        ("Request.objects.create(kind='data')", False),
    ],
)
def test_the_scan_sees_a_write(source: str, seen: bool) -> None:
    assert bool(written(source)) is seen


def test_nobody_writes_past_the_doors() -> None:
    past = {}
    for path in PYTHON:
        name = path.relative_to(ROOT).as_posix()
        ours = name.startswith("newsletter/") and "/migrations/" not in name and not name.startswith(tuple(DOORS))
        if ours and (found := written(path.read_text(encoding="utf-8"))):
            past[name] = found
    assert past == {}


def test_every_door_is_one() -> None:
    for door in DOORS:
        paths = [path for path in PYTHON if path.relative_to(ROOT).as_posix().startswith(door)]
        assert any(written(path.read_text(encoding="utf-8")) for path in paths), door
