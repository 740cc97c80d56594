"""What people wrote: the bars on the corpus beside the project, and how long one reply takes."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CORPORA = Path(os.environ.get("NEWSLETTER_CORPORA") or ROOT.parent / "shared" / "corpora")
CORPUS = CORPORA / "reply_text.jsonl"
ISSUE = ROOT / "issues" / "2026-11-24-asb-and-mental-health"
AIM = 2.0  # ms for a typical reply
NOT_HERE = "the corpus of replies is not beside this checkout (NEWSLETTER_CORPORA names it)"


def run() -> list[dict[str, object]]:
    """The bars (of others' known results the best: 81 % equal, 12 of 198 leaked, 5 lost), then the speed."""
    return [*_bars(), *_speed()]


def _bars() -> list[dict[str, object]]:
    if not CORPUS.is_file():
        return [_row(f"bars: {NOT_HERE}", "–", "–", "–", True, skipped=True)]
    from tests.mail.test_reply_bars import measured

    text, html = measured("text", CORPUS), measured("html", CORPUS)
    number, many = text["fixtures"], html["fixtures"]
    return [
        _row(
            f"text replies equal, of {number}",
            f"{text['equal'] / number:.1%}",
            "81 %",
            "≥ 80 %",
            text["equal"] >= 0.8 * number,
        ),
        _row(
            "  with quoted words left in",
            str(text["leaked"]),
            f"{12 / 198 * number:.1f}",
            "≤ 12 per 198",
            text["leaked"] <= 12 / 198 * number,
        ),
        _row(
            "  with words lost",
            str(text["lost"]),
            f"{5 / 198 * number:.1f}",
            "≤ 5 per 198",
            text["lost"] <= 5 / 198 * number,
        ),
        _row(
            f"HTML replies equal, of {many}",
            str(html["equal"]),
            f"{7 / 9 * many:.1f}",
            "≥ 8 of 9",
            html["equal"] >= 8 / 9 * many,
        ),
    ]


def _speed() -> list[dict[str, object]]:
    from newsletter.config import load
    from newsletter.content import reading
    from newsletter.mail.html_clean import clean
    from newsletter.mail.html_text import to_text
    from newsletter.mail.quoting import new_words
    from newsletter.rendering import merge, pipeline, themes

    config = load(ROOT)
    issue = reading.read(ISSUE, config, "")
    rendered = pipeline.render(issue, themes.load(issue.front.template, config), config)
    variant = merge.variant(rendered, ())
    values = merge.fill(rendered, variant, {}, {})
    text, page = merge.join(variant.text, values), merge.join(variant.html, values)
    sent = (text, to_text(page))
    quoted = "\n".join(f"> {line}" for line in text.splitlines())
    reply = f"Thank you, I will come.\n\nOn Tue, 24 Nov 2026 at 10:02, X <x@y.example> wrote:\n{quoted}\n"
    web = (
        f'<div>Yes</div><div class="gmail_quote"><div class="gmail_attr">X:</div><blockquote>{page}</blockquote></div>'
    )
    rows = [
        ("a reply that quotes the whole seed issue, by what we sent", lambda: new_words(reply, sent)),
        ("the same, by its looks alone", lambda: new_words(reply)),
        ("a reply of two sentences", lambda: new_words("Thank you.\n\nI will come.", sent)),
    ]
    found = [_timed(what, work, AIM) for what, work in rows]
    found.append(_timed("HTML that quotes the whole seed issue, to text", lambda: to_text(web), None))
    found.append(_timed("the same, cleaned for showing", lambda: clean(web), None))
    if CORPUS.is_file():
        lines = map(json.loads, CORPUS.read_text(encoding="utf-8").splitlines())
        pages = [row["input"] for row in lines if row["kind"] == "html"]
        worst = max(pages, key=lambda one: _median(lambda: new_words(to_text(one)), 5))
        found.append(_timed("the slowest HTML reply of the corpus", lambda: new_words(to_text(worst)), AIM))
    return found


def _timed(what: str, work: Callable[[], object], aim: float | None) -> dict[str, object]:
    took = _median(work, 101) * 1000
    return _row(what, f"{took:.2f} ms", "–", f"≤ {aim:.0f} ms" if aim else "–", aim is None or took <= aim)


def _median(work: Callable[[], object], rounds: int) -> float:
    work()
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def _row(what: str, ours: str, other: str, aim: str, ok: bool, *, skipped: bool = False) -> dict[str, object]:
    return {"what": what, "ours": ours, "other": other, "ratio": "–", "aim": aim, "ok": ok, "skipped": skipped}
