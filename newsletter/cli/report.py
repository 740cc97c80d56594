"""`newsletter report`: what became of a mailing, why, and at which provider; for people, spreadsheets and machines."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli import sending_words as words
from newsletter.cli.output import Output, count, json_option, number, print_json, visible
from newsletter.problems import Exit, NewsletterError, Problem

if TYPE_CHECKING:
    from newsletter.sending.reporting import Report

MOST = 12  # reasons on the screen; --json, --csv and --html have them all
FILE = click.Path(dir_okay=False, path_type=Path)
BOOKS = "Do not send on. newsletter status --verify says what is wrong; keep a copy of var/newsletter.db."


@click.command()
@click.argument("issue", required=False)
@click.option("--codes", is_flag=True, help="Show the mail servers' codes as well.")
@click.option("--csv", "as_csv", type=FILE, metavar="FILE", help="Write a table for a spreadsheet.")
@click.option("--html", "as_html", type=FILE, metavar="FILE", help="Write one page with a picture, to pass on.")
@click.option("--yes", is_flag=True, help="Replace a file that is there.")
@json_option
@click.pass_obj
def command(
    output: Output,
    issue: str | None,
    codes: bool,
    as_csv: Path | None,
    as_html: Path | None,
    yes: bool,
    as_json: bool,
) -> int:
    """Say what became of a mailing: delivered, trying again, failed and why, by provider. Every table adds up.

    \b
    newsletter report 2026-11-24
    newsletter report --html report.html     one page, also for somebody without this program
    newsletter report --csv report.csv       opens in a spreadsheet
    """
    from newsletter.cli import draft
    from newsletter.cli.sending_mailing import which_or_draft, workspace

    config = workspace(output)
    from newsletter.sending import reporting  # the ledger, which needs the database that `workspace` opened

    mailing = which_or_draft(output, config, issue)
    if isinstance(mailing, Path):
        return draft.tell(output, config, mailing, as_json)
    report = reporting.make(mailing)
    for path in filter(None, (as_csv, as_html)):
        _may_write(path, yes)
    if as_csv:
        _write_csv(as_csv, report)
    if as_html:
        _write_html(as_html, report, config.site.language)
    wrong = [] if report.balances else [Problem("books-do-not-balance", _not_everybody(report), hint=BOOKS)]
    written = [str(path) for path in (as_csv, as_html) if path]
    if as_json:
        print_json(wrong, **reporting.as_json(report), files=written)
    else:
        if not written:
            show(output, report, codes=codes)
        for name in written:
            output.done(f"Wrote {name}")
        output.problems(wrong)
    return Exit.FAILURES if wrong else Exit.FINE


def show(output: Output, report: Report, *, codes: bool = False) -> None:
    """The report on a terminal, or as plain lines."""
    from newsletter.sending.reporting import OUTCOMES

    outcomes = report.outcomes()
    output.say(f"{output.style(visible(report.subject), bold=True)}   {report.issue}")
    output.say(f"  {state(report)}{when(report)}")
    output.say()
    said = [(label, outcomes[key]) for key, label in OUTCOMES.items() if outcomes[key] or key == "accepted"]
    output.facts([*((label, _right(output, people, report)) for label, people in said)])
    output.facts([(_padded("All", said), _right(output, report.frozen, report))])
    _why(output, report, codes=codes)
    _providers(output, report)
    output.say()
    after = report.after
    rated = after["useful"] + after["not_useful"]
    output.facts(
        [
            ("Replies so far", after["replies"]),
            ("Bounced later", after["bounced"]),
            ("Complaints", after["complaints"]),
            ("Left after it", after["left"]),
            *([("Useful", f"{number(after['useful'])} said yes, {number(after['not_useful'])} no")] if rated else []),
        ]
    )
    output.next("newsletter report --html report.html", "writes it as a page to pass on")


def _why(output: Output, report: Report, *, codes: bool) -> None:
    """The reasons, the commonest of each outcome first. Without codes, those that differ in them alone are one."""
    from newsletter.sending.reporting import OUTCOMES

    found: Counter[tuple[str, str, str]] = Counter()
    for outcome, why, code, people in report.reasons():
        if outcome not in ("accepted", "waiting"):
            found[(outcome, why, code if codes else "")] += people
    if not found:
        return
    wide = len(number(report.frozen))
    output.say()
    output.say(output.style("Why", bold=True))
    for (outcome, why, code), people in [*found.items()][:MOST]:
        shown = f"  [{code}]" if code else ""
        output.say(f"  {number(people):>{wide}}  {OUTCOMES[outcome]}: {visible(why)}{shown}")
    if rest := [*found.values()][MOST:]:
        output.say(f"  {number(sum(rest)):>{wide}}  {count(len(rest), 'other reason')}")
    output.say(f"  {number(report.frozen - found.total()):>{wide}}  Accepted, or waiting")


def _providers(output: Output, report: Report) -> None:
    """Where it went. In a narrow window a provider is a line of words, not a row of seven numbers."""
    import shutil

    from newsletter.sending.reporting import OUTCOMES

    rows, outcomes = report.by_provider(), report.outcomes()
    used = [key for key in OUTCOMES if outcomes[key] or key == "accepted"]
    output.say()
    output.say(output.style("Where it went", bold=True))
    if output.fancy and shutil.get_terminal_size().columns < 28 + 12 * len(used):
        for who, numbers in rows:
            parts = [f"{number(numbers[key])} {OUTCOMES[key].lower()}" for key in used if numbers[key]]
            output.say(f"  {visible(who)}   {'   '.join(parts)}")
        return
    head = ["  PROVIDER", *(OUTCOMES[key].upper() for key in used), "ALL"]
    body = [[f"  {visible(who)}", *(numbers[key] for key in used), sum(numbers.values())] for who, numbers in rows]
    output.table(head, [*body, ["  All", *(outcomes[key] for key in used), report.frozen]])


def state(report: Report) -> str:
    """How it stands, in words: what waits only for somebody's decision about the uncertain is not being sent."""
    if report.state == "sending" and not _to_go(report):
        return "Everybody was handed over"
    return words.ended(report.state, report.outcomes()["accepted"], report.frozen)


def _to_go(report: Report) -> bool:
    outcomes = report.outcomes()
    return report.state in ("sending", "paused") and bool(outcomes["waiting"] + outcomes["deferred"])


def when(report: Report) -> str:
    """`, began 10:00, took 7 min 24 s, 40 a second`; while it goes on `, began 10:00, 7 min 24 s so far, …`."""
    parts = [f"began {words.clock(report.began)}"] if report.began else []
    if report.ended:
        long = words.duration(report.seconds)
        parts += [f"{long} so far" if _to_go(report) else f"took {long}"]
    parts += [f"{report.rate:,.0f} a second"] if report.rate >= 1 else []
    return "".join(f", {part}" for part in parts)


def share(people: int, everybody: int) -> str:
    """`98.4%`; never 100% of what is not everybody, never 0% of somebody."""
    if not everybody or people in (0, everybody):
        return "100%" if people else "0%"
    percent = 100 * people / everybody
    return "<0.1%" if percent < 0.1 else ">99.9%" if percent > 99.9 else f"{percent:.1f}%"


def _right(output: Output, people: int, report: Report) -> str:
    return f"{number(people):>{len(number(report.frozen))}}  {share(people, report.frozen)}"


def _padded(label: str, said: list[tuple[str, int]]) -> str:
    return label.ljust(max(len(one) for one, _ in said))


def _not_everybody(report: Report) -> str:
    total = sum(cell.people for cell in report.cells)
    return f"{number(report.frozen)} people were frozen, but {number(total)} are in this report"


def _may_write(path: Path, yes: bool) -> None:
    if path.exists() and not yes:
        problem = Problem("file-exists", f"There is already a file {path}", hint="Add --yes to replace it.")
        raise NewsletterError(problem, exit=Exit.REFUSED)


def _write_csv(path: Path, report: Report) -> None:
    from newsletter.audience.exporting import whole_file
    from newsletter.audience.formulas import neutral
    from newsletter.sending import reporting

    with whole_file(path) as target:
        writer = csv.writer(target, quoting=csv.QUOTE_ALL)
        for row in reporting.as_rows(report):
            writer.writerow(map(neutral, row))


def _write_html(path: Path, report: Report, language: str) -> None:
    from newsletter.audience.exporting import whole_file
    from newsletter.cli import report_page

    text = report_page.page(report, language)
    with whole_file(path) as target:
        target.write(text)
