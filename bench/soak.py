"""The long run: a whole mailing into a counting sink, its sender killed again and again, and everybody accounted for.

`python -m bench soak --people 1000000 --kill-every 30`. The sink is the judge, never our own database.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from bench import measuring, report, servers
from bench.measuring import python

CONNECTIONS = 10
MOST_RSS, MOST_GROWTH = 80, 1.10  # MiB a sender, and how much more at the end than after the first mails
REPORTED = 100_000  # people; a shorter run is only printed
SLOWEST = 0.9  # rate of the last tenth ÷ rate of the first


@dataclass
class Sample:
    """One look, a second after the one before: which sender, how many mails the sink has, MiB and CPU of the sender."""

    life: int
    at: float
    mails: int
    rss: float
    cpu: float


@dataclass
class Soak:
    people: int
    kills: int = 0
    seconds: float = 0.0
    samples: list[Sample] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    twice: int = 0
    strangers: int = 0
    arrived_in_doubt: int = 0
    laws: str = ""

    def rate(self, low: float, high: float, clock: str = "at") -> float:
        """Mails a second while the sink had between `low` and `high` of all, the restarts left out.

        By the `cpu` clock it is what the sender itself does, whatever else the machine has to do.
        """
        mails = seconds = 0.0
        for before, after in zip(self.samples, self.samples[1:], strict=False):
            same = before.life == after.life and before.mails < after.mails
            if same and low <= before.mails / self.people and after.mails / self.people <= high:
                mails, seconds = (
                    mails + after.mails - before.mails,
                    seconds + getattr(after, clock) - getattr(before, clock),
                )
        return mails / seconds if seconds else 0.0

    def growth(self) -> float:
        """The largest memory of a sender ÷ what it had after its first two seconds; the worst of all senders."""
        worst = 1.0
        for life in {one.life for one in self.samples}:
            mine = [one.rss for one in self.samples if one.life == life][2:]
            worst = max(worst, max(mine) / mine[0]) if mine else worst
        return worst

    def verdicts(self) -> list[tuple[str, str, str, bool]]:
        """What, measured, must, holds."""
        first, last = self.rate(0, 0.1), self.rate(0.9, 1.0)
        peak, growth = max((one.rss for one in self.samples), default=0), self.growth()
        doubt = self.states["uncertain"]
        rows = [
            ("lost", f"{self.lost:,}", "0", self.lost == 0),
            ("got it twice", f"{self.twice:,}", "0", self.twice == 0),
            ("got it and are not in the ledger", f"{self.strangers:,}", "0", self.strangers == 0),
            (
                f"uncertain ({self.arrived_in_doubt:,} of them arrived)",
                f"{doubt:,}",
                f"≤ {CONNECTIONS} × {self.kills} kills",
                doubt <= CONNECTIONS * self.kills,
            ),
            ("memory of a sender", f"{peak:.0f} MiB", f"≤ {MOST_RSS} MiB", peak <= MOST_RSS),
            (
                "the same, from a sender's first mails to its last",
                f"× {growth:.2f}",
                f"≤ {MOST_GROWTH}",
                growth <= MOST_GROWTH,
            ),
        ]
        if first and last:
            ratio = last / first
            words = f"{ratio:.2f} ({first:,.0f} and {last:,.0f} a second)"
            rows.append(("rate of the last tenth ÷ first", words, f"≥ {SLOWEST}", ratio >= SLOWEST))
            own = self.rate(0.9, 1.0, "cpu") / self.rate(0, 0.1, "cpu")
            rows.append(("the same by the sender's own processor time", f"{own:.2f}", "–", True))
        rows.append(("the ledger's laws (status --verify)", self.laws or "hold", "hold", not self.laws))
        return rows


def main(arguments: list[str]) -> int:
    """Exit 0 when everything holds."""
    parser = argparse.ArgumentParser(prog="python -m bench soak")
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--kill-every", type=float, default=30.0, help="seconds between kill -9s of the sender")
    parser.add_argument("--kills", type=int, default=10**6, help="at most so many kills")
    parser.add_argument("--survives", choices=("power", "kill"), default="power")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="newsletter-soak-") as name:
        root, counts = Path(name) / "work", Path(name) / "counts"
        root.mkdir()
        print(f"{given.people:,} made-up people are imported and approved", flush=True)
        measuring.run(python("bench.senders.prepare", root, given.people), given.people)
        with (root / "newsletter.toml").open("a", encoding="utf-8") as toml:
            toml.write(f'\n[sending]\nsurvives = "{given.survives}"\n')
        soak = Soak(given.people)
        with servers.null_sink(counts=counts) as sink:
            carry(soak, root, sink, given.kill_every, given.kills)
            sink.mails("write")
        judge(soak, root / "var" / "newsletter.db", counts)
        soak.laws = measuring.newsletter(root, "status", "--verify")
    return tell(soak, given)


def carry(soak: Soak, root: Path, sink: servers.NullSink, every: float, most: int) -> None:
    """Start the sender, kill it when its time is up, start it again, until one comes to its end."""
    began = time.monotonic()
    while True:
        sender = subprocess.Popen(
            python("bench.senders.ours", root, sink.port, "--connections", CONNECTIONS),
            cwd=measuring.ROOT,
            stdout=subprocess.DEVNULL,
        )
        try:
            code = watch(soak, sender, sink, every if soak.kills < most else 1e9)
        finally:
            sender.kill()
            sender.wait()
        soak.seconds = time.monotonic() - began
        if code is not None:
            if code:
                raise SystemExit(f"The sender ended by itself with {code}; its words are above.")
            return
        soak.kills += 1
        done, _ = sink.mails()
        print(
            f"  {soak.seconds:5.0f} s: kill -9 number {soak.kills}, {done:,} of {soak.people:,} had arrived", flush=True
        )


def watch(soak: Soak, sender: subprocess.Popen[bytes], sink: servers.NullSink, every: float) -> int | None:
    """Look at it once a second; None when it is time to kill it, else its exit code."""
    end = time.monotonic() + every
    while (left := end - time.monotonic()) > 0:
        try:
            return sender.wait(min(1.0, left))
        except subprocess.TimeoutExpired:
            soak.samples.append(
                Sample(soak.kills, time.monotonic(), sink.mails()[0], memory(sender.pid), spent(sender.pid))
            )
    return None


def memory(pid: int) -> float:
    """MiB of a process, as /proc says; 0 where it has just ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS")), 0.0)


def spent(pid: int) -> float:
    """Seconds of processor that a process has used, as /proc says; 0 where it has just ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime and stime: proc(5), fields 14 and 15


def judge(soak: Soak, ledger: Path, counts: Path) -> None:
    """Compare what arrived with what the ledger says of each person."""
    arrived = {}
    for line in counts.read_text(encoding="utf-8").splitlines():
        copies, _, address = line.partition(" ")
        arrived[address] = int(copies)
    with sqlite3.connect(ledger) as database:
        for address, state in database.execute("SELECT address, state FROM sending_delivery"):
            copies = arrived.pop(address, 0)
            soak.states[state] += 1
            soak.twice += copies > 1
            soak.lost += copies == 0 and state != "uncertain"
            soak.arrived_in_doubt += copies > 0 and state == "uncertain"
    soak.strangers = len(arrived)


def tell(soak: Soak, given: argparse.Namespace) -> int:
    """Print it, and write it into the report."""
    rows = [(what, measured, must, "holds" if ok else "**misses**") for what, measured, must, ok in soak.verdicts()]
    states = ", ".join(f"{people:,} {state}" for state, people in sorted(soak.states.items()))
    head = (
        f"{soak.people:,} people, {soak.kills} × kill -9 (one every {given.kill_every:g} s), "
        f"survives = {given.survives}: {soak.seconds:.0f} s. {states}."
    )
    text = report.table(("after the last sender has ended", "measured", "must", ""), rows)
    print(f"\n{head}\n")
    for what, measured, must, holds in rows:
        print(f"  {what:<52} {measured:>28}  {must:<22} {holds.strip('*')}")
    if soak.people >= REPORTED:
        report.write("soak", f"## Everybody accounted for\n\n{head}\n\n{report.machine()}\n\n{text}")
    return 0 if all(ok for *_, ok in soak.verdicts()) else 1
