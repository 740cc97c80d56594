"""The talk about one mail, without a socket: what to say next, and what each answer means for the person."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from newsletter.sending.transports.outcome import (
    Accepted,
    Deferred,
    Outcome,
    Phase,
    Uncertain,
    refusal,
    remote_id,
)
from newsletter.sending.transports.reply import Reply

LONE_DOT = b".\r\n"
_PHASES = (Phase.MAIL, Phase.RCPT, Phase.DATA)
_AFTER_RESET = (Phase.RESET, *_PHASES)
_EXPECTED = {Phase.RESET: (250,), Phase.MAIL: (250,), Phase.RCPT: (250, 251, 252), Phase.DATA: (354,)}


class Next(Enum):
    """What the one who holds the socket does next, besides writing bytes."""

    WAIT = auto()  # for the next answer; nothing to write
    BODY = auto()  # write the text and the final dot, then tell `body_sent`
    DONE = auto()  # `outcome` is there


@dataclass(frozen=True)
class Extensions:
    """What the server offered in its EHLO."""

    smtputf8: bool = False
    eight_bit: bool = False
    size: bool = False


class Transaction:
    """MAIL, RCPT, DATA and the dot for one recipient, as RFC 5321 3.3 tells it.

    `start()` gives the first bytes to write. Each answer goes to `answer()`, which gives bytes to write or a Next.
    One command at a time; with `grouped` MAIL, RCPT and DATA leave together (RFC 2920) and the answers are taken
    in their order. When done, `outcome` says what became of the mail, `needs_reset` that the next transaction must
    begin with RSET (a refused RCPT leaves the old one open, and every later MAIL would get 503), `usable` that
    the connection may be used again.
    """

    def __init__(
        self,
        sender: str,
        recipient: str,
        size: int,
        extensions: Extensions = Extensions(),
        *,
        reset_first: bool = False,
        grouped: bool = False,
    ) -> None:
        self.outcome: Outcome | None = None
        self.needs_reset = False
        self.usable = True
        self._phases: tuple[Phase, ...] = _AFTER_RESET if reset_first else _PHASES
        self._commands = _commands(sender, recipient, size, extensions, reset_first)
        self._asked = self._heard = 0  # of the phases: on the wire, and answered
        self._grouped = grouped
        self._refused: Outcome | None = None  # the first refusal; later answers cannot change it
        self.said = 0  # bytes of commands so far

    @property
    def phase(self) -> Phase:
        """What the server was asked last and has not answered."""
        return self._phases[self._heard] if self._heard < self._asked else Phase.DOT

    @property
    def waiting(self) -> bool:
        """An answer is to come."""
        return self._heard < self._asked

    def unsent(self, why: str) -> Outcome:
        """The connection broke while the text was being written: the dot never left, so trying again is safe."""
        self.outcome, self.usable = self._refused or Deferred(Phase.BODY, None, why), False
        return self.outcome

    def start(self) -> bytes:
        """The first command, or all of them when grouped."""
        return self._say(len(self._commands) if self._grouped else 1)

    def answer(self, reply: Reply) -> bytes | Next:
        """Take one answer. Bytes are to be written before the next answer is read."""
        phase = self._phases[self._heard]
        self._heard += 1
        good = reply.code in _EXPECTED[phase] if phase is not Phase.DOT else 200 <= reply.code <= 299
        if reply.code == 421:  # the server closes, whatever was asked (RFC 5321 3.8)
            return self._end(self._refused or refusal(phase, reply), usable=False)
        if phase is Phase.DOT:
            return self._end(self._refused or _verdict(good, reply), usable=reply.code // 100 in (2, 4, 5))
        if not good:
            self._refused = self._refused or refusal(phase, reply)
            # An answer to something else, or none at all: never guess where the talk stands.
            if not 400 <= reply.code <= 599 or reply.code in (500, 501, 502, 503, 504) or phase is Phase.RESET:
                return self._end(self._refused, usable=False)
        if self._refused:
            return self._after_refusal(phase, reply)
        if not self._grouped and self._asked < len(self._commands):
            return self._say(1)
        return Next.BODY if phase is Phase.DATA else Next.WAIT

    def body_sent(self) -> None:
        """The text and the final dot have been handed over: from here on silence means Uncertain."""
        self._phases += (Phase.DOT,)
        self._asked += 1

    def lost(self, why: str) -> Outcome:
        """The connection broke or fell silent. Before the dot that is safe to try again; after it nobody knows."""
        if self.outcome is None:
            if self.waiting and self.phase is Phase.DOT and not self._refused:
                self.outcome = Uncertain(Phase.DOT, None, why)
            else:
                phase = self.phase if self.waiting else Phase.BODY
                self.outcome = self._refused or Deferred(phase, None, why)
        self.usable = False
        return self.outcome

    def _after_refusal(self, phase: Phase, reply: Reply) -> bytes | Next:
        if phase is Phase.DATA and reply.code == 354:
            # The server opened the text although it had refused the recipient: an empty one ends it.
            self.body_sent()
            return LONE_DOT
        if self.waiting:
            return Next.WAIT
        assert self._refused is not None
        self.needs_reset = True
        return self._end(self._refused)

    def _end(self, outcome: Outcome, usable: bool = True) -> Next:
        self.outcome, self.usable = outcome, usable
        return Next.DONE

    def _say(self, count: int) -> bytes:
        out = "".join(self._commands[self._asked : self._asked + count]).encode("utf-8")
        self._asked += count
        self.said += len(out)
        return out


def _verdict(good: bool, reply: Reply) -> Outcome:
    return Accepted(reply.code, reply.text, remote_id(reply.text)) if good else refusal(Phase.DOT, reply)


def _commands(sender: str, recipient: str, size: int, extensions: Extensions, reset_first: bool) -> list[str]:
    """The lines for `_PHASES` or `_AFTER_RESET`."""
    options = f" SIZE={size}" if extensions.size else ""
    if not recipient.isascii():
        options += " SMTPUTF8 BODY=8BITMIME" if extensions.eight_bit else " SMTPUTF8"
    lines = [f"MAIL FROM:<{sender}>{options}\r\n", f"RCPT TO:<{recipient}>\r\n", "DATA\r\n"]
    return ["RSET\r\n", *lines] if reset_first else lines
