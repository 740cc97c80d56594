"""Rendering against npm's mjml 5 and juice on the same MJML, and the preview after one keystroke."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SEED = "2026-11-24-asb-and-mental-health"
ROUNDS = 7
AIM = "< 1 × npm mjml 5 + juice"
KEYSTROKE = 0.05  # seconds
NODE = """
import { readFileSync, writeFileSync } from "node:fs";
import mjml2html from "mjml";
import juice from "juice";
const made = await mjml2html(readFileSync(process.argv[2], "utf8"), { validationLevel: "skip" });
writeFileSync(process.argv[4], juice(made.html, { extraCss: readFileSync(process.argv[3], "utf8") }));
"""
OURS = """
import sys
from pathlib import Path
from newsletter.config import load
from newsletter.content import reading
from newsletter.rendering import merge, pipeline, themes
config = load(Path(sys.argv[1]))
issue = reading.read(Path(sys.argv[2]), config, "")
rendered = pipeline.render(issue, themes.load(issue.front.template, config), config)
variant = merge.variant(rendered, ())
Path(sys.argv[3]).write_text(merge.join(variant.html, [""] * len(variant.holes)), encoding="utf-8")
"""


def run() -> list[dict[str, object]]:
    """Rows for `python -m bench`: whole-process time and memory of both, and the warm keystroke."""
    with tempfile.TemporaryDirectory(prefix="newsletter-bench-") as name:
        work = Path(name)
        issues = {"the seed": _workspace(work) / "issues" / SEED, "15 sections": _long(work)}
        node = _node(work)
        rows = [_whole(work, node, folder, title) for title, folder in issues.items()]
        for title, folder in issues.items():
            rows.append(_keystroke(work / "ws", folder, title))
        return rows


def _whole(work: Path, node: Path | None, folder: Path, title: str) -> dict[str, object]:
    """Each round times both, one after the other, so that a busy machine slows both alike."""
    mine = [sys.executable, "-c", OURS, str(work / "ws"), str(folder), str(work / "ours.html")]
    if node is None:
        seconds, memory = _process(mine)
        what = f"whole process, {title} ({memory} MB; npm is not here)"
        return {"what": what, "ours": f"{seconds * 1000:.0f} ms", "other": "-", "ratio": "-", "aim": AIM, "ok": True}
    mjml, css = _mjml(work, folder)
    theirs = ["node", str(node / "run.mjs"), str(mjml), str(css), str(work / "theirs.html")]
    _process(mine), _process(theirs)  # the first runs fill the disk's cache
    pairs = [(_process(mine), _process(theirs)) for _ in range(ROUNDS)]
    ratio = statistics.median(ours[0] / other[0] for ours, other in pairs)
    memory, their_memory = max(ours[1] for ours, _ in pairs), max(other[1] for _, other in pairs)
    return {
        "what": f"whole process, {title} ({memory} MB against {their_memory} MB)",
        "ours": f"{statistics.median(ours[0] for ours, _ in pairs) * 1000:.0f} ms",
        "other": f"{statistics.median(other[0] for _, other in pairs) * 1000:.0f} ms",
        "ratio": f"{ratio:.2f} ×",
        "aim": AIM,
        "ok": ratio < 1,
    }


def _process(command: list[str]) -> tuple[float, int]:
    """Wall time in seconds of a fresh process, and the most memory it held, in MB."""
    started = time.perf_counter()
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started
    child.returncode = status
    if status:
        raise SystemExit(f"{command[0]} failed: {command}")
    return seconds, usage.ru_maxrss // (1024 if sys.platform == "linux" else 1024 * 1024)


def _workspace(work: Path) -> Path:
    shutil.copytree(ROOT / "templates", work / "ws" / "templates")
    shutil.copytree(ROOT / "issues", work / "ws" / "issues")
    shutil.copy(ROOT / "newsletter.toml", work / "ws" / "newsletter.toml")
    return work / "ws"


def _long(work: Path) -> Path:
    """An issue of 15 sections: callouts, cards, columns and text in turn."""
    folder = work / "ws" / "issues" / "2026-11-30-long"
    folder.mkdir(parents=True)
    words = (
        "People who live here asked for more light and more patrols along the river, and this is what came of it. " * 3
    )
    kinds = (
        f":::callout{{tone=info}}\n{words}\n:::\n",
        f":::card[A card]{{href=https://example.org/card}}\n{words}\n:::\n",
        f"::::columns\n:::column\n{words}\n:::\n:::column\n{words}\n:::\n::::\n",
        f"## A part\n\n{words}\n\n- one\n- two [with a link](https://example.org/two)\n\n::button[Look]{{href=https://example.org/}}\n",
        f":::callout{{tone=warning}}\n{words}\n:::\n",
    )
    head = (work / "ws" / "issues" / SEED / "issue.md").read_text(encoding="utf-8").split("\n---\n")[0]
    body = "\n".join(kinds[number % len(kinds)] for number in range(15))
    (folder / "issue.md").write_text(f"{head}\n---\n\n# A long message\n\n{body}", encoding="utf-8")
    return folder


def _mjml(work: Path, folder: Path) -> tuple[Path, Path]:
    """The very MJML that our engine is given, texts included, and the CSS to inline."""
    from newsletter.config import load
    from newsletter.content import reading
    from newsletter.rendering import pipeline, placeholders, themes
    from newsletter.rendering.material import Material
    from newsletter.rendering.model import Mode

    config = load(work / "ws")
    issue = reading.read(folder, config, "")
    material = Material(issue, themes.load(issue.front.template, config), config, Mode.SEND)
    token = placeholders.current.set(material.tokens)
    source, css = pipeline.mjml(material)
    placeholders.current.reset(token)
    mjml, style = work / f"{folder.name}.mjml", work / f"{folder.name}.css"
    mjml.write_text(material.tokens.with_html(source), encoding="utf-8")
    style.write_text(css, encoding="utf-8")
    return mjml, style


def _node(work: Path) -> Path | None:
    """A folder with mjml 5 and juice, installed by name; None without Node or network. NEWSLETTER_BENCH_NODE names one
    that is there already."""
    folder = Path(os.environ.get("NEWSLETTER_BENCH_NODE") or work / "node")
    folder.mkdir(exist_ok=True)
    if not (folder / "node_modules" / "juice").is_dir():
        if not shutil.which("npm"):
            return None
        install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent", "mjml@5", "juice"]
        if subprocess.run(install, cwd=folder, capture_output=True, check=False).returncode:
            return None
    (folder / "run.mjs").write_text(NODE, encoding="utf-8")
    return folder


def _keystroke(workspace: Path, folder: Path, title: str) -> dict[str, object]:
    """What the preview does after a save: read, render, check, fill; the text is another one each time."""
    from newsletter.cli import preview_server
    from newsletter.config import load

    preview = preview_server.Preview(lambda: load(workspace), folder)
    path = folder / "issue.md"
    source = path.read_text(encoding="utf-8")
    times: list[float] = []
    walls: list[float] = []
    for number in range(15):
        path.write_text(f"{source}\n\nTyped {'x' * number}\n", encoding="utf-8")
        started, wall = time.process_time(), time.perf_counter()
        json.dumps(preview.copy({}))
        times.append(time.process_time() - started)
        walls.append(time.perf_counter() - wall)
    path.write_text(source, encoding="utf-8")
    warm = statistics.median(times[3:])  # processor time: on a busy machine, others' work is in the wall time
    return {
        "what": f"preview after a keystroke, {title} (wall {statistics.median(walls[3:]) * 1000:.0f} ms)",
        "ours": f"{warm * 1000:.0f} ms",
        "other": f"{KEYSTROKE * 1000:.0f} ms",
        "ratio": f"{warm / KEYSTROKE:.2f} ×",
        "aim": "≤ 50 ms for the seed",
        "ok": title != "the seed" or warm <= KEYSTROKE,
    }
