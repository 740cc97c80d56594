"""The addresses and links of one person's copy: where to reply, to leave, to read it in the browser, to share it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote

from newsletter.config import Config
from newsletter.mail.tokens import Keyring, Purpose, address
from newsletter.sending import list_words


@dataclass(frozen=True)
class Links:
    """Everything signed for one person. The same for every attempt: greylisting and threading rely on it (D15)."""

    reply_address: str
    envelope_sender: str
    message_id: str  # token@reply_domain, without brackets
    reply_url: str  # the page behind the button
    unsubscribe_url: str
    preferences_url: str
    unsubscribe_address: str
    view_url: str
    share_url: str
    rate_url: str


class Tokens(NamedTuple):
    """The tokens of one person's links."""

    reply: str
    bounce: str
    unsubscribe: str
    message_id: str
    view: str
    share: str  # of the mailing: the same for everybody


PURPOSES = (Purpose.REPLY, Purpose.BOUNCE, Purpose.UNSUBSCRIBE, Purpose.MESSAGE_ID, Purpose.VIEW, Purpose.VIEW)


def signed(
    config: Config, keyring: Keyring, token: bytes, unsubscribe_token: bytes, public_id: bytes, *, test: bool = False
) -> Links:
    """The links of one person. `test`: every token has purpose `t`, which shows pages and changes nothing."""
    stored = (token, token, unsubscribe_token, token, token, public_id)
    purposes = (Purpose.TEST,) * len(PURPOSES) if test else PURPOSES
    return made(config, Tokens(*map(keyring.make, purposes, stored)))


def made(config: Config, tokens: Tokens) -> Links:
    """The links that carry these tokens."""
    mail, base = config.mail, config.base_url
    return Links(
        reply_address=way_back(config, "reply", tokens.reply, mail.reply_domain),
        envelope_sender=way_back(config, "bounce", tokens.bounce, mail.bounce_domain),
        message_id=f"{tokens.message_id}@{mail.reply_domain}",
        reply_url=f"{base}/r/{tokens.reply}",
        unsubscribe_url=f"{base}/u/{tokens.unsubscribe}",
        preferences_url=f"{base}/p/{tokens.unsubscribe}",
        unsubscribe_address=""  # an address that cannot say whose wish it is would be an empty promise
        if config.replies.mode == "shared"
        else way_back(config, "unsubscribe", tokens.unsubscribe, mail.reply_domain),
        view_url=f"{base}/v/{tokens.view}",
        share_url=f"{base}/v/{tokens.share}",
        rate_url=f"{base}/rate/{tokens.view}",
    )


def way_back(config: Config, prefix: str, token: str, domain: str) -> str:
    """An address that brings mail back to us: signed; a plus address of our mailbox where [replies] names one; or
    with one shared mailbox that mailbox itself, which can carry no token."""
    mailbox = config.replies.mailbox
    if mailbox and config.replies.mode == "shared":
        return mailbox
    local, _, own = mailbox.rpartition("@")
    return address(local or prefix, token, own or domain, config.mail.separator)


def values(
    links: Links, settings: Mapping[str, Any], lists: Sequence[str], subject: str, language: str
) -> dict[str, str]:
    """Links and the footer's sentence under the names of content.model.SYSTEM_SLOTS, not yet escaped."""
    reply = reply_to(links, settings)
    mailto = f"mailto:{quote(reply, safe='@+')}?subject={_quoted(f'Re: {subject}')}"
    return {
        # An issue that wants its answers elsewhere has no page of ours: what is written there would come to our desk.
        "reply_url": links.reply_url if to_our_desk(settings) else mailto,
        "reply_mailto": mailto,
        "reply_address": reply,
        "unsubscribe_url": links.unsubscribe_url,
        "preferences_url": links.preferences_url,
        "view_url": links.view_url,
        "share_url": links.share_url,
        "own_url": "",
        "rate_url": links.rate_url,
        "why": why(settings, lists, language),
    }


@lru_cache(maxsize=64)
def _quoted(subject: str) -> str:
    return quote(subject, safe="")


def reply_to(links: Links, settings: Mapping[str, Any]) -> str:
    """Where an answer goes: the person's signed address, unless the issue names an address of its own."""
    return links.reply_address if to_our_desk(settings) else str(settings["reply_to"])


def to_our_desk(settings: Mapping[str, Any]) -> bool:
    """True unless the issue names an address of its own for answers."""
    return (settings.get("reply_to") or "inbox") == "inbox"


def why(settings: Mapping[str, Any], lists: Sequence[str], language: str) -> str:
    """The footer's sentence, in the mail's language: that of the first list through which the person was chosen."""
    known: Mapping[str, Any] = settings.get("lists", {})
    first = next((key for key in lists if key in known), "")
    return list_words.said(settings, first, language).why
