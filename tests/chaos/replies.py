"""What servers say and do that is not the usual: the replies of the fault matrix, and what each must mean."""

from __future__ import annotations

from tests.chaos.faulty import Act

NEVER_A_BOUNCE = {
    "421": b"421 4.3.2 Shutting down\r\n",
    "450": b"450 4.2.0 Busy\r\n",
    "451": b"451 4.7.1 Greylisted\r\n",
    "452": b"452 4.3.1 Insufficient system storage\r\n",
    "4.7.28": b"421 4.7.28 Unusual rate of mail\r\n",
    "4.7.26": b"450 4.7.26 Not authenticated\r\n",
    "554 5.7.1": b"554 5.7.1 Rejected by policy\r\n",
    "5.7.515": b"550 5.7.515 Access denied, sending domain does not pass\r\n",
    "503": b"503 5.5.1 Bad sequence of commands\r\n",
    "500": b"500 5.5.2 Syntax error\r\n",
}
BOUNCES = {
    "550 5.1.1": b"550 5.1.1 No such user\r\n",
    "552 5.2.2": b"552 5.2.2 Mailbox full\r\n",
}
ACTS = {"FIN": Act.FIN, "RST": Act.RST, "silence": Act.SILENT, "slow-loris": Act.DRIP, "twice": Act.TWICE}
# Answers to nothing that was asked, and bytes that are none.
NONSENSE = {
    "garbage": b"\x00\xff\xfe\x80 what is this\r\n",
    "wrong order": b"354 Go on\r\n",
    "no end": b"250-and so on\r\n" * 250,
}
# Strange to look at and a yes for all that: {code} is the one that the phase hopes for.
STRANGE_YES = {
    "multi-line": b"{code}-one\r\n{code}-two\r\n{code} three\r\n",
    "8-bit": b"{code} Gr\xfc\xdfe \xf0\x9f\x93\xae\r\n",
    "2 KB line": b"{code} " + b"x" * 2040 + b"\r\n",
    "bare": b"{code}\r\n",
}
HOPED = {"greeting": b"220", "starttls": b"220", "auth": b"235", "data": b"354"}
KINDS = (*NEVER_A_BOUNCE, *BOUNCES, *ACTS, *NONSENSE, *STRANGE_YES)


def bytes_or_act(kind: str, phase: str) -> bytes | Act:
    """What the server does in this phase."""
    if kind in STRANGE_YES:
        return STRANGE_YES[kind].replace(b"{code}", HOPED.get(phase, b"250"))
    if kind == "wrong order" and phase == "data":
        return b"250 2.0.0 Ok\r\n"
    return {**NEVER_A_BOUNCE, **BOUNCES, **ACTS, **NONSENSE}[kind]


def means_something(kind: str, phase: str) -> bool:
    """False for what makes no sense there: a yes in the middle of a body is a lie that no client can see through,
    and one after the 250 belongs to nobody (a second answer is `twice`)."""
    if kind in STRANGE_YES or kind == "twice":
        return phase not in ("half", "after")
    return not (kind == "no end" and phase in ("half", "after"))
