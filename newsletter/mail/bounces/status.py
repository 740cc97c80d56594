"""RFC 3464 read by ourselves: what each recipient's block of a delivery status says, and the status lines that
servers write into plain text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from newsletter.mail.bounces.outcomes import STATUS, Outcome, outcome
from newsletter.mail.bounces.parts import Fields, Parts, blocks

MOST_RECIPIENTS = 100
ADDRESS = re.compile(r"(\"[^\"\s@<>]{1,64}\"|[^\s<>@\"'(),:;\[\]|\\]{1,64})@([A-Za-z0-9\u0080-\uffff_-]{1,63}"
                     r"(?:\.[A-Za-z0-9\u0080-\uffff_-]{1,63}){0,8}|\[[0-9a-fA-F.:]{3,40}\])")  # fmt: skip


@dataclass(frozen=True)
class Recipient:
    """What became of one address. `status` is the enhanced code (5.1.1) or ""; `words` are the server's."""

    address: str
    outcome: Outcome
    status: str = ""
    words: str = ""
    delayed: bool = False  # the server still tries: a later report decides


def from_reports(parts: Parts) -> tuple[list[Recipient], bool]:
    """(recipients that mail came back from, whether the report says that it was delivered to somebody).

    A block whose Action says delivered, relayed or expanded, or whose Status is 2.x.x, is no bounce. The words of the
    notice help only where there is one recipient, for they may be about another one.
    """
    found: dict[str, Recipient] = {}
    all_blocks = [block for part in parts.status for block in part]
    people = [block for block in all_blocks if "final-recipient" in block or "original-recipient" in block]
    for block in people[:MOST_RECIPIENTS]:
        one = of_block(block, parts.text if len(people) == 1 else "")
        if one is not None:
            known = found.get(one.address.lower())
            if known is None or known.delayed:
                found[one.address.lower()] = one
    return list(found.values()), not found and any(delivered(block) and named(block) for block in people)


def of_block(block: Fields, notice: str = "") -> Recipient | None:
    """One recipient's block; None when it was delivered, or names nobody."""
    address = named(block)
    if not address or delivered(block):
        return None
    status = STATUS.search(block.get("status", ""))
    code = status[0] if status else ""
    said = block.get("diagnostic-code", "").partition(";")[2].strip() or block.get("diagnostic-code", "")
    precise = STATUS.search(said)
    if precise and (not code or code.endswith(".0.0") or code.endswith(".0")):
        code = precise[0]  # many servers write 5.0.0 as Status and know better in the Diagnostic-Code
    delayed = _action(block) == "delayed"
    result = outcome(code, said, delayed=delayed)
    if result is Outcome.UNKNOWN and notice:
        result = outcome(code, notice, delayed=delayed)
    return Recipient(address, result, code, said[:300], delayed)


def delivered(block: Fields) -> bool:
    """True when the block says that the mail went on: Action delivered, relayed or expanded, or Status 2.x.x."""
    action = _action(block)
    if action in ("delivered", "relayed", "expanded"):
        return True
    return action not in ("failed", "error", "delayed") and block.get("status", "").strip().startswith("2.")


def _action(block: Fields) -> str:
    """The Action without the comment that some write behind it; OpenSMTPD writes `error` for `failed`."""
    return re.split(r"[\s(;]", block.get("action", "").strip().lower())[0]


def named(block: Fields) -> str:
    """The address that we wrote to: the original one only where the final one is none."""
    for name in ("final-recipient", "original-recipient", "x-actual-recipient"):
        kind, semicolon, value = block.get(name, "").partition(";")
        if found := first_address(value if semicolon else kind):
            return found
    return ""


def in_words(text: str) -> list[Recipient]:
    """Status lines in plain text (`Final-Recipient: rfc822; …`), as servers write them that send no report."""
    found: dict[str, Recipient] = {}
    starts = [match.start() for match in re.finditer(r"^[ \t>]*(?:Final|Original)-Recipient[ \t]*:", text, re.M | re.I)]
    for start in starts[:MOST_RECIPIENTS]:
        first = max(text.rfind("\n\n", 0, start), 0)
        end = text.find("\n\n", start)
        group = re.sub(r"^[ \t>]+(?=[A-Z][A-Za-z-]+:)", "", text[first : end if end >= 0 else len(text)], flags=re.M)
        one = next((of_block(block, text) for block in blocks(group) if named(block)), None)
        if one is not None:
            found.setdefault(one.address.lower(), one)
    return list(found.values())


def first_address(text: str) -> str:
    """The first thing in `text` that is an address, or ""."""
    match = ADDRESS.search(text[:2000].replace("<", " ").replace(">", " "))
    return f"{match[1]}@{match[2].rstrip('.')}" if match else ""
