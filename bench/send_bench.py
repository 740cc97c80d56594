"""How quick we send, beside smtp-source and four other senders: everybody in turn, three rounds, medians.

Everything the issue asks for is one row of TABLE; what cannot run here is named with its reason, never left out.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench import gathered, race, report, servers
from bench.measuring import Failed, Measured

ROUNDS, QUICK_ROUNDS = 3, 1
SLOW = 45  # seconds; who takes longer runs in the first round only, so that the whole run has an end
Found = dict[str, Measured]  # one round: contender → what was measured


@dataclass(frozen=True)
class Row:
    """One line of the table. `value` is worked out within each round; the median of the rounds is compared."""

    what: str
    needs: tuple[str, ...]
    value: Callable[[Found], float]
    must: float
    aim: float
    unit: str = "×"
    less: bool = False  # less is better
    told: Callable[[Found], str] = lambda found: ""

    def holds(self, measured: float, limit: float) -> bool:
        return measured <= limit if self.less else measured >= limit

    def words(self, number: float) -> str:
        if self.unit == "×":
            return f"{number:.2f} ×"
        return f"{number:,.0f} {self.unit}" if number >= 100 else f"{number:.3g} {self.unit}"


def times(mine: str, theirs: str) -> tuple[tuple[str, ...], Callable[[Found], float]]:
    """Rate ÷ rate of one round."""
    return (mine, theirs), lambda found: found[mine].rate / found[theirs].rate


def said(name: str, *keys: str) -> tuple[tuple[str, ...], Callable[[Found], float]]:
    """A number that the contender gave itself, or the ratio of two."""

    def value(found: Found) -> float:
        numbers = [float(found[name].said[key]) for key in keys]
        return numbers[0] / numbers[1] if len(numbers) == 2 else numbers[0]

    return (name,), value


def rates(found: Found, *names: str) -> str:
    return " ÷ ".join(f"{found[name].rate:,.0f}" for name in names) + " a second"


def sink_words(found: Found) -> str:
    """With the bound of this machine: smtp-sink is one process, and reads a mail letter by letter."""
    most = found["ours"].messages / found["ours"].said["sink"]
    return f"{rates(found, 'ours', 'smtp-source')}; smtp-sink itself can take {most:,.0f}"


def by_rate(what: str, mine: str, theirs: str, must: float, aim: float) -> Row:
    needs, value = times(mine, theirs)
    return Row(what, needs, value, must, aim, told=lambda found: rates(found, mine, theirs))


def plan_words(found: Found) -> str:
    scans = found["ledger"].said.get("scans")
    return "EXPLAIN: " + ("; ".join(scans) if scans else "no statement reads a whole table")


def dkim_words(found: Found) -> str:
    return (
        ", ".join(f"{name} {found['dkim rates'].said[name]:,.0f}" for name in ("ours", "bare", "dkimpy"))
        + " a CPU second"
    )


def two_words(found: Found) -> str:
    """The bound on a machine of two cores: both workers and the sink share them."""
    names = ("dkim 2, null", "dkim 1, null")
    steady = " ÷ ".join(f"{found[name].said['steady']:,.0f}" for name in names)
    each = ", ".join(
        f"{found[name].cpu_each_thousand:.2f} + {1000 * found[name].said['sink'] / found[name].messages:.2f} s"
        for name in names
    )
    return f"{steady} a second; whole runs {rates(found, *names)}; CPU for 1,000, senders + sink: {each}"


def table(count: dict[str, int]) -> list[Row]:
    """The rows of the issue, in its order."""
    return [*beside_others(), *signed(), *ledger(count["people"])]


def beside_others() -> list[Row]:
    return [
        Row(
            "end to end with ledger, 10 sessions, into smtp-sink ÷ smtp-source",
            *times("ours", "smtp-source"),
            0.9,
            1.0,
            told=sink_words,
        ),
        by_rate(
            "a durable commit before every body, survives kill -9 (the same run)", "ours", "smtp-source", 0.9, 0.95
        ),
        by_rate("the same with FULL, survives power loss", "ours, power", "smtp-source", 0.65, 0.8),
        by_rate("ours ÷ nodemailer, pool of 10", "ours", "nodemailer", 10, 12),
        by_rate("ours ÷ Django send_messages of 100, Jinja", "ours", "django", 12, 14),
        by_rate("ours ÷ smtplib + EmailMessage, Jinja", "ours", "smtplib", 25, 30),
        by_rate("ours ÷ aiosmtplib, 10 connections, our bytes", "ours", "aiosmtplib", 3.5, 4),
        by_rate("ours ÷ nodemailer, all into a sink that only counts", "ours, null", "nodemailer, null", 10, 12),
        by_rate("ours ÷ smtplib, all into a sink that only counts", "ours, null", "smtplib, null", 25, 30),
        by_rate("ours ÷ listmonk, 10 connections", "ours", "listmonk", 1, 1),
        Row(
            "CPU for 1,000 mails ÷ smtp-source's",
            ("ours", "smtp-source"),
            lambda found: found["ours"].cpu_each_thousand / found["smtp-source"].cpu_each_thousand,
            3,
            2,
            less=True,
            told=lambda found: " ÷ ".join(f"{found[n].cpu_each_thousand:.3f}" for n in ("ours", "smtp-source")) + " s",
        ),
        by_rate("20 ms replies, ours ÷ smtp-source", "ours, late", "smtp-source, late", 3, 3.5),
        Row(
            "20 ms replies, share of sessions ÷ round trip",
            ("ours, late",),
            lambda found: 100 * found["ours, late"].rate * race.DELAY / race.SESSIONS,
            85,
            90,
            "%",
            told=lambda found: f"{found['ours, late'].rate:,.0f} of {race.SESSIONS / race.DELAY:,.0f} a second",
        ),
    ]


def signed() -> list[Row]:
    return [
        Row("RSA-2048 DKIM ÷ bare sign rate", *said("dkim rates", "ours", "bare"), 0.7, 0.8, told=dkim_words),
        Row("RSA-2048 DKIM ÷ dkimpy", *said("dkim rates", "ours", "dkimpy"), 15, 20, told=dkim_words),
        Row(
            "two workers ÷ one with DKIM, into a null sink; their rate when all have started",
            ("dkim 2, null", "dkim 1, null"),
            lambda found: found["dkim 2, null"].said["steady"] / found["dkim 1, null"].said["steady"],
            1.5,
            1.8,
            told=two_words,
        ),
        by_rate("the same into smtp-sink (printed, not asked for)", "dkim 2, sink", "dkim 1, sink", 0, 0),
    ]


def ledger(people: int) -> list[Row]:
    million = people / 1e6
    return [
        Row(f"freeze {people:,} people", *said("ledger", "freeze"), 3 * million, 1.5 * million, "s", less=True),
        Row("lease + mark a person, SQLite", *said("ledger", "each"), 15, 10, "µs", less=True, told=plan_words),
        Row(
            "lease + mark, last tenth ÷ first",
            *said("ledger", "last", "first"),
            1.1,
            1.0,
            less=True,
            told=lambda found: " ÷ ".join(f"{found['ledger'].said[key]:.1f}" for key in ("last", "first")) + " µs",
        ),
        Row(
            "lease + mark on PostgreSQL",
            ("postgres",),
            lambda found: 1e6 / found["postgres"].said["each"],
            25_000,
            40_000,
            "rows a second",
        ),
        Row(
            "1,000 people, approval to last hand-over, into smtp-sink",
            ("ours, approve",),
            lambda found: found["ours, approve"].seconds,
            2,
            1,
            "s",
            less=True,
        ),
    ]


def run(quick: bool = False, part: str = "") -> list[dict[str, Any]]:
    """Race, write docs/benchmarks.md, and return the rows for `python -m bench`.

    `part`: only those of race.PARTS; what the other parts have found stays, and the page is written from all of it.
    """
    if not servers.program("smtp-sink"):
        print("  Postfix's smtp-sink and smtp-source are not installed here: `make system`.")
        return []
    began, wanted = time.monotonic(), race.PARTS[part] if part else race.EVERYBODY
    with race.ready(quick, lambda words: print(f"  … {words}", file=sys.stderr, flush=True), wanted) as ready:
        rounds, why_not = raced(ready, QUICK_ROUNDS if quick else ROUNDS)
        rows = [row for row in table(ready.count) if set(row.needs) <= set(wanted)]
        judgements = [judged(row, rounds, why_not) for row in rows]
        if not quick:  # one round is no median
            words = f"{report.machine()} Took {(time.monotonic() - began) / 60:.1f} minutes."
            kept = gathered.add(part, wanted, rounds, why_not, words, ready.size)
            write([judged(row, kept.rounds, kept.why_not) for row in table(ready.count)], kept)
    return judgements


def raced(ready: race.Race, rounds: int) -> tuple[list[Found], dict[str, str]]:
    """Everybody once in every round. Who fails once is named with the reason and not asked again."""
    found: list[Found] = []
    why_not, slow = dict(ready.why_not), set[str]()
    for number in range(1, rounds + 1):
        found.append({})
        for name, start in ready.contenders().items():
            if name in why_not or name in slow:
                continue
            at = time.monotonic()
            try:
                done = found[-1][name] = start()
            except Failed as error:
                why_not[name] = str(error)
                print(f"  … {number}. {name}: {error}", file=sys.stderr, flush=True)
                continue
            if time.monotonic() - at > SLOW:
                slow.add(name)
            words = f"{done.rate:,.0f} a second, {done.cpu_each_thousand:.3f} CPU s for 1,000, {done.rss:.0f} MiB"
            print(f"  … {number}. {name}: {words}", file=sys.stderr, flush=True)
    return found, why_not


def judged(row: Row, rounds: list[Found], why_not: dict[str, str]) -> dict[str, Any]:
    """One row as `python -m bench` prints it, with what the report needs beside."""
    complete = [found for found in rounds if all(name in found for name in row.needs)]
    reason = next((why_not[name] for name in row.needs if name in why_not), "" if complete else "not run yet")
    sign = "≤" if row.less else "≥"
    limit = f"{sign} {row.words(row.must)}" if row.must else "–"
    aim = f"{sign} {row.words(row.aim)}" if row.aim else "–"
    line = {
        "what": row.what,
        "must": limit,
        "better": aim,
        "aim": f"{limit}, better {aim}",
        "skipped": reason,
        "told": "",
    }
    if reason:
        return {**line, "ours": "–", "other": "–", "ratio": "not run", "aim": reason, "ok": True}
    values = [row.value(found) for found in complete]
    measured = statistics.median(values)
    middle = complete[min(range(len(values)), key=lambda at: abs(values[at] - measured))]
    mine, other = row.needs[0], row.needs[1] if len(row.needs) > 1 else ""
    spread = f" ({min(values):.3g}–{max(values):.3g})" if len(values) > 1 else " (once)"
    return {
        **line,
        "ours": f"{middle[mine].rate:,.0f}/s",
        "other": f"{middle[other].rate:,.0f}/s" if other else "–",
        "ratio": row.words(measured),
        "spread": spread,
        "told": row.told(middle),
        "ok": row.holds(measured, row.must),
        "better than asked": row.holds(measured, row.aim),
    }


def write(rows: list[dict[str, Any]], kept: gathered.Gathered) -> None:
    lines = []
    for row in rows:
        if row["skipped"]:
            lines.append((row["what"], row["must"], row["better"], "not run", row["skipped"]))
            continue
        verdict = "holds, aim too" if row["better than asked"] else "holds" if row["ok"] else "**misses**"
        measured = row["ratio"] + row["spread"]
        lines.append(
            (row["what"], row["must"], row["better"], measured, verdict + (f"; {row['told']}" if row["told"] else ""))
        )
    each = []
    for name in race.EVERYBODY:
        runs = [found[name] for found in kept.rounds if name in found]
        if not runs or name in ("dkim rates", "ledger", "postgres"):
            continue
        middle = [
            statistics.median(values)
            for values in zip(*((m.rate, m.cpu_each_thousand, m.rss) for m in runs), strict=True)
        ]
        cells = (f"{runs[0].messages:,}", f"{middle[0]:,.0f}", f"{middle[1]:.3f}", f"{middle[2]:.0f} MiB")
        each.append((name, *cells))
    machines = "\n".join(f"- {part or 'everybody'}: {words}" for part, words in kept.machines.items())
    report.write(
        "send",
        f"## Sending\n\n{machines}\n\n{len(kept.rounds)} rounds, everybody of a part once in each; median "
        f"(smallest–largest). A mail has {kept.size:,} bytes; everything is on one machine, sink included.\n\n"
        + report.table(("measured", "must", "aim", "found", ""), lines)
        + "\nEach by itself, medians; *late* = a sink whose answers take 20 ms, *null* = one that only counts:\n\n"
        + report.table(("sender", "mails a run", "a second", "CPU s for 1,000", "memory"), each),
    )
