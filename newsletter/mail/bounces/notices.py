"""Bounces of servers that write no report: the addresses and reasons in their plain words, in a fixed order."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from newsletter.mail.bounces.outcomes import STATUS, Outcome, outcome
from newsletter.mail.bounces.parts import MOST_TEXT, Parts
from newsletter.mail.bounces.status import ADDRESS, MOST_RECIPIENTS, Recipient

# Where the mail that came back begins, in the words of the servers; below it nothing says why it came back.
_BELOW = re.compile(
    r"^[ \t|>*=_-]*(?:(?:below this line|the following|this) is (?:a |the )?(?:copy|header|first|text|message)"
    r"|(?:a )?(?:copy|headers?|text|body|contents?|first \d+) (?:of|from) (?:the |your |this )*"
    r"(?:original|returned|unsent|undelivered|message|mail)"
    r"|the headers? of the original|message (?:headers?|text|contents?|body|header section) (?:follow|follows|below)"
    r"|(?:original|returned|undelivered|unsent|your|rejected|failed)(?: \S{1,12})? (?:message|mail|headers?)"
    r"(?: (?:text|headers?|body|source|contents?|portion))?(?: (?:follow|follows|is|below|attached).{0,40})?"
    r"[ \t:.|>*=_-]*$|start of (?:message|returned|original)|copy of (?:your|the) message|oorspronkelijk"
    r"|message d'origine|nachricht (?:folgt|im original)|ursprüngliche nachricht|ここから|以下)",
    re.IGNORECASE | re.MULTILINE,
)
_HEADER = re.compile(r"^[ \t>|]{0,4}(?:Received|Return-Path|Message-I[Dd]|MIME-Version|Mime-Version|Content-Type"
                     r"|Content-Transfer-Encoding|X-[A-Za-z-]+|Date|From|To|Cc|Subject|DKIM-Signature|Reply-To"
                     r"|Delivered-To|References|In-Reply-To|User-Agent):", re.IGNORECASE)  # fmt: skip
# Addresses that a notice mentions without meaning them: who to ask, who we are, where it came from.
_ASIDE = re.compile(
    r"(?:contact|send (?:an? )?(?:e-?mail|mail|message)? ?to|write to|assistance|help|questions?|please e-?mail"
    r"|report|sender[ :<]|envelope[- ]from|envelope-sender|mail from|from[ :<]|return-path|reply-to|cc:|bcc:"
    r"|\bby\b|generated from|(?:sent|message) from|message-?id|\bid\b|your (?:message|mail) from|on behalf of"
    r"|originator|sent by|mailto:|admin)[^@\n]{0,40}$",
    re.IGNORECASE,
)
_GOES_ON = re.compile(
    r"[>\"'\])]*\s*(?:$|[:;,(.\-–—=<]|on |is |was |does|has |not|unknown|could|mailbox|invalid|[45]\d\d)", re.IGNORECASE
)
_ROBOT = re.compile(r"^(?:mailer-?daemon|po+st_?master|abuse|help(?:desk)?|support|no-?reply|root|mail-?daemon)$", re.I)
SMTP = re.compile(r"(?<![\d.])([245]\d\d)(?:[ -]#?([245]\.\d{1,3}\.\d{1,3}))?(?=[\s:;,.<\]]|$)")


# The server still tries, and says so; the mail may yet arrive.
DELAYED = re.compile(
    r"(?:not|n't) yet (?:been )?(?:be )?deliver|delivery attempts will continue|will (?:be retried|keep trying"
    r"|try again|continue (?:to|try))|still (?:being )?(?:trying|tried|retr)"
    r"|\(delay\)|delivery (?:status notification: )?delay"
    r"|message delayed|warning: (?:could not send|message).{0,40}(?:hours|delayed)|this is (?:only )?a warning",
    re.IGNORECASE,
)


def read(parts: Parts, ours: Iterable[str], named: Iterable[str] = (), *, delayed: bool = False) -> list[Recipient]:
    """The recipients of a bounce without a report; `ours` are addresses that cannot be meant, `named` those that the
    server names in a header of its own (X-Failed-Recipients). Empty where nobody could be found. `delayed`: the
    server still tries."""
    notice = above(parts.text)
    own = {address.lower() for address in ours}
    people = [one for one in _unique(named) if one.lower() not in own]
    people = people or leading(notice, own) or leading(notice) or _mentioned(notice, own)
    people = people or _mentioned(notice)
    if not people:
        people = [one for one in _to_of_original(parts) if one.lower() not in own][:1]
    found = [_judged(address, notice, people) for address in people[:MOST_RECIPIENTS]]
    if not delayed:
        return found
    return [replace(one, delayed=True, outcome=outcome(one.status, one.words, delayed=True)) for one in found]


def above(text: str) -> str:
    """The server's own words: the text down to where the returned mail begins."""
    text = text[:MOST_TEXT]
    lines = text.split("\n")
    end = len(lines)
    for at, line in enumerate(lines):
        if len(line) > 1000 or not line.strip():
            continue
        if at and _BELOW.match(line):
            end = at
            break
        if _HEADER.match(line) and sum(bool(_HEADER.match(near)) for near in lines[at : at + 12]) >= 4:
            end = at
            break
    kept = "\n".join(lines[:end])
    return kept if ADDRESS.search(kept) or STATUS.search(kept) or SMTP.search(kept) else text[:4000]


def of_json(text: str) -> tuple[str, list[Recipient]]:
    """A notification of Amazon SNS sent by mail: (Bounce, Complaint, Delivery or "", its recipients)."""
    start = text.find("{")
    if start < 0 or '"' not in text or ("notificationType" not in text and "eventType" not in text):
        return "", []
    try:
        outer = json.JSONDecoder(strict=False).raw_decode(text[start : start + 400_000].replace("\n ", ""))[0]
        inner = outer.get("Message", outer) if isinstance(outer, dict) else {}
        inner = json.loads(inner, strict=False) if isinstance(inner, str) else inner
        kind = str(inner.get("notificationType") or inner.get("eventType") or "")
        return kind, [_sns(one) for one in _list(inner.get("bounce"), "bouncedRecipients")]
    except (ValueError, AttributeError, RecursionError, TypeError):
        said = re.search(r'(?:notificationType|eventType)[\\"]+\s*:\s*[\\"]+(\w{1,20})', text)
        people = re.findall(r'emailAddress[\\"]+\s*:\s*[\\"]+([^\\"\s]{3,320})', text)[:MOST_RECIPIENTS]
        return (said[1] if said else ""), [_by(address, text) for address in _unique(people)]


def _sns(one: Any) -> Recipient:
    said = str(one.get("diagnosticCode", ""))
    status = STATUS.search(str(one.get("status", ""))) or STATUS.search(said)
    code = status[0] if status else ""
    return Recipient(str(one["emailAddress"])[:320], outcome(code, said), code, said[:300])


def _list(found: Any, key: str) -> list[Any]:
    people = found.get(key, []) if isinstance(found, dict) else []
    return [one for one in people if isinstance(one, dict) and "emailAddress" in one][:MOST_RECIPIENTS]


def leading(notice: str, own: Collection[str] = ()) -> list[str]:
    """Addresses that begin a line, alone or in front of the reason, as most servers write those that failed."""
    found = []
    for line in notice.split("\n")[:2000]:
        bare = line[:500].strip().lstrip("<>*|-=•·[(\"'0123456789) ").strip() if "@" in line else ""
        match = ADDRESS.match(line[:500].strip(" \t<>*|-=•·\"'[(")) or (ADDRESS.match(bare) if bare else None)
        if match is None:
            continue
        rest = line[:500].partition(match[0])[2]
        # A sentence that happens to be broken in front of an address goes on with words and no sign.
        if _GOES_ON.match(rest):
            found.append(_written(match))
    return [one for one in _unique(found) if _possible(one, own)]


def _mentioned(notice: str, own: Collection[str] = ()) -> list[str]:
    """Any address in the notice that is not mentioned for another reason."""
    found = []
    for match in ADDRESS.finditer(notice):
        before = notice[max(0, match.start() - 60) : match.start()].rpartition("\n")[2]
        if not _ASIDE.search(before):
            found.append(_written(match))
        if len(found) >= MOST_RECIPIENTS:
            break
    return [one for one in _unique(found) if _possible(one, own)]


def _to_of_original(parts: Parts) -> list[str]:
    """Whom the returned mail was written to, by its own headers or by those in the text."""
    value = parts.of_original("x-failed-recipients") or parts.of_original("to")
    if not value:
        line = re.search(r"^[ \t>|]{0,4}(?:To|X-Original-To|Delivered-To):(.{3,500})$", parts.text, re.M | re.I)
        value = line[1] if line else ""
    return _unique(_written(match) for match in ADDRESS.finditer(value[:2000]))


def _judged(address: str, notice: str, people: list[str]) -> Recipient:
    """One recipient with the words that stand near it: from its line to that of the next recipient."""
    if len(people) == 1:
        return _by(address, notice)
    lowered = notice.lower()
    starts = sorted(at for one in people if (at := lowered.find(one.lower())) >= 0)
    own = lowered.find(address.lower())
    if own < 0:
        return _by(address, notice)
    end = next((at for at in starts if at > own), len(notice))
    near = notice[max(0, notice.rfind("\n", 0, own)) : end]
    return _by(address, near if outcome("", near) is not Outcome.UNKNOWN or SMTP.search(near) else notice)


def _by(address: str, words: str) -> Recipient:
    """The recipient with status and outcome read from the words of the notice."""
    plain = words.replace(address, "<>")
    status = STATUS.search(plain)
    reply = SMTP.search(plain)
    code = status[0] if status else ""
    if not code and reply and reply[1][0] in "45":
        code = f"{reply[1][0]}.0.0"
    first = reply or status
    said = " ".join(plain[first.start() :].partition("\n\n")[0].split()) if first else ""
    # What the other server answered says more than the sentences round it, which are the same for every reason.
    result = outcome(code, said) if said else Outcome.UNKNOWN
    result = outcome(code, words) if result is Outcome.UNKNOWN else result
    return Recipient(address, result, code, (said or " ".join(words.split()))[:300])


def _possible(address: str, own: Collection[str]) -> bool:
    local = address.rpartition("@")[0]
    return address.lower() not in own and not _ROBOT.match(local) and "." in address.rpartition("@")[2]


def _written(match: re.Match[str]) -> str:
    return f"{match[1]}@{match[2].rstrip('.')}"


def _unique(found: Iterable[str]) -> list[str]:
    return list({one.lower(): one for one in reversed(list(found))}.values())[::-1]
