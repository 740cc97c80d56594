"""LMTP (RFC 2033): how a mail server on this computer hands us mail, one answer for each recipient.

Our own, because everything depends on the moment of the 250: it must follow the commit, recipient by recipient. A
message ends at <CR><LF>.<CR><LF> and nowhere else, so that no other sequence can smuggle a second one in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Protocol

from newsletter.replies.intake import BIGGEST

LONGEST_COMMAND = 4096  # bytes; RFC 5321 asks for 512 and what extensions add
PIECE = 65_536  # bytes read at once
MOST_RECIPIENTS = 100
MOST_FAULTS = 20  # wrong commands in a connection, then it ends
HELLO = ("PIPELINING", f"SIZE {BIGGEST}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
TOO_BIG = f"552 5.3.4 The message is larger than {BIGGEST // 1024 // 1024} MB; send the files on their own"
_PATH = re.compile(r"\s*<(?:@[^:<>]*:)?((?:\"(?:[^\"\\]|\\.)*\"|[^<>\"])*)>\s*(.*)")


class Keeper(Protocol):
    """What decides and keeps: see replies.door.Door."""

    def recipient(self, address: str) -> str: ...

    def keep(self, raw: bytes, recipient: str, sender: str) -> str: ...


class Session:
    """One connection. `lines` and `answers` are its two directions, buffered."""

    def __init__(self, lines: BinaryIO, answers: BinaryIO, keeper: Keeper, name: str) -> None:
        self._lines, self._answers, self._keeper, self._name = lines, answers, keeper, name
        self._greeted = False
        self._faults = 0
        self._sender: str | None = None
        self._recipients: list[str] = []

    def run(self) -> None:
        """Speak until QUIT or until the other side is gone. Raises OSError for a connection that broke."""
        self._say(f"220 {self._name} LMTP")
        while self._faults < MOST_FAULTS:
            line = self._lines.readline(LONGEST_COMMAND + 1)
            if not line:
                return
            if not line.endswith(b"\r\n"):
                # Too long, or ended by a lone line feed: whoever sends that may have two messages in mind.
                self._say("500 5.5.2 A command is one short line that ends with CR LF")
                return
            verb, _, rest = line[:-2].decode("utf-8", "replace").partition(" ")
            answer = self._answer(verb.upper(), rest)
            if answer:
                self._say(answer)
            if answer.startswith("5"):
                self._faults += not answer.startswith(("550", "552"))
            if answer.startswith("221"):
                return
        self._say("421 4.7.0 Too many wrong commands")

    def _answer(self, verb: str, rest: str) -> str:
        """What to say to one command; "" where it was said already."""
        if verb == "LHLO":
            self._reset()
            self._greeted = True
            self._say(*(f"250-{word}" for word in (self._name, *HELLO[:-1])), f"250 {HELLO[-1]}")
            return ""
        if verb in ("HELO", "EHLO"):
            return "500 5.5.1 This is LMTP: LHLO"
        if verb == "MAIL":
            return self._mail(rest)
        if verb == "RCPT":
            return self._rcpt(rest)
        if verb == "DATA":
            return self._data()
        if verb == "RSET":
            self._reset()
            return "250 2.0.0 Ok"
        simple = {"NOOP": "250 2.0.0 Ok", "QUIT": "221 2.0.0 Bye", "VRFY": "252 2.5.2 Send it and see"}
        return simple.get(verb, "500 5.5.1 No such command")

    def _mail(self, rest: str) -> str:
        found = _PATH.fullmatch(rest[5:]) if rest[:5].upper() == "FROM:" else None
        if not self._greeted or self._sender is not None:
            return "503 5.5.1 LHLO comes first, then one MAIL"
        if found is None:
            return "501 5.5.4 MAIL FROM:<address>"
        size = re.search(r"(?i)(?:^|\s)SIZE=(\d{1,20})", found[2])
        if size and int(size[1]) > BIGGEST:
            return TOO_BIG
        self._sender = found[1]
        return "250 2.1.0 Ok"

    def _rcpt(self, rest: str) -> str:
        found = _PATH.fullmatch(rest[3:]) if rest[:3].upper() == "TO:" else None
        if self._sender is None:
            return "503 5.5.1 MAIL comes first"
        if found is None or not found[1]:
            return "501 5.5.4 RCPT TO:<address>"
        if len(self._recipients) >= MOST_RECIPIENTS:
            return "452 4.5.3 Too many recipients; send the rest on its own"
        answer = self._keeper.recipient(found[1])
        if answer.startswith("250"):
            self._recipients.append(found[1])
        return answer

    def _data(self) -> str:
        if not self._recipients or self._sender is None:
            return "503 5.5.1 No recipient was taken"
        self._say("354 End with CR LF . CR LF")
        raw = self._message()
        sender, recipients = self._sender, self._recipients
        self._reset()
        for recipient in recipients:
            self._say(TOO_BIG if raw is None else self._keeper.keep(raw, recipient, sender))
        return ""

    def _message(self) -> bytes | None:
        """Everything up to the end; None when that is too much. Raises EOFError where the connection ends before."""
        pieces: list[bytes] = []
        size = 0
        for piece in self._until_the_dot():
            size += len(piece)
            if size > BIGGEST:
                pieces.clear()  # it is read to its end, for only then may we answer
            else:
                pieces.append(piece)
        return None if size > BIGGEST else b"".join(pieces)

    def _until_the_dot(self) -> Iterator[bytes]:
        tail = b"\r\n"  # the last two bytes: a line begins only behind CR LF
        while True:
            piece = self._lines.readline(PIECE)
            if not piece:
                raise EOFError
            fresh = tail == b"\r\n"
            if fresh and piece == b".\r\n":
                return
            tail = (tail + piece)[-2:]
            yield piece[1:] if fresh and piece.startswith(b".") else piece

    def _reset(self) -> None:
        self._sender, self._recipients = None, []

    def _say(self, *lines: str) -> None:
        self._answers.write("".join(f"{line}\r\n" for line in lines).encode("ascii", "replace"))
        self._answers.flush()
