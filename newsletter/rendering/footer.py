"""What stands above and below the words of the text part: what it is, why you get it, and how to leave."""

from __future__ import annotations

from newsletter.content import model as content
from newsletter.rendering.model import Hole, Mode, Piece
from newsletter.rendering.text import RULE, Block, TextWriter

# Slots that get a line of their own, in this order, where the theme links to them; key → fixed words.
_LINES = {
    "reply_url": "reply",
    "view_url": "view_in_browser",
    "share_url": "share",
    "rate_url": "rate",
    "preferences_url": "preferences",
    "unsubscribe_url": "unsubscribe",
}


def head(writer: TextWriter) -> list[Block]:
    """For a community message: kind, number and priority, as the theme shows them."""
    front, words = writer.material.issue.front, writer.words
    facts = []
    if front.kind:
        facts.append(words(f"kind_{front.kind}", default=front.kind))
    if front.number:
        facts.append(words("message_number", number=front.number))
    if front.priority:
        facts.append(words(f"priority_{front.priority}", default=front.priority))
    banner: list[Block] = [writer.wrapped(words("test_banner"))] if writer.material.mode.value == "test" else []
    return [*banner, " · ".join(facts)] if facts else banner


def foot(writer: TextWriter, found: list[tuple[Piece, ...]]) -> list[Block]:
    """Who sent it, why you get it, each link of the HTML that the text does not hold yet, and the postal address."""
    material = writer.material
    blocks: list[Block] = [RULE]
    by = material.issue.front.by
    if by and (by.role or by.area or by.name != material.config.site.name):
        who = ", ".join(filter(None, (by.name, by.role, by.area, by.organisation)))
        blocks.append(writer.wrapped(f"{writer.words('sent_by')}: {who}"))
    if material.can.unsubscribe or material.mode is Mode.OWN:
        blocks.append(material.slot("why"))
    blocks += _links(writer, found)
    site = material.config.site
    blocks.append("\n".join(filter(None, (site.name, writer.wrapped(site.postal_address)))))
    return blocks


def _links(writer: TextWriter, found: list[tuple[Piece, ...]]) -> list[Block]:
    have = {tuple(address) for address in writer.addresses}
    missing = [address for address in found if address not in have]
    keys = {slot.number: slot.key for slot in writer.material.slots if slot.kind is content.SlotKind.SYSTEM}
    lines = []
    for key, words in _LINES.items():
        for address in missing:
            if len(address) == 1 and isinstance(address[0], Hole) and keys.get(address[0].slot) == key:
                lines.append(f"{writer.words(words)}: {writer.address_token(list(address))}")
    own = {
        address for address in missing if len(address) == 1 and isinstance(address[0], Hole) and address[0].slot in keys
    }
    lines += [writer.address_token(list(address)) for address in missing if address not in own]
    return ["\n".join(lines)] if lines else []
