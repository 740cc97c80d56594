"""What a bounce means for the address: gone, full, blocked (our matter, not theirs), for the moment, or unknown."""

from __future__ import annotations

import re
from enum import StrEnum


class Outcome(StrEnum):
    """See docs/how-to/bounces.md; only GONE says that nobody will ever read mail there."""

    GONE = "gone"
    FULL = "full"
    BLOCKED = "blocked"
    TRANSIENT = "transient"
    UNKNOWN = "unknown"


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")

# About us, our server, our names or what we wrote. It wins over everything else: a server that refuses strangers
# often says "user unknown" or 5.1.1 on top, and a reader would lose their letters for our fault.
BLOCKED = _any(
    r"spam|junk mail|unsolicited|bulk (?:e-?)?mail|phish|malware|virus|infected|\bUCE\b|\bUBE\b",
    r"black-?\s?list|block-?\s?list|deny-?list|\bRBL\b|\bDNSBL\b|spamhaus|spamcop|barracuda|sorbs|proofpoint",
    r"\bblocked\b|\bblock(?:ing)? (?:mail|message|your|this)|banned|greylist|reputation|senderscore|senderbase",
    r"\bSPF\b|\bDKIM\b|\bDMARC\b|authenticat|unauthori[sz]ed|not authori[sz]ed|\bSTARTTLS\b|TLS (?:is )?required",
    r"reverse (?:DNS|lookup)|\bPTR\b|\brDNS\b|no DNS entry|invalid IP|(?:client|sending) host|\bHELO\b|\bEHLO\b",
    r"sender (?:address |domain |verif|denied|rejected|not|is not|unknown|refused)|bad sender|from address",
    r"(?:policy|security) (?:violation|reason|restrict|reject)|(?:local|site|security|by|our|due to|of) policy",
    r"policy (?:settings|of)|content (?:reject|filter|restrict|policy|not)|prohibited|forbidden|not acceptable",
    r"access denied|relay(?:ing)? (?:access )?(?:denied|not|is|refused|prohibit)|relaying|we do not relay|no relay",
    r"message (?:was |has been )?(?:rejected|refused|filtered|denied)|mail (?:refused|rejected|rejete)|rejected by",
    r"too many (?:connections|messages|recipients|spam)|rate limit|throttl|(?:temporarily|has been) (?:rate|limited)",
    r"not permitted|not allowed|bad header|malformed header|non-?compliant|RFC ?[25]?822|RFC ?5322|duplicate header",
    r"attachment|executable|header (?:error|size)|message (?:content|too (?:large|big))|size (?:limit|exceed)",
    r"exceeds? .{0,30}(?:size|limit)|too (?:large|big)",
)
# Microsoft 365 answers so to addresses that its directory does not know (5.4.1, directory-based edge blocking).
UNLISTED = _any(r"5\.4\.1\b.{0,80}recipient address rejected: access denied")
# "Exceeds … size" is said of mailboxes and of messages: of a mailbox it is this one.
BOX_FULL = _any(r"(?:mail-?\s?box|inbox|mail ?drop|maildir|quota) (?:\S{1,20} ){0,3}?(?:exceed|full\b|over\b)")
FULL = _any(
    r"(?:mail-?\s?box|mail ?drop|inbox|account|user(?:'s)?|disk|storage|maildir|folder) .{0,30}\bfull\b|\bis full\b",
    r"full mail ?box|over\s?-?\s?(?:its |the |their |his |disk |mail )*quota|quota .{0,40}exceed|exceed.{0,40}quota",
    r"quota .{0,20}(?:full|reached|violat)|out of (?:disk |storage )?(?:quota|space)|insufficient (?:disk|system stor)",
    r"not enough (?:disk |storage |mailbox )?space|mail-?box .{0,20}(?:over|size|exceed|limit)|exceeded storage",
    r"storage (?:allocation|limit|quota)|no (?:free|more) space|size limit of the recipient|マイボックス|容量",
)
GONE = _any(
    r"(?:user|recipient|mail-?\s?box|account|address|addressee|alias|person|name|login|id)\S{0,60}"
    r"(?: \S{1,80}){0,4}? (?:is |was )?(?:unknown|not known|not found|invalid|does ?n[o']t exist|not exist(?:ing)?"
    r"|not recogni[sz]ed|not (?:a )?valid|not listed|nonexistent|non-existent|no longer (?:exists|valid|in use|active)"
    r"|could ?n[o']t be found|was ?n[o']t found|isn't valid|not local|not registered|has moved|undefined)",
    r"(?:unknown|invalid|no such|non-?existe\S+|bad|unrouteable|undeliverable|unrecogni[sz]ed|illegal) "
    r"(?:\S{1,60} )?(?:user|recipient|mail-?\s?box|account|(?:recipient )?address|addressee"
    r"|local part|alias|person|name"
    r"|user ?id|host|domain|destination)\b",
    r"no (?:such )?(?:user|mail-?\s?box|account|recipient|person|address|addressee)\b(?: \S{1,40}){0,3}? "
    r"(?:here|by that name|with that|exists?|at this|found|in (?:this|our)|called)",
    r"no mail-?\s?box (?:here )?(?:by|with|for)|not our customer|no valid recipients?"
    r"|user(?:name)? ?unknown|userunknown",
    r"(?:host|domain)(?: name)?(?: \S{1,80}){0,4}? (?:unknown|not found|does ?n[o']t exist|non-existent|invalid"
    r"|couldn't be found|could not be found|not known|is not valid)",
    r"(?:unknown|no such|non-?existent|unable to find|could ?n[o']t find)(?: any)? (?:\S{1,40} )?(?:host|domain)",
    r"no MX(?:,| or| record)|null MX|nullMX|does not accept (?:any )?(?:e-?)?mail|accepts? no mail|NXDOMAIN",
    r"does ?n[o']t (?:have|receive|handle) (?:an? |any )?(?:account|mail|\S+ account)"
    r"|account .{0,30}(?:deleted|closed)",
    r"have a \S{1,40} account|adresse inconnue|utilisateur inconnu|inexistant|n'existe pas|unbekannt|existiert nicht",
    r"no existe|desconocid[oa]|non esiste|sconosciut|não existe|bestaat niet|onbekend|nieznany"
    r"|не существует|存在しません"
    r"|宛先不明|not in (?:our|the) (?:list|director)|RecipNotFound|RecipientNotFound|has left",
)
TRANSIENT = _any(
    r"timed? ?-?out|time-?out|connection (?:refused|lost|reset|dropped|closed|failed|was)|could not connect",
    r"(?:could ?n[o']t|cannot|unable to) (?:connect|reach|contact|establish)|no route|unreachable|not reachable",
    r"try (?:again )?later|temporar|deferr|delayed|not (?:yet )?(?:been )?delivered|will (?:be )?(?:retr|keep)|retry",
    r"too long|expired|giv(?:en|ing) up|queue|for the (?:last|past)|loop|too many hops|hop count|lookup|name server",
    r"server (?:busy|error|not available|down|fail)|service (?:unavailable|not available|currently|refus)|resources",
    r"system (?:error|full|not|down|configuration|resource)|internal|local error|disk|mailer|configuration|busy",
    r"network|no answer|not respond|maintenance|out of memory|unable to open|i/o|permission",
)
# Enhanced codes that say it by themselves (RFC 3463, RFC 7504, RFC 7505), whatever words stand beside them.
GONE_STATUS = ("1.1", "1.2", "1.3", "1.6", "1.10")
FULL_STATUS = ("2.2",)
BLOCKED_STATUS = ("7", "6", "2.3", "3.4", "1.7", "1.8")  # a whole subject, or one code of it


def outcome(status: str, words: str, *, delayed: bool = False) -> Outcome:
    """What a status (5.1.1, or "") and the words beside it mean; `delayed` = the server still tries.

    The order decides: what is about us, then a full mailbox, then what is for the moment; only what is left and
    says so is gone. An outcome that we are not sure of is UNKNOWN, which counts little and kills nobody.
    """
    match = STATUS.match(status)
    kind, subject, code = (match[1], match[2], f"{match[2]}.{match[3]}") if match else ("", "", "")
    words = ADDRESSES.sub("<>", words[:4000])
    if UNLISTED.search(f"{status} {words}"):
        return Outcome.GONE
    if subject != "7" and BOX_FULL.search(words):
        return Outcome.FULL
    if BLOCKED.search(words):
        return Outcome.BLOCKED
    if code in FULL_STATUS or FULL.search(words):
        return Outcome.FULL
    if code in BLOCKED_STATUS or subject in BLOCKED_STATUS:
        return Outcome.BLOCKED
    if delayed or kind == "4":
        return Outcome.TRANSIENT
    if code in GONE_STATUS or GONE.search(words):
        return Outcome.GONE
    if subject in ("3", "4") or TRANSIENT.search(words):
        return Outcome.TRANSIENT
    return Outcome.UNKNOWN


def says_why(words: str) -> bool:
    """True when words of a mail server give a reason why mail did not arrive: the address is gone, or full."""
    words = ADDRESSES.sub("<>", words[:4000])
    return any(pattern.search(words) for pattern in (GONE, FULL))


# An address may hold any word (spam@…, unknown@…), and a link too: neither says why the mail came back.
ADDRESSES = re.compile(r"<?[^\s<>@\"]{1,100}@[^\s<>@]{1,200}>?|https?://\S{1,400}", re.IGNORECASE)
