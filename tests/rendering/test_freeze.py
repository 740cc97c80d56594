"""A Rendered goes to the database and comes back the same; equal input gives equal bytes in every process."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from newsletter.rendering import freeze
from tests.rendering.conftest import Desk, filled
from tests.rendering.test_text import EVERYTHING

CODE = """
import sys
from pathlib import Path
from newsletter.config import load
from newsletter.content import reading
from newsletter.rendering import freeze, pipeline, themes
import json
config = load(Path(sys.argv[1]))
issue = reading.read(Path(sys.argv[2]), config, "")
print(json.dumps(freeze.to_json(pipeline.render(issue, themes.load("plain", config), config))))
"""


def test_a_rendering_comes_back_from_json_the_same(desk: Desk) -> None:
    rendered = desk.render(EVERYTHING, subject="For {{ first_name }}")
    data = json.loads(json.dumps(freeze.to_json(rendered)))
    back = freeze.from_json(data)
    assert back == replace(rendered, assets=tuple(replace(asset, data=b"") for asset in rendered.assets))
    assert freeze.checksum(back) == rendered.checksum
    person = {"first_name": "Ameera", "ward": "North Quay"}
    assert filled(back, person) == filled(rendered, person)


def test_a_newer_format_is_refused(desk: Desk) -> None:
    with pytest.raises(ValueError, match="format 99"):
        freeze.from_json({**freeze.to_json(desk.render("Words.\n")), "format": 99})


def test_what_a_reader_sees_changes_the_checksum_and_nothing_else_does(desk: Desk) -> None:
    one = desk.render("Words.\n")
    assert desk.render("Words!\n").checksum != one.checksum
    assert replace(one, problems=(*one.problems,), checksum="").checksum == ""
    assert freeze.checksum(replace(one, checksum="x")) == one.checksum


def test_two_processes_make_the_same_bytes(desk: Desk) -> None:
    """Hash seeds differ, so that no set or dict order can slip into the mail."""
    folder = desk.write(EVERYTHING)
    made = [
        subprocess.run(
            [sys.executable, "-c", CODE, str(desk.root), str(folder)],
            check=True, capture_output=True, env={"PYTHONHASHSEED": seed, "PATH": ""},
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert made[0] == made[1] and len(made[0]) > 10_000


def test_rendering_imports_no_framework() -> None:
    heavy = "{'django', 'premailer', 'mjml', 'lxml', 'PIL', 'jinja2'}"
    code = f"import sys; from newsletter.rendering import pipeline, checks; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
