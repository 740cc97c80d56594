"""Carrying a mailing in the foreground: the bar, Ctrl-C that loses nobody, and last words that say what to do."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli import sending_words as words
from newsletter.cli.output import Output, count, number, visible
from newsletter.cli.sending_screen import Events, Redrawn, provider_lines
from newsletter.config import Config
from newsletter.problems import Exit

if TYPE_CHECKING:
    from newsletter.sending.carrier import Carrier
    from newsletter.sending.drain import Ended, Progress
    from newsletter.sending.models import Mailing

PLAIN_EVERY = 10.0  # seconds between lines where there is no terminal


def carry(output: Output, config: Config, mailing: Mailing, carrier: Carrier) -> tuple[Ended, int]:
    """Drain with everything a person wants to see; returns how it ended and the exit code."""
    from newsletter.sending import logbook
    from newsletter.sending.drain import drain

    show, events = _Screen(output, mailing) if output.fancy else _Lines(output, mailing), Events()

    def look(progress: Progress) -> None:
        show.progress(progress)
        events.progress(progress)

    with _interrupts(show) as interrupted:
        ended = drain(
            config,
            mailing,
            carrier.factory,
            lambda progress: heard_or_not(look, progress),
            interrupted.is_set,
            ways=carrier.ways,
        )
    _remember_rate(mailing, ended)
    logbook.ended(mailing, ended)
    heard_or_not(show.end)
    heard_or_not(events.ended, ended)
    heard_or_not(tell, output, mailing, ended)
    return ended, exit_code(ended)


def heard_or_not(say: Callable[..., None], *what: Any) -> None:
    """Say it; where the pipe or the terminal was closed, to nobody. Who looks does not decide who gets the mail."""
    try:
        say(*what)
    except OSError:
        _to_nobody()


def _to_nobody() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def exit_code(ended: Ended) -> int:
    """0 when everybody was accepted or had left; 5 with failures; 75 try again; 130 interrupted."""
    from newsletter.sending.drain import How

    special = {How.INTERRUPTED: Exit.INTERRUPTED, How.UNREACHABLE: Exit.TRY_AGAIN}
    if ended.how in special:
        return special[ended.how]
    bad = sum(
        ended.counts[state] for state in ("failed", "expired", "uncertain", "deferred", "cancelled", *words.WAITING)
    )
    return Exit.FAILURES if bad else Exit.FINE


def tell(output: Output, mailing: Mailing, ended: Ended) -> None:
    """The end, in words: what was done, what is left, and the one command that goes on."""
    from newsletter.sending.drain import How

    counts = ended.counts
    waiting = sum(counts[state] for state in words.WAITING)
    again, uncertain = counts["deferred"], counts["uncertain"]
    if ended.recovered[1]:
        output.say(f"  The last sender was cut off: {words.people(ended.recovered[1])} may or may not have got it.")
    rate = f"  ({ended.sent / ended.seconds:,.0f} a second)" if ended.seconds > 0.2 and ended.sent else ""
    reached = words.people(ended.sent)
    if counts["accepted"] > ended.sent:  # somebody went on where an earlier run stopped
        reached = f"{number(ended.sent)} now, {words.people(counts['accepted'])} in all,"
    sent = f"Sent “{visible(subject(mailing))}” to {reached} in {words.duration(ended.seconds)}{rate}"
    if ended.how is How.INTERRUPTED:
        output.say(f"Stopped. {sent}" if ended.sent else _stopped(counts))  # half a mailing earns no tick
    elif ended.sent or ended.how is How.DONE:
        output.done(sent)
    if counts["accepted"] != mailing.frozen:
        output.say(f"  {words.numbers(counts)}   of {number(mailing.frozen)}")
    reasons(output, mailing)
    if ended.dead:
        output.say(f"  {count(ended.dead, 'address', 'addresses')} refused for good: no more mail goes there")
    if ended.words:
        output.failed(visible(ended.words))
    if ended.how is How.INTERRUPTED:
        output.say(f"{words.people(waiting)} still wait; nobody is forgotten.")
        output.next(f"newsletter send {mailing.slug}", "goes on where it stopped; nobody gets it twice")
    elif ended.how is How.UNREACHABLE:
        output.say(f"{words.people(waiting)} still wait; nothing is lost.")
        output.next(f"newsletter send {mailing.slug}", "when the mail server is back; goes on where it stopped")
    elif ended.how is How.PAUSED:
        output.say(f"The mailing has paused itself. {words.people(waiting)} still wait.")
        output.next(f"newsletter resume {mailing.slug}", "when that is put right")
    elif ended.how is How.STOPPED:
        output.say(f"Stopped for good: {words.people(counts['cancelled'])} will not get it.")
    elif again:
        output.say(f"{words.people(again)} to try again: run newsletter send after {words.clock(ended.next_due)}.")
    if uncertain:
        output.say(f"{words.people(uncertain)} uncertain; they are not sent it again by themselves.")
        output.next(f"newsletter status {mailing.slug}", "lists them and says what can be done")


def _stopped(counts: dict[str, int]) -> str:
    """Ctrl-C before anybody's mail was taken in this run. Of the uncertain nobody knows."""
    if counts["uncertain"]:
        return "Stopped."
    return "Stopped: nothing more was sent." if counts["accepted"] else "Stopped: nothing was sent."


def reasons(output: Output, mailing: Mailing, most: int = 5) -> None:
    """Why people failed, the commonest reason first."""
    from django.db.models import Count

    from newsletter.sending.models import Delivery

    rows = (
        mailing.rows()
        .filter(state=Delivery.State.FAILED)
        .order_by()
        .values_list("reason")
        .annotate(people=Count("pk"))
        .order_by("-people", "reason")
    )
    for reason, affected in rows[:most]:
        output.say(f"  failed {number(affected)}: {visible(reason)}")
    if rows[most:].exists():
        output.say("  newsletter status --people failed lists them all")


def subject(mailing: Mailing) -> str:
    """The subject with every field at its fallback."""
    return str(mailing.settings.get("subject") or mailing.slug)


def _remember_rate(mailing: Mailing, ended: Ended) -> None:
    """For the time estimate of the next mailing."""
    if ended.sent >= 20 and ended.seconds > 0:
        mailing.settings["rate"] = round(ended.sent / ended.seconds, 1)
        mailing.save(update_fields=["settings"])


class _Lines:
    """For pipes and logs: a line now and then."""

    def __init__(self, output: Output, mailing: Mailing) -> None:
        self.output, self.mailing = output, mailing
        self.last, self.note, self.held = time.monotonic(), "", False
        self.slowed: dict[str, str] = {}  # provider → the words that were last said of it

    def progress(self, progress: Progress) -> None:
        if progress.held and not self.held:
            self.output.say(f"  {visible(self.why_held())}. newsletter resume carries on; we wait for it.")
        self.held = progress.held
        if progress.note and progress.note != self.note:
            self.output.say(f"  {visible(progress.note)}")
        self.note = progress.note
        for line in progress.providers:
            if line.words and self.slowed.get(line.name) != line.words:
                self.output.say(f"  {visible(line.name)}: {visible(line.words)}")
            self.slowed[line.name] = line.words
        if time.monotonic() - self.last >= PLAIN_EVERY:
            self.last = time.monotonic()
            self.output.say(f"  {words.numbers(progress.counts)}   {progress.rate:.0f}/s")

    def why_held(self) -> str:
        """Somebody, or a wave of complaints or bounces that came in meanwhile, has paused it."""
        self.mailing.refresh_from_db(fields=["paused_why"])
        return f"Paused: {self.mailing.paused_why}".removesuffix(": ").rstrip(".")

    def interrupt(self) -> None:
        self.output.say("Finishing what is in flight …")

    def end(self) -> None:
        pass


class _Screen(_Lines):
    """For a terminal: a bar, the numbers and a line for each provider, drawn anew ten times a second."""

    stopping = False
    paused = "Paused"

    def __init__(self, output: Output, mailing: Mailing) -> None:
        super().__init__(output, mailing)
        self.drawn, self.lines = Redrawn(output), [""]

    def progress(self, progress: Progress) -> None:
        now = time.monotonic()
        if self.output.quiet or (now - self.last < 0.1 and self.drawn.lines):
            return
        if progress.held and not self.held:
            self.paused = self.why_held()
        self.held = progress.held
        self.last = now
        total, done = sum(progress.counts.values()), words.settled(progress.counts)
        left = words.duration((total - done) / progress.rate) if progress.rate and done < total else ""
        self.lines = [
            words.bar(self.output, progress.counts, progress.rate, left),
            f"  {words.numbers(progress.counts)}",
            *provider_lines(progress.providers),
        ]
        self.drawn.draw([*self.lines, self.output.style(self._last_line(progress), dim=True)])

    def _last_line(self, progress: Progress) -> str:
        if self.stopping:
            return "Finishing what is in flight … Ctrl-C again gives that up; it would be listed as uncertain."
        if progress.held:
            return f"{visible(self.paused)}. newsletter resume (in another window) carries on; Ctrl-C leaves it paused."
        return visible(progress.note) or "Ctrl-C finishes what is in flight and stops; newsletter send goes on later."

    def interrupt(self) -> None:
        self.stopping = True

    def end(self) -> None:
        if self.drawn.lines:
            self.drawn.draw(self.lines)  # without the line that says what Ctrl-C does


@contextmanager
def _interrupts(show: _Lines) -> Iterator[threading.Event]:
    """Ctrl-C, SIGTERM and a terminal that is closed set the event once; a second Ctrl-C or SIGTERM ends the command at
    once, as a crash would. A closed terminal never does: the shell and the system both say it."""
    asked = threading.Event()

    def on_signal(number: int, frame: Any) -> None:
        if asked.is_set() and number != signal.SIGHUP:
            raise KeyboardInterrupt
        if not asked.is_set():
            asked.set()
            heard_or_not(show.interrupt)

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup: go on when the terminal is closed
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def confirmed(output: Output, question: str, expected: int) -> bool:
    """Ask a person to type a number; False when another answer came."""
    answer = click.prompt(question, default="", show_default=False, prompt_suffix=" ")
    return answer.strip().replace(",", "").replace(" ", "") == str(expected)


__all__ = ["carry", "confirmed", "count", "exit_code", "tell"]
