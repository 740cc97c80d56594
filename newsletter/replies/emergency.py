"""The emergency words of this organisation, per language and sender; the built-in ones are for Britain."""

from __future__ import annotations

from newsletter.config import Config


def words(config: Config, language: str, sender: str = "") -> str:
    """What stands above the box: the words for this sender and language, else for the language, else "".

    `language` is compared by its first part, so `en` serves en-GB.
    """
    short, site = language.split("-")[0].lower(), config.site.language
    fitting = [one for one in config.emergency.values() if (one.language or site).split("-")[0].lower() == short]
    own = [one for one in fitting if one.sender and one.sender == sender]
    general = [one for one in fitting if not one.sender]
    return next((one.text for one in (*own, *general)), "")


def sender_of(config: Config, address: str) -> str:
    """The key in [senders] of whoever sends from this address; "" when unknown."""
    return next((key for key, one in config.senders.items() if one.address == address), "")
