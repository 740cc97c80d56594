"""Lines on a terminal that are drawn anew in place, and what a machine reads of a sending under way."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import Output, count, number, visible

if TYPE_CHECKING:
    from newsletter.sending.drain import Ended, Progress
    from newsletter.sending.progress import ProviderLine

EVENTS = "newsletter.events"  # in click's meta: somebody asked for --events
EVERY = 1.0  # seconds between two events of progress at least
MOST = 6  # providers shown; who is slowed is always among them


class Redrawn:
    """A few lines in the same place: each drawing replaces the last one, however many lines either has."""

    def __init__(self, output: Output) -> None:
        self.output, self.lines = output, 0

    def draw(self, lines: Sequence[str]) -> None:
        """Show these lines, folded to the window, where the last ones stood; none takes the last ones away."""
        if not lines and not self.lines:
            return
        physical = [part for line in lines for part in self.output.folded(line).split("\n")]
        up = f"\x1b[{self.lines}F" if self.lines else ""
        sys.stdout.write(up + "\x1b[J" + "".join(f"{line}\n" for line in physical))
        sys.stdout.flush()
        self.lines = len(physical)


def provider_lines(providers: Sequence[ProviderLine]) -> list[str]:
    """`Google  1,204 accepted, 38 trying again; slowed to 10 a minute until 14:35`, a line each.

    Only the first few; those with something to say before the others, the rest counted in a line of its own.
    """
    first = sorted(providers, key=lambda line: not line.words)  # stable: within, the one with most answers first
    shown, rest = first[:MOST], first[MOST:]
    wide = max((len(visible(line.name)) for line in shown), default=0)
    lines = [f"  {visible(line.name):<{wide}}  {_numbers(line)}" for line in shown]
    if rest:
        accepted = sum(line.accepted for line in rest)
        lines.append(f"  {count(len(rest), 'more provider')}  {number(accepted)} accepted")
    return lines


def _numbers(line: ProviderLine) -> str:
    parts = [f"{number(line.accepted)} accepted"]
    parts += [f"{number(line.again)} trying again"] if line.again else []
    parts += [f"{number(line.failed)} failed"] if line.failed else []
    return ", ".join(parts) + (f"; {visible(line.words)}" if line.words else "")


def _ask(context: click.Context, option: click.Parameter, value: bool) -> None:
    context.meta[EVENTS] = value


events_option = click.option(
    "--events",
    is_flag=True,
    expose_value=False,
    callback=_ask,
    help="While sending, JSON Lines on standard error, at most one a second.",
)


class Events:
    """JSON Lines on standard error for programs that watch; standard output stays as it is. Silent unless asked."""

    def __init__(self) -> None:
        context = click.get_current_context(silent=True)
        self.wanted = bool(context and context.meta.get(EVENTS))
        self.last = -EVERY

    def progress(self, progress: Progress) -> None:
        """`{"event": "progress", …}`, when the last one was a second ago."""
        now = time.monotonic()
        if not self.wanted or now - self.last < EVERY:
            return
        self.last = now
        self._say(
            "progress",
            counts=progress.counts,
            sent=progress.sent,
            seconds=round(progress.seconds, 3),
            rate=round(progress.rate, 1),
            note=progress.note,
            held=progress.held,
            providers=[
                {
                    "name": line.name,
                    "accepted": line.accepted,
                    "deferred": line.again,
                    "failed": line.failed,
                    "words": line.words,
                }
                for line in getattr(progress, "providers", ())
            ],
        )

    def ended(self, ended: Ended) -> None:
        """`{"event": "ended", …}`, once, with the exact counts of the ledger."""
        if self.wanted:
            self._say(
                "ended",
                ended=ended.how.value,
                words=ended.words,
                counts=ended.counts,
                sent=ended.sent,
                seconds=round(ended.seconds, 3),
            )

    def _say(self, event: str, **more: Any) -> None:
        click.echo(json.dumps({"event": event, **more}, default=str), err=True)
