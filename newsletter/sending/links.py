"""The addresses and links of one person's copy: where to reply, to leave, to read it in the browser, to share it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from newsletter.config import Config
from newsletter.mail.tokens import Keyring, Purpose, address


@dataclass(frozen=True)
class Links:
    """Everything signed for one person. The same for every attempt: greylisting and threading rely on it (D15)."""

    reply_address: str
    envelope_sender: str
    message_id: str  # token@reply_domain, without brackets
    unsubscribe_url: str
    unsubscribe_address: str
    view_url: str
    share_url: str


def signed(
    config: Config, keyring: Keyring, token: bytes, unsubscribe_token: bytes, public_id: bytes, *, test: bool = False
) -> Links:
    """The links of one person. `test`: every token has purpose `t`, which shows pages and changes nothing."""

    def make(purpose: Purpose, stored: bytes) -> str:
        return keyring.make(Purpose.TEST if test else purpose, stored)

    mail, base = config.mail, config.base_url
    leave = make(Purpose.UNSUBSCRIBE, unsubscribe_token)
    return Links(
        reply_address=way_back(config, "reply", make(Purpose.REPLY, token), mail.reply_domain),
        envelope_sender=way_back(config, "bounce", make(Purpose.BOUNCE, token), mail.bounce_domain),
        message_id=f"{make(Purpose.MESSAGE_ID, token)}@{mail.reply_domain}",
        unsubscribe_url=f"{base}/u/{leave}",
        unsubscribe_address=""  # an address that cannot say whose wish it is would be an empty promise
        if config.replies.mode == "shared"
        else way_back(config, "unsubscribe", leave, mail.reply_domain),
        view_url=f"{base}/v/{make(Purpose.VIEW, token)}",
        share_url=f"{base}/v/{make(Purpose.VIEW, public_id)}",
    )


def way_back(config: Config, prefix: str, token: str, domain: str) -> str:
    """An address that brings mail back to us: signed; a plus address of our mailbox where [replies] names one; or
    with one shared mailbox that mailbox itself, which can carry no token."""
    mailbox = config.replies.mailbox
    if mailbox and config.replies.mode == "shared":
        return mailbox
    local, _, own = mailbox.rpartition("@")
    return address(local or prefix, token, own or domain, config.mail.separator)


def values(links: Links, settings: Mapping[str, Any], lists: Sequence[str], subject: str) -> dict[str, str]:
    """Links and the footer's sentence under the names of content.model.SYSTEM_SLOTS, not yet escaped."""
    reply = reply_to(links, settings)
    return {
        "reply_url": f"mailto:{quote(reply, safe='@+')}?subject={_quoted(f'Re: {subject}')}",
        "reply_address": reply,
        "unsubscribe_url": links.unsubscribe_url,
        "view_url": links.view_url,
        "share_url": links.share_url,
        "why": why(settings, lists),
    }


@lru_cache(maxsize=64)
def _quoted(subject: str) -> str:
    return quote(subject, safe="")


def reply_to(links: Links, settings: Mapping[str, Any]) -> str:
    """Where an answer goes: the person's signed address, unless the issue names an address of its own."""
    chosen = settings.get("reply_to") or "inbox"
    return links.reply_address if chosen == "inbox" else str(chosen)


def why(settings: Mapping[str, Any], lists: Sequence[str]) -> str:
    """The footer's sentence: that of the first list through which the person was chosen."""
    known: Mapping[str, Any] = settings.get("lists", {})
    return next((known[key]["why"] for key in lists if key in known), "")
