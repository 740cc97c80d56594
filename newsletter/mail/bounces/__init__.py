"""Mail of ours that came back: whom it was for, and what that means for the address.

The order: our own reading of RFC 3464, status lines in plain text, the words of servers that write no report, and
flufl.bounce as a second opinion. Pure: bytes in, values out; `newsletter.replies.bounces` acts on them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from newsletter.mail.bounces import notices, second, status
from newsletter.mail.bounces.outcomes import Outcome, says_why
from newsletter.mail.bounces.parts import STATUS_TYPES, Parts
from newsletter.mail.bounces.parts import read as read_parts
from newsletter.mail.bounces.status import Recipient
from newsletter.mail.header_reading import mailboxes
from newsletter.mail.incoming import Incoming

__all__ = [
    "STATUS_TYPES",
    "Bounced",
    "Outcome",
    "Parts",
    "Recipient",
    "daemon",
    "hands_back",
    "null_path",
    "of_json",
    "read",
    "read_parts",
]

of_json = notices.of_json

_DAEMONS = re.compile(
    r"^(?:mailer[-_.]?d(?:a?e)?mon|mail[-_.]?daemon|po+st[-_.]?master|double-?bounce|bounces?|mail-?admin(?:istrator)?"
    r"|mdaemon|smtp(?:d)?|mailsystem|mail-system|mailsrv|mailgate|majordomo-owner)$",
    re.IGNORECASE,
)
# Only names that no person has: a village has a postmaster, and a school a system administrator.
_NAMES = re.compile(
    r"\b(?:mail(?:er)? ?deliver\w* (?:sub-?)?system|mailer[- ]?daemon|delivery subsystem)\b",
    re.IGNORECASE,
)
# What a server says when a mail could not go on; wanted together with evidence of who sends it, never alone.
_FAILED = re.compile(
    r"undeliver|not (?:be )?deliver|n't (?:be )?deliver|deliver\w* (?:has |have )?(?:fail|problem|error|notif|status"
    r"|delay|incomplete)|fail\w* (?:to deliver|notice|delivery|addresses|permanently)|returned (?:mail|message|to)"
    r"|return(?:ing)? (?:mail|message|to sender|your)|could ?n[o']t (?:be |send|reach|deliver)"
    r"|unable to (?:deliver|send"
    r"|forward)|did not reach|rejected|refused|bounced?\b|user unknown|unknown user|mailbox (?:is )?(?:full|unavail)"
    r"|no such user|error (?:sending|deliver|message|while|occurred)|permanent (?:fatal )?error|not accepted|giving up"
    r"|given up|malformed address|non remis|nicht zugestellt|unzustellbar"
    r"|no (?:se )?(?:ha )?(?:podido|pudo) entregar|impossible de"
    r"|non (?:è stato )?(?:possibile )?(?:re)?capit|nie (?:dostarczon|można)|недоставлен|не доставлен|配信|届き",
    re.IGNORECASE,
)

_DELIVERED = re.compile(r"success|(?:was|been) (?:delivered|relayed|received|read|displayed)|receipt", re.IGNORECASE)


@dataclass(frozen=True)
class Bounced:
    """A bounce: the addresses concerned and how it was read, in words. No recipient = it is one, but names nobody."""

    recipients: tuple[Recipient, ...]
    how: str


def daemon(incoming: Incoming) -> bool:
    """True when the From says that a mail server writes: MAILER-DAEMON, Postmaster, `<>`, Mail Delivery System."""
    raw = incoming.header("from").strip()
    if not raw:
        return False
    local = (incoming.from_address or re.sub(r"^.*<|>.*$", "", raw)).rpartition("@")[0] or raw
    bare = re.sub(r"[<>\s\"]|@.*$|\(.*\)", "", local)
    return "<>" in raw or bool(_DAEMONS.match(bare)) or bool(_NAMES.search(raw.partition("<")[0] or raw))


def null_path(incoming: Incoming) -> bool:
    """True when the header says that it was sent without a return address, as bounces are."""
    path = incoming.header("return-path").strip().lower()
    return path in ("<>", "<mailer-daemon>", "mailer-daemon") or path.startswith("<mailer-daemon@")


def read(raw: bytes, incoming: Incoming, parts: Parts, *, sure: bool = False) -> Bounced | None:
    """The bounce that this mail is, or None. `sure`: somebody else knows already that it is one (a bounce token).

    Whoever calls has evidence of the sender: a report, a daemon's From, X-Failed-Recipients or an empty return path.
    Raises nothing.
    """
    found, delivered = status.from_reports(parts)
    if found:
        return Bounced(tuple(found), "a delivery report (RFC 3464)")
    if delivered:
        return None  # delivered, relayed or expanded: nothing came back
    found = status.in_words(parts.text)
    if found:
        return Bounced(tuple(found), "a delivery status in its text")
    failed = [
        name for value in incoming.all("x-failed-recipients") for name in re.split(r"[,\s]+", value) if "@" in name
    ]
    notice = notices.above(parts.text)
    said = f"{incoming.subject}\n{notice}"
    words = (_FAILED.search(said), notices.SMTP.search(notice), notices.DELAYED.search(said))
    failing = failed or sure or parts.status or any(words) or (daemon(incoming) and says_why(notice))
    if not failing and not (daemon(incoming) and notices.leading(notice) and not _DELIVERED.search(said)):
        return None
    delayed = bool(notices.DELAYED.search(said))
    found = notices.read(parts, _ours(incoming, parts), failed, delayed=delayed) or second.opinion(raw, notice)
    how = (
        "X-Failed-Recipients names whom it did not reach" if failed else "a mail server says that it was not delivered"
    )
    return Bounced(tuple(found), how)


def hands_back(parts: Parts) -> bool:
    """True when the mail that is spoken of stands below the words of the notice."""
    return bool(parts.original) or len(notices.above(parts.text)) < len(parts.text.rstrip())


def _ours(incoming: Incoming, parts: Parts) -> list[str]:
    """Addresses that a bounce mentions and does not mean: its own From and To, and the sender of the returned mail."""
    found = [incoming.from_address]
    returned = status.first_address(parts.of_original("to"))
    sender = [status.first_address(parts.of_original(name)) for name in ("return-path", "from", "reply-to", "sender")]
    found += [one for one in sender if one and one.lower() != returned.lower()]
    # Not X-Original-To: DragonFly writes there whom the mail that came back was for.
    found += [address for value in incoming.all("to") for _, address in mailboxes(value)]
    return [one for one in found if one]
