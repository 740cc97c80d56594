"""Reads a Postfix log for one thing: which of our mails came, and which of them Postfix has really taken."""

from __future__ import annotations

import gzip
import re
import sys
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import IO
from zoneinfo import ZoneInfo

from newsletter.mail.tokens import Keyring, Purpose
from newsletter.problems import Exit, NewsletterError, Problem, Where

LONGEST = 65536  # bytes of a line; Postfix writes about 2,000 at most
OPEN = 100_000  # queue ids remembered between their two lines; one that never commits would stay for ever
BRIDGE = timedelta(minutes=5)  # a gap between two files that is still one log: rotation, and a quiet moment
TELL = 20_000  # lines between two words of progress

# Anchored at the start of the line, so that nothing that a stranger writes into a header can pass for a line.
_LINE = re.compile(
    rb"(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)"
    rb" \S+ \S+/(?P<part>cleanup|qmgr)\[\d+\]: (?P<queue>[0-9A-Za-z]{5,20}): (?P<rest>.*)"
)
_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) ")
_MESSAGE_ID = re.compile(rb"message-id=<([^<>@\s]+)@([^<>@\s]+)>")
_MONTHS = {name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}


@dataclass
class Evidence:
    """What a log says. `came`: token → queue id of a mail that Postfix began to take; `taken`: of one it has in its
    queue for good (`queue active`). `queues`: the queue ids asked for that were taken. `spans`: the times that the
    files cover, one (first, last) for each."""

    came: dict[bytes, str] = field(default_factory=dict)
    taken: dict[bytes, str] = field(default_factory=dict)
    queues: set[str] = field(default_factory=set)
    spans: list[tuple[datetime, datetime]] = field(default_factory=list)
    lines: int = 0

    def covers(self, first: datetime, last: datetime) -> bool:
        """True when the files reach without a gap from before `first` until after `last`."""
        end: datetime | None = None
        for start, stop in sorted(self.spans):
            if end is None or start > end + BRIDGE:
                if end is not None and end >= last:
                    return True
                if start > first:
                    return False
                end = stop
            end = max(end, stop)
        return end is not None and end >= last and min(start for start, _ in self.spans) <= first


class Reader:
    """Collects the Evidence for the mails that are asked about; memory does not grow with the log.

    `wanted(token)` is asked for every mail of ours; `queues` are queue ids asked about by themselves (where a relay
    replaces our Message-ID). Classic timestamps have no year and no zone: `zone` is that of the log's machine, and
    the year is the latest that does not lie in the future of `now`.
    """

    def __init__(
        self,
        keyring: Keyring,
        domain: str,
        wanted: Callable[[bytes], bool] = lambda token: True,
        queues: Iterable[str] = (),
        *,
        zone: tzinfo | None = None,
        now: datetime | None = None,
    ) -> None:
        self.keyring, self.domain, self.wanted = keyring, domain.lower(), wanted
        self._domain = f"@{self.domain}>".encode()
        self.queues = set(queues)
        self.zone = zone or machine_zone()
        self.now = now or datetime.now(UTC)
        self.evidence = Evidence()
        self._open: OrderedDict[str, bytes] = OrderedDict()

    def read(self, lines: Iterable[bytes], tell: Callable[[int], None] = lambda lines: None) -> bool:
        """Take the lines of one file; False when not one of them was a line of a log."""
        first: datetime | None = None
        last = line = b""
        for line in lines:
            self.evidence.lines += 1
            if self.evidence.lines % TELL == 0:
                tell(self.evidence.lines)
            if first is None:
                first = self._time(line)
            if b": message-id=<" in line or (b"(queue active)" in line and b"]: " in line):
                self._look(line)
            if line[:1].isalnum():
                last = line
        end = self._time(last)
        if first is None or end is None:
            return False
        self.evidence.spans.append((first, max(first, end)))
        return True

    def _look(self, line: bytes) -> None:
        # Nine lines of ten are of mail that is not ours: told by the queue id and the domain, without the pattern.
        queue = line.split(b": ", 2)[1].decode("latin-1")
        if queue not in self._open and queue not in self.queues and self._domain not in line.lower():
            return
        found = _LINE.match(line)
        if not found:
            return
        queue = found["queue"].decode("ascii")
        if found["part"] == b"cleanup":
            self._open.pop(queue, None)  # short queue ids come again
            token = self._token(found["rest"])
            if token is not None:
                self.evidence.came.setdefault(token, queue)
                self._open[queue] = token
                if len(self._open) > OPEN:
                    self._open.popitem(last=False)
        elif found["rest"].startswith(b"from=<") and found["rest"].rstrip().endswith(b"(queue active)"):
            if queue in self.queues:
                self.evidence.queues.add(queue)
            token = self._open.pop(queue, None)
            if token is not None:
                self.evidence.taken.setdefault(token, queue)

    def _token(self, rest: bytes) -> bytes | None:
        found = _MESSAGE_ID.match(rest)
        if not found or found[2].decode("latin-1").lower() != self.domain:
            return None
        read = self.keyring.read(found[1].decode("latin-1"))
        if read is None or read[0] is not Purpose.MESSAGE_ID or not self.wanted(read[1]):
            return None
        return read[1]

    def _time(self, line: bytes) -> datetime | None:
        found = _STAMP.match(line)
        if not found:
            return None
        text = found[1]
        try:
            if text[:1].isdigit():
                at = datetime.fromisoformat(text.decode("ascii"))
                return at if at.tzinfo else at.replace(tzinfo=self.zone)
            month, day = _MONTHS[text[:3]], int(text[4:6])
            hour, minute, second = (int(part) for part in text[7:].split(b":"))
            for year in (self.now.year + 1, self.now.year, self.now.year - 1):
                try:
                    at = datetime(year, month, day, hour, minute, second, tzinfo=self.zone)
                except ValueError:  # 29 February of another year
                    continue
                if at <= self.now + timedelta(days=1):
                    return at
        except (KeyError, ValueError):
            pass
        return None


def machine_zone() -> tzinfo:
    """The time zone of this computer, which Django hides behind that of the site; UTC where it has none."""
    try:
        with Path("/etc/localtime").open("rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError):
        return UTC


def read_files(reader: Reader, names: Sequence[str], tell: Callable[[int], None] = lambda lines: None) -> Evidence:
    """Read log files (also .gz, and `-` for standard input), one line at a time.

    Raises NewsletterError(log-unreadable) when one cannot be read and is no Postfix log.
    """
    for name in names:
        try:
            with _opened(name) as file:
                good = reader.read(_lines(file), tell)
        except (OSError, EOFError, zlib.error) as error:
            why = getattr(error, "strerror", None) or "it is damaged or was cut short"
            raise _unreadable(name, f"cannot be read: {why}") from error
        if not good:
            raise _unreadable(name, "has no line that begins as a mail log's does")
    return reader.evidence


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: file.readline(LONGEST), b"")


@contextmanager
def _opened(name: str) -> Iterator[IO[bytes]]:
    if name == "-":
        yield sys.stdin.buffer
        return
    with Path(name).open("rb") as file:
        if file.peek(2)[:2] == b"\x1f\x8b":
            with gzip.open(file) as unpacked:
                yield unpacked  # type: ignore[misc]
        else:
            yield file


def _unreadable(name: str, why: str) -> NewsletterError:
    return NewsletterError(
        Problem(
            "log-unreadable",
            f"The mail log {name} {why}; nothing was changed",
            hint="Name the file in which Postfix writes, often /var/log/mail.log, and those it was rotated into.",
            where=Where(name),
        ),
        exit=Exit.CONFIG,
    )
