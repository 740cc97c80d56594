"""The report as one page that stands by itself: no script, nothing from elsewhere; the picture has its table beside."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path

from newsletter.cli.output import number
from newsletter.cli.report import share, state, when
from newsletter.sending.reporting import OUTCOMES, Report

CSS = Path(__file__).with_name("report_page.css")


def page(report: Report, language: str) -> str:
    """The whole HTML. Its words are English; `language` is only that of the subject in it."""
    title = escape(report.subject)
    style = CSS.read_text(encoding="utf-8")
    everybody = "person" if report.frozen == 1 else "people"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Report: {title}</title>
<style>
{style}</style>
</head>
<body>
<main>
<h1 lang="{escape(language)}">{title}</h1>
<p class="quiet">{escape(report.issue)} · {state(report)}{escape(when(report))}</p>
<section class="card" aria-labelledby="sum">
<h2 id="sum">{number(report.frozen)} {everybody}</h2>
{bar(report)}
{_outcomes(report)}
</section>
{_reasons(report)}
<section class="card" aria-labelledby="where">
<h2 id="where">Where it went</h2>
{_providers(report)}
</section>
<section class="card" aria-labelledby="after">
<h2 id="after">Since then</h2>
{_after(report)}
</section>
</main>
</body>
</html>
"""


def bar(report: Report) -> str:
    """The outcomes as one bar; the table below it says the same in numbers."""
    outcomes = [(key, people) for key, people in report.outcomes().items() if people]
    said = ", ".join(f"{number(people)} {OUTCOMES[key].lower()}" for key, people in outcomes)
    total, at, parts = max(report.frozen, 1), 0.0, []
    for key, people in outcomes:
        wide = 1000 * people / total
        # A gap of 2 between parts, so that they are told apart without colour; nobody becomes too thin to see.
        left = min(at, 998.0)  # the last one must not fall off the end
        parts.append(f'<rect class="{key}" x="{left:.2f}" y="0" width="{max(wide - 2, 2):.2f}" height="28"/>')
        at += wide
    label = escape(f"Of {number(report.frozen)}: {said}")
    return (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 1000 28" preserveAspectRatio="none">{"".join(parts)}</svg>'
    )


def _outcomes(report: Report) -> str:
    rows = "".join(
        f'<tr><th scope="row"><span class="key {key}"></span>{OUTCOMES[key]}</th>'
        f'<td class="n">{number(people)}</td><td class="n">{escape(share(people, report.frozen))}</td></tr>'
        for key, people in report.outcomes().items()
        if people or key == "accepted"
    )
    head = _head(("Outcome", "People", "Share"), numbers=2)
    foot = f'<tr><th scope="row">All</th><td class="n">{number(report.frozen)}</td><td class="n">100%</td></tr>'
    return f"<table>{head}<tbody>{rows}</tbody><tfoot>{foot}</tfoot></table>"


def _reasons(report: Report) -> str:
    """Why, of everybody who does not have it; the codes stand last, for whoever must look further."""
    found = [row for row in report.reasons() if row[0] not in ("accepted", "waiting")]
    if not found:
        return ""
    cells = "".join(
        f'<tr><th scope="row">{escape(words)}</th>{_cell("Outcome", OUTCOMES[outcome])}'
        f"{_cell('People', number(people), 'n')}{_cell('Code', f'<code>{escape(code)}</code>' if code else '–')}</tr>"
        for outcome, words, code, people in found
    )
    all_ = number(sum(row[3] for row in found))
    rest = number(report.frozen - sum(row[3] for row in found))
    head = (
        '<thead><tr><th scope="col">Reason</th><th scope="col">Outcome</th><th scope="col" class="n">People</th>'
        '<th scope="col">Code</th></tr></thead>'
    )
    foot = (
        f'<tr><th scope="row">Accepted, or waiting</th><td></td>{_cell("People", rest, "n")}<td></td></tr>'
        f'<tr><th scope="row">All</th><td></td>{_cell("People", number(report.frozen), "n")}<td></td></tr>'
    )
    return (
        f'<section class="card" aria-labelledby="why"><h2 id="why">Why {all_} do not have it, or not yet</h2>'
        f'<table class="stack">{head}<tbody>{cells}</tbody><tfoot>{foot}</tfoot></table></section>'
    )


def _providers(report: Report) -> str:
    outcomes = report.outcomes()
    used = [key for key in OUTCOMES if outcomes[key] or key == "accepted"]

    def row(name: str, numbers: Iterable[tuple[str, int]], all_: int) -> str:
        cells = "".join(_cell(OUTCOMES[key], number(people), "n") for key, people in numbers)
        return f'<tr><th scope="row">{escape(name)}</th>{cells}{_cell("All", number(all_), "n")}</tr>'

    body = "".join(
        row(name, [(key, numbers[key]) for key in used], sum(numbers.values()))
        for name, numbers in report.by_provider()
    )
    foot = row("All", [(key, outcomes[key]) for key in used], report.frozen)
    head = _head(("Mail provider", *(OUTCOMES[key] for key in used), "All"), numbers=len(used) + 1)
    return f'<table class="stack">{head}<tbody>{body}</tbody><tfoot>{foot}</tfoot></table>'


def _after(report: Report) -> str:
    words = {
        "replies": "Replies so far",
        "bounced": "Bounced after it was accepted",
        "complaints": "Complaints",
        "left": "Left after they got it",
    }
    rows = "".join(
        f'<tr><th scope="row">{label}</th><td class="n">{number(report.after[key])}</td></tr>'
        for key, label in words.items()
    )
    return f"<table>{_head(('What', 'People'), numbers=1)}<tbody>{rows}</tbody></table>"


def _head(names: tuple[str, ...], *, numbers: int) -> str:
    """The heading; the last `numbers` columns hold numbers."""
    first = len(names) - numbers
    cells = "".join(
        f'<th scope="col" class="n">{name}</th>' if index >= first else f'<th scope="col">{name}</th>'
        for index, name in enumerate(names)
    )
    return f"<thead><tr>{cells}</tr></thead>"


def _cell(name: str, shown: str, kind: str = "") -> str:
    """A cell that names its column itself where the page is too narrow for columns."""
    return f'<td class="{kind}" data-name="{escape(name)}">{shown}</td>'
